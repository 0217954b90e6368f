# SPDX-License-Identifier: Apache-2.0
# attune_add_test(NAME SOURCES file... [TIER pure|torch] [LINK target...] [LABELS label...] [FIXTURES name...])
# A GoogleTest program. It finds plugins and the attune binary by the macros ATTUNE_PLUGIN_DIR and ATTUNE_BIN_DIR, the source
# tree by ATTUNE_SOURCE_DIR, and opens plugins with tests/support/plugin_under_test.h.
function(attune_add_test name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "TIER" "SOURCES;LINK;LABELS;FIXTURES")
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
  if(arg_FIXTURES)
    list(APPEND properties FIXTURES_REQUIRED "${arg_FIXTURES}")
  endif()
  gtest_discover_tests(${name} DISCOVERY_MODE PRE_TEST DISCOVERY_TIMEOUT 60 PROPERTIES ${properties})
endfunction()
