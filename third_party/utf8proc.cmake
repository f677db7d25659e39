function(kandinsky_utf8proc_system out)
  kandinsky_static_archives(found utf8proc HEADER utf8proc.h ARCHIVES utf8proc)
  set(${out} "${found}" PARENT_SCOPE)
endfunction()

function(kandinsky_utf8proc_fetch)
  FetchContent_Declare(kandinsky_utf8proc SOURCE_SUBDIR none
    GIT_REPOSITORY https://github.com/JuliaStrings/utf8proc.git GIT_TAG ${commit})
  kandinsky_external(utf8proc ARCHIVES utf8proc OPTIONS -DUTF8PROC_ENABLE_TESTING=OFF)
endfunction()

kandinsky_dependency(utf8proc
  VERSION 2.11.3 COMMIT e5e799221b45bbb90f5fdc5c69b6b8dfbf017e78
  SYSTEM kandinsky_utf8proc_system FETCH kandinsky_utf8proc_fetch DEBIAN libutf8proc-dev)
