# Messages. A header-only fmt costs five seconds in each of more than a hundred files, so its functions are compiled once,
# in fmt.cpp, from the headers that the files see: a distribution's archive fits neither torch's headers, which win on the
# include path of what uses torch, nor torch's std::string.
# kandinsky_fmt_library(<name> [<targets whose headers come first>...])
function(kandinsky_fmt_library name)
  if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "GNU")  # Clang leaves out destructors that other files call
    add_library(${name} INTERFACE)
    target_compile_definitions(${name} INTERFACE FMT_HEADER_ONLY)
    target_link_libraries(${name} INTERFACE ${ARGN} kandinsky_fmt_headers)
    return()
  endif()
  add_library(${name} STATIC ${PROJECT_SOURCE_DIR}/third_party/fmt.cpp)
  # With nothing inlined or left out, so that fmt.cpp holds all that it calls. Messages are few.
  target_compile_options(${name} PRIVATE -O0)
  target_link_libraries(${name} PRIVATE kandinsky_options PUBLIC ${ARGN} kandinsky_fmt_headers)
endfunction()

function(kandinsky_fmt_from_headers_of target)
  add_library(kandinsky_fmt_headers INTERFACE)
  target_include_directories(kandinsky_fmt_headers SYSTEM INTERFACE
    $<TARGET_PROPERTY:${target},INTERFACE_INCLUDE_DIRECTORIES>)
  kandinsky_fmt_library(kandinsky_fmt)
endfunction()

function(kandinsky_fmt_system out)
  find_package(fmt 8 CONFIG QUIET)
  if(TARGET fmt::fmt-header-only)
    kandinsky_fmt_from_headers_of(fmt::fmt-header-only)
    set(${out} "${fmt_VERSION} in ${fmt_DIR}" PARENT_SCOPE)
  endif()
endfunction()

function(kandinsky_fmt_fetch)
  set(FMT_INSTALL OFF)
  set(FMT_TEST OFF)
  set(FMT_DOC OFF)
  FetchContent_Declare(kandinsky_fmt SYSTEM
    GIT_REPOSITORY https://github.com/fmtlib/fmt.git GIT_TAG ${commit})
  FetchContent_MakeAvailable(kandinsky_fmt)
  kandinsky_fmt_from_headers_of(fmt::fmt-header-only)
endfunction()

kandinsky_dependency(fmt
  VERSION 11.2.0 COMMIT 40626af88bd7df9a5fb80be7b25ac85b122d6c21
  SYSTEM kandinsky_fmt_system FETCH kandinsky_fmt_fetch DEBIAN libfmt-dev)
