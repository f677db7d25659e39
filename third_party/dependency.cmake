# kandinsky_dependency(<name> VERSION <v> COMMIT <hash> SYSTEM <function> FETCH <function>
#                      DEBIAN <packages> [WITHOUT <option>])
#
# Takes one dependency the way the cache entry KANDINSKY_<NAME> says:
#   AUTO    the system's copy if there is one, else fetched sources (the default)
#   SYSTEM  the system's copy or stop
#   FETCH   sources of exactly COMMIT, downloaded while configuring, never stored in the repository
#   OFF     neither; stops unless WITHOUT names the option that makes the dependency unnecessary
# SYSTEM <function> is called with the name of a variable, which it sets to a description of what it found, or leaves
# empty. FETCH <function> is called with no argument. Either one must create the target kandinsky_<name>, which
# is what the rest of the build links. FETCHCONTENT_SOURCE_DIR_KANDINSKY_<NAME> gives sources that are already there.
include_guard()
include(FetchContent)

function(kandinsky_dependency name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "VERSION;COMMIT;SYSTEM;FETCH;DEBIAN;WITHOUT" "")
  string(TOUPPER "${name}" upper)
  set(KANDINSKY_${upper} AUTO CACHE STRING "Where ${name} comes from: AUTO, SYSTEM, FETCH or OFF")
  set_property(CACHE KANDINSKY_${upper} PROPERTY STRINGS AUTO SYSTEM FETCH OFF)
  set(mode "${KANDINSKY_${upper}}")
  set(ways "")
  string(APPEND ways "  - install it (Debian, Ubuntu: ${arg_DEBIAN})\n"
    "  - -DKANDINSKY_${upper}=FETCH to download version ${arg_VERSION} while configuring\n"
    "  - -DFETCHCONTENT_SOURCE_DIR_KANDINSKY_${upper}=<folder> with its sources, and FETCH\n"
    "  - -DCMAKE_PREFIX_PATH=<prefix> when it is installed somewhere else\n")
  if(arg_WITHOUT)
    string(APPEND ways "  - -D${arg_WITHOUT}=OFF to build without it\n")
  endif()

  if(mode STREQUAL "OFF")
    message(FATAL_ERROR "KANDINSKY_${upper} is OFF, but this build needs ${name}. Ways out:\n${ways}")
  elseif(NOT mode MATCHES "^(AUTO|SYSTEM|FETCH)$")
    message(FATAL_ERROR "KANDINSKY_${upper} is '${mode}': expected AUTO, SYSTEM, FETCH or OFF")
  endif()

  set(found "")
  if(NOT mode STREQUAL "FETCH")
    cmake_language(CALL ${arg_SYSTEM} found)
  endif()
  if(found)
    message(STATUS "${name}: system, ${found}")
  elseif(mode STREQUAL "SYSTEM")
    message(FATAL_ERROR "${name} was not found on this system. Ways out:\n${ways}")
  else()
    message(STATUS "${name}: fetching ${arg_VERSION} (${arg_COMMIT}); if that fails:\n${ways}")
    # Sub-projects obey plain variables, are static, and bring no tests of their own.
    set(CMAKE_POLICY_DEFAULT_CMP0077 NEW)
    set(CMAKE_POLICY_DEFAULT_CMP0063 NEW)  # hidden symbols also in static libraries
    set(CMAKE_POLICY_VERSION_MINIMUM 3.5)
    set(CMAKE_WARN_DEPRECATED OFF)
    set(BUILD_SHARED_LIBS OFF)
    set(BUILD_TESTING OFF)
    set(commit "${arg_COMMIT}")
    cmake_language(CALL ${arg_FETCH})
    # Only what something links is built: no tools, examples or trainers.
    FetchContent_GetProperties(kandinsky_${name} SOURCE_DIR source_dir)
    get_property(folders DIRECTORY PROPERTY SUBDIRECTORIES)
    if(source_dir IN_LIST folders)
      set_property(DIRECTORY "${source_dir}" PROPERTY EXCLUDE_FROM_ALL ON)
    endif()
  endif()
  if(NOT TARGET kandinsky_${name})
    message(FATAL_ERROR "third_party/${name}.cmake made no target kandinsky_${name}")
  endif()
endfunction()
