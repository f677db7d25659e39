# Header-only: torch ships its own copy of the headers, and two compiled copies would clash.
function(kandinsky_fmt_system out)
  find_package(fmt 8 CONFIG QUIET)
  if(TARGET fmt::fmt-header-only)
    add_library(kandinsky_fmt INTERFACE)
    target_link_libraries(kandinsky_fmt INTERFACE fmt::fmt-header-only)
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
  add_library(kandinsky_fmt INTERFACE)
  target_link_libraries(kandinsky_fmt INTERFACE fmt::fmt-header-only)
endfunction()

kandinsky_dependency(fmt
  VERSION 11.2.0 COMMIT 40626af88bd7df9a5fb80be7b25ac85b122d6c21
  SYSTEM kandinsky_fmt_system FETCH kandinsky_fmt_fetch DEBIAN libfmt-dev)
