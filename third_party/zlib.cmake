function(kandinsky_zlib_system out)
  find_package(ZLIB QUIET)
  if(TARGET ZLIB::ZLIB)
    add_library(kandinsky_zlib INTERFACE)
    target_link_libraries(kandinsky_zlib INTERFACE ZLIB::ZLIB)
    set(${out} "${ZLIB_VERSION_STRING}" PARENT_SCOPE)
  endif()
endfunction()

function(kandinsky_zlib_fetch)
  set(SKIP_INSTALL_ALL ON)
  set(ZLIB_BUILD_EXAMPLES OFF)
  FetchContent_Declare(kandinsky_zlib SYSTEM
    GIT_REPOSITORY https://github.com/madler/zlib.git GIT_TAG ${commit})
  FetchContent_MakeAvailable(kandinsky_zlib)
  add_library(kandinsky_zlib INTERFACE)
  # zlib's own targets carry no include folders; zconf.h is made in the build folder.
  target_include_directories(kandinsky_zlib SYSTEM INTERFACE
    ${kandinsky_zlib_SOURCE_DIR} ${kandinsky_zlib_BINARY_DIR})
  target_link_libraries(kandinsky_zlib INTERFACE zlibstatic)
endfunction()

kandinsky_dependency(zlib
  VERSION 1.3.1 COMMIT 51b7f2abdade71cd9bb0e7a373ef2610ec6f9daf
  SYSTEM kandinsky_zlib_system FETCH kandinsky_zlib_fetch DEBIAN zlib1g-dev)
