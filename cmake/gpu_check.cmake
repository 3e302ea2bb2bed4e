# What measures and checks a GPU (tools/gpu_check.sh), and how it travels to a machine that cannot build it:
#   gpu_check                          all programs that the check runs
#   cmake --install BUILD --component gpu_check --prefix DIR --strip
#                                      programs in DIR/bin, and what the check reads, where it is in this tree
if(NOT TARGET il_cuda_engine)
  return()
endif()

add_executable(gpu_micro bench/gpu_micro/main.cpp bench/gpu_micro/arithmetic.cu bench/gpu_micro/chains.cu bench/gpu_micro/memory.cu)
target_link_libraries(gpu_micro PRIVATE il_cuda_options)
# wgmma is an instruction of sm_90a alone; 80 and the PTX of 90 serve all others.
set_target_properties(gpu_micro PROPERTIES CUDA_ARCHITECTURES "80-real;90a-real;90-virtual")
set_target_properties(gpu_micro PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR})
set(il_programs innerloop gpu_micro)
if(IL_BUILD_TESTS)
  get_property(il_gpu_tests GLOBAL PROPERTY IL_GPU_TESTS)
  list(APPEND il_programs ${il_gpu_tests})
endif()
foreach(il_vendor_test test_cuda_vendor test_cuda_joining)
  if(IL_BUILD_TESTS AND TARGET innerloop_vendor AND TARGET ${il_vendor_test})
    list(APPEND il_programs ${il_vendor_test})
  endif()
endforeach()

add_custom_target(gpu_check)
add_dependencies(gpu_check ${il_programs})
# The vendor module is found beside the program, wherever the folder stands; cuDNN and cuBLAS are the machine's.
set_target_properties(${il_programs} PROPERTIES INSTALL_RPATH "$ORIGIN")
install(TARGETS ${il_programs} RUNTIME DESTINATION bin COMPONENT gpu_check)
if(TARGET innerloop_vendor)
  add_dependencies(gpu_check innerloop_vendor)
  install(TARGETS innerloop_vendor LIBRARY DESTINATION bin COMPONENT gpu_check)
endif()
install(PROGRAMS tools/gpu_check.sh DESTINATION tools COMPONENT gpu_check)
install(FILES bench/make_problem.py bench/rivals_gpu.py DESTINATION bench COMPONENT gpu_check)
install(DIRECTORY bench/rivals DESTINATION bench COMPONENT gpu_check
        FILES_MATCHING PATTERN "*.py" PATTERN "__pycache__" EXCLUDE)
install(DIRECTORY tools/gpu_check DESTINATION tools COMPONENT gpu_check
        FILES_MATCHING PATTERN "*.py" PATTERN "__pycache__" EXCLUDE)
install(DIRECTORY tests/golden DESTINATION tests COMPONENT gpu_check FILES_MATCHING PATTERN "*.safetensors")
