function(kandinsky_utf8proc_system out)
  find_path(KANDINSKY_UTF8PROC_INCLUDE_DIR utf8proc.h)
  find_library(KANDINSKY_UTF8PROC_LIBRARY utf8proc)
  mark_as_advanced(KANDINSKY_UTF8PROC_INCLUDE_DIR KANDINSKY_UTF8PROC_LIBRARY)
  if(KANDINSKY_UTF8PROC_INCLUDE_DIR AND KANDINSKY_UTF8PROC_LIBRARY)
    add_library(kandinsky_utf8proc INTERFACE)
    target_include_directories(kandinsky_utf8proc SYSTEM INTERFACE ${KANDINSKY_UTF8PROC_INCLUDE_DIR})
    target_link_libraries(kandinsky_utf8proc INTERFACE ${KANDINSKY_UTF8PROC_LIBRARY})
    set(${out} "${KANDINSKY_UTF8PROC_LIBRARY}" PARENT_SCOPE)
  endif()
endfunction()

function(kandinsky_utf8proc_fetch)
  set(UTF8PROC_INSTALL OFF)
  set(UTF8PROC_ENABLE_TESTING OFF)
  FetchContent_Declare(kandinsky_utf8proc SYSTEM
    GIT_REPOSITORY https://github.com/JuliaStrings/utf8proc.git GIT_TAG ${commit})
  FetchContent_MakeAvailable(kandinsky_utf8proc)
  add_library(kandinsky_utf8proc INTERFACE)
  target_link_libraries(kandinsky_utf8proc INTERFACE utf8proc)
endfunction()

kandinsky_dependency(utf8proc
  VERSION 2.11.3 COMMIT e5e799221b45bbb90f5fdc5c69b6b8dfbf017e78
  SYSTEM kandinsky_utf8proc_system FETCH kandinsky_utf8proc_fetch DEBIAN libutf8proc-dev)
