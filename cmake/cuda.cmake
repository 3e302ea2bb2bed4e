# CUDA is found where it is and never required: the build says what it found and goes on.
set(IL_CUDA AUTO CACHE STRING "CUDA toolkit: AUTO (look for it), ON (insist on it), OFF (do not look)")
set_property(CACHE IL_CUDA PROPERTY STRINGS AUTO ON OFF)

if(NOT IL_CUDA STREQUAL "AUTO" AND NOT IL_CUDA)
  message(STATUS "CUDA: not looked for (IL_CUDA=${IL_CUDA})")
  return()
endif()

include(CheckLanguage)
check_language(CUDA)
if(CMAKE_CUDA_COMPILER)
  execute_process(COMMAND ${CMAKE_CUDA_COMPILER} --version OUTPUT_VARIABLE il_nvcc_text ERROR_QUIET)
  string(REGEX MATCH "release ([0-9.]+)" il_nvcc_release "${il_nvcc_text}")
  message(STATUS "CUDA toolkit ${CMAKE_MATCH_1} found; GPU kernels are not part of this build yet")
elseif(IL_CUDA STREQUAL "AUTO")
  message(STATUS "CUDA toolkit not found; the CPU is all that this build uses")
else()
  message(FATAL_ERROR "IL_CUDA=ON: no CUDA compiler was found; put nvcc on PATH, or set CMAKE_CUDA_COMPILER, or "
                      "configure with -DIL_CUDA=AUTO")
endif()
