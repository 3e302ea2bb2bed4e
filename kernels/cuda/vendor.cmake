# cuDNN and cuBLAS, wrapped. Two libraries:
#   il_cuda_maps    how our structs become library calls: plain arithmetic, always built and tested
#   il_cuda_vendor  the calls themselves, where the CUDA toolkit and cuDNN are found; never required unless IL_CUDA=ON
# Both are linked dynamically against what the machine has. IL_CUDNN_ROOT names a cuDNN outside the toolkit's folders.
set(IL_CUDA_FOLDER ${CMAKE_CURRENT_LIST_DIR})
add_library(il_cuda_maps STATIC ${IL_CUDA_FOLDER}/cudnn/conv_problem.cpp ${IL_CUDA_FOLDER}/cudnn/conv_schedule.cpp
                                ${IL_CUDA_FOLDER}/cublas/gemm_call.cpp)
target_link_libraries(il_cuda_maps PUBLIC il_tensor)

set(IL_CUDNN_ROOT "" CACHE PATH "Folder with include/cudnn_graph.h and lib/libcudnn.so, where it is not the CUDA toolkit's")
if(NOT IL_CUDA STREQUAL "AUTO" AND NOT IL_CUDA)
  return()
endif()

find_package(CUDAToolkit QUIET)
set(il_missing "")
if(CUDAToolkit_FOUND)
  find_path(IL_CUDNN_INCLUDE cudnn_graph.h HINTS ${IL_CUDNN_ROOT} ${CUDAToolkit_INCLUDE_DIRS} PATH_SUFFIXES include)
  find_library(IL_CUDNN_LIBRARY cudnn HINTS ${IL_CUDNN_ROOT} ${CUDAToolkit_LIBRARY_DIR} ${CUDAToolkit_LIBRARY_ROOT}
                                            ${CUDAToolkit_BIN_DIR}/..
               PATH_SUFFIXES lib lib64)
  if(NOT TARGET CUDA::cublas)
    set(il_missing "cuBLAS")
  elseif(NOT IL_CUDNN_INCLUDE OR NOT IL_CUDNN_LIBRARY)
    set(il_missing "cuDNN (set IL_CUDNN_ROOT to its folder)")
  else()
    # The wrappers use the deviceless planning that 9.8 brought.
    file(STRINGS ${IL_CUDNN_INCLUDE}/cudnn_version.h il_cudnn_lines REGEX "define CUDNN_(MAJOR|MINOR|PATCHLEVEL) [0-9]+")
    string(REGEX MATCHALL "[0-9]+" il_cudnn_numbers "${il_cudnn_lines}")
    list(JOIN il_cudnn_numbers "." il_cudnn_version)
    if(il_cudnn_version VERSION_LESS 9.8)
      set(il_missing "cuDNN 9.8 or newer (found ${il_cudnn_version} in ${IL_CUDNN_INCLUDE})")
    endif()
  endif()
else()
  set(il_missing "the CUDA toolkit")
endif()

if(il_missing)
  if(NOT IL_CUDA STREQUAL "AUTO")
    message(FATAL_ERROR "IL_CUDA=ON: ${il_missing} was not found; install it, or configure with -DIL_CUDA=AUTO")
  endif()
  message(STATUS "cuDNN and cuBLAS wrappers: not built, ${il_missing} was not found")
  return()
endif()

message(STATUS "cuDNN ${il_cudnn_version} and CUDA toolkit ${CUDAToolkit_VERSION} found; the cuDNN and cuBLAS wrappers are built")
file(GLOB IL_CUDA_VENDOR_SOURCES CONFIGURE_DEPENDS ${IL_CUDA_FOLDER}/cudnn/*.cpp ${IL_CUDA_FOLDER}/cublas/*.cpp)
list(FILTER IL_CUDA_VENDOR_SOURCES EXCLUDE REGEX "conv_problem|conv_schedule|gemm_call")
add_library(il_cuda_vendor STATIC ${IL_CUDA_VENDOR_SOURCES})
target_include_directories(il_cuda_vendor SYSTEM PUBLIC ${IL_CUDNN_INCLUDE})
target_link_libraries(il_cuda_vendor PUBLIC il_cuda_maps ${IL_CUDART} CUDA::cublas ${IL_CUDNN_LIBRARY})

# How the libraries join the convolutions of the CUDA engine: a module that is loaded when an engine of theirs is first
# asked for, since loading cuBLAS and cuDNN takes a tenth of a second and 200 MB, and a machine without them must be able
# to start the program. What the module needs of the floors and of the engine, it takes from the program.
if(TARGET il_cuda_engine)
  set_target_properties(il_cuda_maps il_cuda_vendor PROPERTIES POSITION_INDEPENDENT_CODE ON)
  file(GLOB IL_CUDA_JOINING CONFIGURE_DEPENDS ${IL_CUDA_FOLDER}/vendor/*.cpp)
  add_library(innerloop_vendor MODULE ${IL_CUDA_JOINING} $<TARGET_OBJECTS:il_cuda_vendor>
                                      $<TARGET_OBJECTS:il_cuda_maps>)
  target_include_directories(innerloop_vendor SYSTEM PRIVATE ${IL_CUDNN_INCLUDE})
  target_link_libraries(innerloop_vendor PRIVATE il_options fmt::fmt ${IL_CUDART} CUDA::cublas ${IL_CUDNN_LIBRARY})
  set_target_properties(innerloop_vendor PROPERTIES LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR})
  target_link_options(il_cuda_engine INTERFACE -rdynamic)
  if(NOT IL_STATIC)  # whose programs travel, with the module beside them
    target_link_options(il_cuda_engine INTERFACE "LINKER:-rpath,${CMAKE_BINARY_DIR}")
  endif()
endif()
