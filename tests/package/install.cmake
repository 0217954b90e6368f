# SPDX-License-Identifier: Apache-2.0
# Installs the host and the SDK below PREFIX, and looks at what is there.
file(REMOVE_RECURSE ${PREFIX})
foreach(component host engine sdk)
  execute_process(COMMAND ${CMAKE_COMMAND} --install ${BUILD} --prefix ${PREFIX} --component ${component} OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)
endforeach()
foreach(file bin/attune lib/libattune-engine.so lib/libattune-nn.a include/attune/abi.h include/attune/dataset.h include/attune-nn/nn/decoder.h
        lib/cmake/attune/attune-config.cmake lib/cmake/attune/AttunePlugin.cmake lib/pkgconfig/attune.pc share/attune/templates/dataset-c++/plugin.cpp)
  if(NOT EXISTS ${PREFIX}/${file})
    message(FATAL_ERROR "the installation has no ${file}")
  endif()
endforeach()
