# Compiles through ccache where it is installed and nobody asked for another launcher.
find_program(IL_CCACHE ccache)
mark_as_advanced(IL_CCACHE)
if(IL_CCACHE AND NOT DEFINED CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${IL_CCACHE})
endif()
