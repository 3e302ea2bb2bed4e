# Sources that are read together, as one, since most of their compilation goes to the headers that they share.

# Compiles `files` of a target eight at a time.
function(il_compile_together target)
  set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_MODE GROUP)
  set(count 0)
  foreach(file ${ARGN})
    math(EXPR group "${count} / 8")
    math(EXPR count "${count} + 1")
    set_source_files_properties(${file} PROPERTIES UNITY_GROUP ${target}_${group})
  endforeach()
endfunction()

# Takes the named `files` (without folder, all of one kind) out of the list `sources` and puts in a file that includes them: what
# CMake does itself, but not yet for CUDA.
function(il_group_sources sources name)
  set(left ${${sources}})
  set(text "")
  foreach(file ${ARGN})
    cmake_path(ABSOLUTE_PATH file)
    if(NOT file IN_LIST left)
      message(FATAL_ERROR "${file}, of the group ${name}, is not among the sources")
    endif()
    list(REMOVE_ITEM left ${file})
    string(APPEND text "#include \"${file}\"\n")
    cmake_path(GET file EXTENSION LAST_ONLY extension)
  endforeach()
  set(together ${CMAKE_CURRENT_BINARY_DIR}/${name}_group${extension})
  file(GENERATE OUTPUT ${together} CONTENT "${text}")
  set(${sources} ${left} ${together} PARENT_SCOPE)
endfunction()
