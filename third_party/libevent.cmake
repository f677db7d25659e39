# Only what speaks HTTP, and TLS if openssl is there: no tests, no threads of its own.
set(libevent_archives event_extra event_core)
set(libevent_link)
if(TARGET kandinsky_openssl)
  list(PREPEND libevent_archives event_openssl)
  set(libevent_link LINK kandinsky_openssl)
endif()

function(kandinsky_libevent_system out)
  kandinsky_static_archives(found libevent HEADER event2/http.h ARCHIVES ${libevent_archives} ${libevent_link})
  set(${out} "${found}" PARENT_SCOPE)
endfunction()

function(kandinsky_libevent_fetch)
  FetchContent_Declare(kandinsky_libevent SOURCE_SUBDIR none
    GIT_REPOSITORY https://github.com/libevent/libevent.git GIT_TAG ${commit})
  set(options -DEVENT__LIBRARY_TYPE=STATIC)
  if(NOT TARGET kandinsky_openssl)
    list(APPEND options -DEVENT__DISABLE_OPENSSL=ON)
  endif()
  foreach(part THREAD_SUPPORT TESTS SAMPLES BENCHMARK REGRESS)
    list(APPEND options -DEVENT__DISABLE_${part}=ON)
  endforeach()
  kandinsky_external(libevent ARCHIVES ${libevent_archives} OPTIONS ${options} ${libevent_link})
endfunction()

kandinsky_dependency(libevent
  VERSION 2.1.12 COMMIT 5df3037d10556bfcb675bc73e516978b75fc7bc7
  SYSTEM kandinsky_libevent_system FETCH kandinsky_libevent_fetch DEBIAN libevent-dev
  WITHOUT KANDINSKY_CLI)
