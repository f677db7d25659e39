function(kandinsky_zlib_system out)
  kandinsky_static_archives(found zlib HEADER zlib.h ARCHIVES z)
  set(${out} "${found}" PARENT_SCOPE)
endfunction()

function(kandinsky_zlib_fetch)
  FetchContent_Declare(kandinsky_zlib SOURCE_SUBDIR none
    GIT_REPOSITORY https://github.com/madler/zlib.git GIT_TAG ${commit})
  kandinsky_external(zlib ARCHIVES z OPTIONS -DZLIB_BUILD_EXAMPLES=OFF)
endfunction()

kandinsky_dependency(zlib
  VERSION 1.3.1 COMMIT 51b7f2abdade71cd9bb0e7a373ef2610ec6f9daf
  SYSTEM kandinsky_zlib_system FETCH kandinsky_zlib_fetch DEBIAN zlib1g-dev)
