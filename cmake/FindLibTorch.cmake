# SPDX-License-Identifier: Apache-2.0
# The imported target attune::torch: headers, libtorch_cpu and libc10 of the folder ATTUNE_TORCH, and nothing of CUDA.
# LibTorch's own package file asks for a CUDA toolkit, which neither building nor running on a CPU needs.
if(NOT ATTUNE_TORCH)
  set(ATTUNE_TORCH "${PROJECT_SOURCE_DIR}/.deps/site/torch")
  if(ATTUNE_SDK_INSTALLED)
    set(ATTUNE_TORCH "$ENV{ATTUNE_TORCH}")
    if(NOT ATTUNE_TORCH)
      set(ATTUNE_TORCH "${ATTUNE_SDK_TORCH}")
    endif()
  endif()
endif()
find_path(LibTorch_INCLUDE ATen/ATen.h PATHS "${ATTUNE_TORCH}/include" NO_DEFAULT_PATH NO_CACHE)
find_library(LibTorch_CPU torch_cpu PATHS "${ATTUNE_TORCH}/lib" NO_DEFAULT_PATH NO_CACHE)
find_library(LibTorch_C10 c10 PATHS "${ATTUNE_TORCH}/lib" NO_DEFAULT_PATH NO_CACHE)
if(EXISTS "${ATTUNE_TORCH}/version.py")
  file(STRINGS "${ATTUNE_TORCH}/version.py" _line REGEX "^__version__")
elseif(EXISTS "${ATTUNE_TORCH}/build-version")
  file(READ "${ATTUNE_TORCH}/build-version" _line)
endif()
string(REGEX MATCH "[0-9]+\\.[0-9]+\\.[0-9]+" LibTorch_VERSION "${_line}")

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(LibTorch REQUIRED_VARS LibTorch_CPU LibTorch_C10 LibTorch_INCLUDE
                                  VERSION_VAR LibTorch_VERSION REASON_FAILURE_MESSAGE "run `make deps`, or name a folder: -DATTUNE_TORCH=...")

if(LibTorch_FOUND AND NOT TARGET attune::torch)
  add_library(attune::torch INTERFACE IMPORTED)
  target_include_directories(attune::torch SYSTEM INTERFACE
    "${LibTorch_INCLUDE}" "${LibTorch_INCLUDE}/torch/csrc/api/include")
  # ATen's parallel_for is a header that is serial without OpenMP; LibTorch brings the runtime.
  target_compile_options(attune::torch INTERFACE -fopenmp)
  # libtorch_cpu finds the libraries that it needs itself by its own run path.
  target_link_libraries(attune::torch INTERFACE "${LibTorch_CPU}" "${LibTorch_C10}")
  target_link_options(attune::torch INTERFACE "-Wl,--allow-shlib-undefined" -fopenmp)
endif()
