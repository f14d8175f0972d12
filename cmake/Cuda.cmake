# Finds a CUDA toolkit; LOOKALIKE_HAS_CUDA and a line for the summary say what came of it.
include(CheckLanguage)

set(LOOKALIKE_HAS_CUDA OFF)
set(LOOKALIKE_CUDA_SUMMARY "off (LOOKALIKE_CUDA)")
if(LOOKALIKE_CUDA)
  set(LOOKALIKE_CUDA_SUMMARY "no nvcc found, kernels/cuda is built for the emulator alone")
  if(NOT CMAKE_CUDA_COMPILER AND NOT DEFINED ENV{CUDACXX})
    find_program(nvcc nvcc PATHS /usr/local/cuda/bin)
    if(nvcc)
      set(CMAKE_CUDA_COMPILER ${nvcc})
    endif()
  endif()
  check_language(CUDA)
  if(CMAKE_CUDA_COMPILER)
    # sm_90a has kernels of its own; PTX of compute_80 is for what comes later. "native" is for this machine.
    set(LOOKALIKE_CUDA_ARCHITECTURES 80-real 86-real 89-real 90a-real 80-virtual
        CACHE STRING "Targets of nvcc, as CMAKE_CUDA_ARCHITECTURES takes them")
    set(CMAKE_CUDA_ARCHITECTURES ${LOOKALIKE_CUDA_ARCHITECTURES})
    enable_language(CUDA)
    if(NOT DEFINED CMAKE_CUDA20_STANDARD_COMPILE_OPTION)  # CMake 3.25 does not know that nvcc has C++20
      set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION -std=c++20)
    endif()
    set(CMAKE_CUDA_STANDARD 20)
    set(CMAKE_CUDA_STANDARD_REQUIRED ON)
    set(CMAKE_CUDA_EXTENSIONS OFF)
    find_package(CUDAToolkit REQUIRED)
    set(LOOKALIKE_HAS_CUDA ON)
    set(LOOKALIKE_CUDA_HOPPER 90a-real)  # kernels/cuda/sm90, whatever the other targets are
    string(REPLACE ";" " " targets "${LOOKALIKE_CUDA_ARCHITECTURES}")
    set(LOOKALIKE_CUDA_SUMMARY "toolkit ${CUDAToolkit_VERSION}, for ${targets}")
  endif()
endif()
message(STATUS "CUDA: ${LOOKALIKE_CUDA_SUMMARY}")
