# TLS for `kandinsky serve`. Only the program links it, and a build can do without it, so that it is never fetched:
#   AUTO    the system's copy, or no TLS (the default)
#   SYSTEM  the system's copy or stop
#   OFF     no TLS
set(KANDINSKY_OPENSSL AUTO CACHE STRING "Where openssl comes from: AUTO, SYSTEM or OFF")
set_property(CACHE KANDINSKY_OPENSSL PROPERTY STRINGS AUTO SYSTEM OFF)
if(NOT KANDINSKY_OPENSSL MATCHES "^(AUTO|SYSTEM|OFF)$")
  message(FATAL_ERROR "KANDINSKY_OPENSSL is '${KANDINSKY_OPENSSL}': expected AUTO, SYSTEM or OFF")
endif()
set(openssl "")
if(NOT KANDINSKY_OPENSSL STREQUAL "OFF")
  kandinsky_static_archives(openssl openssl HEADER openssl/ssl.h ARCHIVES ssl crypto)
endif()
if(openssl)
  message(STATUS "openssl: system, ${openssl}")
elseif(KANDINSKY_OPENSSL STREQUAL "SYSTEM")
  message(FATAL_ERROR "openssl was not found on this system. Ways out:\n"
    "  - install it (Debian, Ubuntu: libssl-dev)\n"
    "  - -DCMAKE_PREFIX_PATH=<prefix> when it is installed somewhere else\n"
    "  - -DKANDINSKY_OPENSSL=OFF to build without TLS\n")
else()
  message(STATUS "openssl: none, so that `kandinsky serve` has no TLS (Debian, Ubuntu: libssl-dev)")
endif()
