# The third-party libraries as parts of our programs, for a build that travels (IL_STATIC): the machine that runs it need not
# have them. Debian has these three as shared libraries, so they are made of their headers.
find_path(IL_FMT_INCLUDE fmt/format-inl.h)
if(IL_FMT_INCLUDE)
  add_library(il_static_fmt STATIC cmake/static/fmt.cpp)
  target_include_directories(il_static_fmt SYSTEM PUBLIC ${IL_FMT_INCLUDE})
  # Also the vendor module, a shared library, takes it from here; and with this our sources compile to what they are elsewhere,
  # so that a compiler cache serves both builds.
  set_target_properties(il_static_fmt PROPERTIES POSITION_INDEPENDENT_CODE ON)
  target_compile_definitions(il_static_fmt PUBLIC FMT_SHARED)
  add_library(fmt::fmt ALIAS il_static_fmt)
endif()
find_path(IL_SPDLOG_INCLUDE spdlog/spdlog.h)
if(IL_SPDLOG_INCLUDE AND TARGET fmt::fmt)
  add_library(il_static_spdlog INTERFACE)
  target_include_directories(il_static_spdlog SYSTEM INTERFACE ${IL_SPDLOG_INCLUDE})
  target_compile_definitions(il_static_spdlog INTERFACE SPDLOG_FMT_EXTERNAL)
  target_link_libraries(il_static_spdlog INTERFACE Threads::Threads fmt::fmt)
  add_library(spdlog::spdlog ALIAS il_static_spdlog)
endif()
# toml++ is a header without its find_package().
add_link_options(-static-libstdc++ -static-libgcc)
