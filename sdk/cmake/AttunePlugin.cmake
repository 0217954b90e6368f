# SPDX-License-Identifier: Apache-2.0
# attune_add_plugin(NAME [SOURCES file...] [LINK target...])
#
# Builds NAME.attune.so from NAME.cpp (or SOURCES) and the plugin.toml beside it: embeds the metadata with ABI and build
# fingerprint as an ELF note, exports one symbol, and links LibTorch only where plugin.toml says tier = "torch".
# A file NAME_test.cpp beside it becomes a test.

set(_attune_plugin_cmake_dir ${CMAKE_CURRENT_LIST_DIR})
set(ATTUNE_ABI "0.1")
set(ATTUNE_SDK_TORCH_REVISION 1)

string(REPLACE "," "+" _attune_sanitizers "${ATTUNE_SANITIZE}")
if(NOT _attune_sanitizers)
  set(_attune_sanitizers none)
endif()
set(ATTUNE_FINGERPRINT "torch=${LibTorch_VERSION} stdlib=libstdc++ cxx11abi=1 arch=${CMAKE_SYSTEM_PROCESSOR} sdk=${ATTUNE_SDK_TORCH_REVISION} sanitize=${_attune_sanitizers}")

function(attune_add_plugin name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;LINK")
  if(NOT arg_SOURCES)
    set(arg_SOURCES ${name}.cpp)
  endif()
  file(READ plugin.toml metadata)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS plugin.toml)
  if(NOT metadata MATCHES "(^|\n)id *= *\"([^\"]+)\"")
    message(FATAL_ERROR "${CMAKE_CURRENT_SOURCE_DIR}/plugin.toml: expected a line id = \"reverse.dns.name\"")
  endif()
  set(id ${CMAKE_MATCH_2})
  if(NOT metadata MATCHES "(^|\n)tier *= *\"(pure|torch)\"")
    message(FATAL_ERROR "${CMAKE_CURRENT_SOURCE_DIR}/plugin.toml: expected a line tier = \"pure\" or \"torch\"")
  endif()
  set(tier ${CMAKE_MATCH_2})
  set(fingerprint "")
  if(tier STREQUAL torch)
    set(fingerprint "${ATTUNE_FINGERPRINT}")
  endif()

  # The metadata, with what the build knows, as a note section.
  set(embedded ${CMAKE_CURRENT_BINARY_DIR}/${name}.plugin.toml)
  file(CONFIGURE OUTPUT ${embedded} CONTENT
       "${metadata}\n[build]\nabi = \"${ATTUNE_ABI}\"\nfingerprint = \"${fingerprint}\"\ncompiler = \"${CMAKE_CXX_COMPILER_ID} ${CMAKE_CXX_COMPILER_VERSION}\"\n" @ONLY)
  set(note ${CMAKE_CURRENT_BINARY_DIR}/${name}.note.S)
  configure_file(${_attune_plugin_cmake_dir}/note.S.in ${note} @ONLY)
  set_source_files_properties(${note} PROPERTIES OBJECT_DEPENDS ${embedded})

  add_library(${name} MODULE ${arg_SOURCES} ${note})
  target_link_libraries(${name} PRIVATE attune::sdk ${arg_LINK})
  target_compile_definitions(${name} PRIVATE "ATTUNE_PLUGIN_ID=\"${id}\"" "ATTUNE_PLUGIN_FINGERPRINT=\"${fingerprint}\"")
  set_target_properties(${name} PROPERTIES
    PREFIX "" SUFFIX ".attune.so"
    POSITION_INDEPENDENT_CODE ON CXX_VISIBILITY_PRESET hidden C_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON
    LIBRARY_OUTPUT_DIRECTORY ${ATTUNE_PLUGIN_DIR}
    LINK_DEPENDS ${_attune_plugin_cmake_dir}/plugin.version)
  target_link_options(${name} PRIVATE
    "-Wl,--version-script=${_attune_plugin_cmake_dir}/plugin.version" -Wl,--exclude-libs,ALL -Wl,-z,now)
  if(NOT ATTUNE_SANITIZE)
    target_link_options(${name} PRIVATE -Wl,-z,defs)
  endif()
  if(tier STREQUAL torch)
    target_link_libraries(${name} PRIVATE attune::torch Threads::Threads)
    target_precompile_headers(${name} REUSE_FROM attune_torch_pch)
  endif()

  if(ATTUNE_BUILD_TESTS AND EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/${name}_test.cpp)
    attune_add_test(${name}_test SOURCES ${name}_test.cpp TIER ${tier} LINK ${arg_LINK})
    add_dependencies(${name}_test ${name})
  endif()
endfunction()

# attune_add_test(NAME SOURCES file... [TIER pure|torch] [LINK target...] [LABELS label...])
# A GoogleTest program. It finds plugins and the attune binary by the macros ATTUNE_PLUGIN_DIR and ATTUNE_BIN_DIR, the source
# tree by ATTUNE_SOURCE_DIR, and opens plugins with tests/support/plugin_under_test.h.
function(attune_add_test name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "TIER" "SOURCES;LINK;LABELS")
  add_library(${name}_objects OBJECT ${arg_SOURCES})
  target_link_libraries(${name}_objects PRIVATE attune::sdk attune::test_support GTest::gtest ${arg_LINK})
  target_compile_definitions(${name}_objects PRIVATE
    "ATTUNE_PLUGIN_DIR=\"${ATTUNE_PLUGIN_DIR}\"" "ATTUNE_BIN_DIR=\"${PROJECT_BINARY_DIR}/bin\"" "ATTUNE_SOURCE_DIR=\"${PROJECT_SOURCE_DIR}\"")
  if(NOT arg_TIER STREQUAL torch)
    target_compile_options(${name}_objects PRIVATE -O0)  # Tests are compiled more often than they run.
  endif()
  add_executable(${name} $<TARGET_OBJECTS:${name}_objects>)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
  target_link_libraries(${name} PRIVATE attune::test_support GTest::gtest GTest::gtest_main Threads::Threads ${CMAKE_DL_LIBS} ${arg_LINK})
  if(arg_TIER STREQUAL torch)
    target_link_libraries(${name}_objects PRIVATE attune::torch)
    target_link_libraries(${name} PRIVATE attune::torch)
    target_precompile_headers(${name}_objects REUSE_FROM attune_torch_pch)
  endif()
  # Tests run side by side: one thread each, or spinning threads would wait for each other.
  set(properties TIMEOUT 900 ENVIRONMENT OMP_NUM_THREADS=1)
  if(arg_LABELS)
    list(APPEND properties LABELS "${arg_LABELS}")
  endif()
  gtest_discover_tests(${name} DISCOVERY_MODE PRE_TEST DISCOVERY_TIMEOUT 60 PROPERTIES ${properties})
endfunction()
