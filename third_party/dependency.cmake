# kandinsky_dependency(<name> VERSION <v> COMMIT <hash> SYSTEM <function> FETCH <function>
#                      [DEBIAN <packages>] [WITHOUT <option>])
#
# Takes one dependency the way the cache entry KANDINSKY_<NAME> says:
#   AUTO    the system's copy if there is one, else fetched sources (the default)
#   SYSTEM  the system's copy or stop
#   FETCH   sources of exactly COMMIT (or an archive of exactly that hash), downloaded while configuring, never stored in
#           the repository
#   OFF     neither; stops unless WITHOUT names the option that makes the dependency unnecessary
# SYSTEM <function> is called with the name of a variable, which it sets to a description of what it found, or leaves
# empty. FETCH <function> is called with no argument. Either one must create the target kandinsky_<name>, which
# is what the rest of the build links. FETCHCONTENT_SOURCE_DIR_KANDINSKY_<NAME> gives sources that are already there.
#
# Whatever is compiled goes into libkandinsky.so as an archive with hidden symbols (kandinsky_static_archives,
# kandinsky_external): a shared library would show its symbols to the host's process, where others of the same name live.
# Debian's SentencePiece, for one, has a variable that lies over one of libc10.
include_guard()
include(ExternalProject)
include(FetchContent)

# kandinsky_archives(<name> INCLUDE <folder> FILES <archives>... [LINK <targets>...])
# Makes the target kandinsky_<name>. Each archive may need those after it, and LINK.
function(kandinsky_archives name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "INCLUDE" "FILES;LINK")
  set(behind ${arg_LINK})
  list(REVERSE arg_FILES)
  foreach(file IN LISTS arg_FILES)
    get_filename_component(archive "${file}" NAME_WE)
    add_library(kandinsky_${archive} STATIC IMPORTED GLOBAL)
    set_target_properties(kandinsky_${archive} PROPERTIES
      IMPORTED_LOCATION "${file}" INTERFACE_LINK_LIBRARIES "${behind}")
    list(PREPEND behind kandinsky_${archive})
  endforeach()
  add_library(kandinsky_${name} INTERFACE)
  target_include_directories(kandinsky_${name} SYSTEM INTERFACE "${arg_INCLUDE}")
  target_link_libraries(kandinsky_${name} INTERFACE ${behind})
endfunction()

# kandinsky_static_archives(<variable> <name> HEADER <file> ARCHIVES <names>... [OPTIONAL <names>...] [LINK <targets>...])
# Makes the target kandinsky_<name> from the system's lib<archive>.a, or nothing where one of ARCHIVES is missing, and sets
# <variable> as kandinsky_dependency expects.
function(kandinsky_static_archives out name)
  cmake_parse_arguments(PARSE_ARGV 2 arg "" "HEADER" "ARCHIVES;OPTIONAL;LINK")
  string(TOUPPER "${name}" upper)
  find_path(KANDINSKY_${upper}_INCLUDE_DIR ${arg_HEADER})
  mark_as_advanced(KANDINSKY_${upper}_INCLUDE_DIR)
  file(MAKE_DIRECTORY "${CMAKE_BINARY_DIR}/third_party")
  set(copies "")
  foreach(archive IN LISTS arg_ARCHIVES arg_OPTIONAL)
    string(MAKE_C_IDENTIFIER "KANDINSKY_ARCHIVE_${archive}" entry)
    string(TOUPPER "${entry}" entry)
    find_library(${entry} NAMES lib${archive}.a)
    mark_as_advanced(${entry})
    if(${entry})
      # Distributions compile archives for programs, where `stderr` may be reached in a way that a shared library's linker
      # refuses. That one name is pointed to a variable of our own; nothing else in the copy changes.
      set(copy "${CMAKE_BINARY_DIR}/third_party/lib${archive}.a")
      execute_process(COMMAND_ERROR_IS_FATAL ANY
        COMMAND "${CMAKE_OBJCOPY}" --redefine-sym stderr=kandinsky_stderr "${${entry}}" "${copy}")
      list(APPEND copies "${copy}")
    elseif(archive IN_LIST arg_ARCHIVES)
      return()
    endif()
  endforeach()
  if(NOT KANDINSKY_${upper}_INCLUDE_DIR)
    return()
  endif()
  if(NOT TARGET kandinsky_stderr)
    file(CONFIGURE OUTPUT "${CMAKE_BINARY_DIR}/third_party/stderr.c" CONTENT [[
#include <stdio.h>
FILE* kandinsky_stderr;
__attribute__((constructor)) static void set(void) { kandinsky_stderr = stderr; }
]])
    add_library(kandinsky_stderr STATIC "${CMAKE_BINARY_DIR}/third_party/stderr.c")
  endif()
  kandinsky_archives(${name} INCLUDE "${KANDINSKY_${upper}_INCLUDE_DIR}" FILES ${copies}
    LINK ${arg_LINK} kandinsky_stderr)
  list(JOIN copies " " found)
  set(${out} "${found}" PARENT_SCOPE)
endfunction()

# kandinsky_external(<name> ARCHIVES <names>... [OPTIONS <CMake arguments>...] [LINK <targets>...])
# Makes the target kandinsky_<name> from the fetched sources kandinsky_<name>, which are built by a CMake of their own into
# one prefix for all. For projects that do not work as a part of another, or would set what is ours.
function(kandinsky_external name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "ARCHIVES;OPTIONS;LINK")
  set(prefix "${CMAKE_BINARY_DIR}/third_party/prefix")
  FetchContent_MakeAvailable(kandinsky_${name})
  list(TRANSFORM arg_ARCHIVES REPLACE "(.+)" "${prefix}/lib/lib\\1.a" OUTPUT_VARIABLE archives)
  ExternalProject_Add(kandinsky_${name}_build
    SOURCE_DIR "${kandinsky_${name}_SOURCE_DIR}"
    CMAKE_ARGS "-DCMAKE_INSTALL_PREFIX=${prefix}" "-DCMAKE_PREFIX_PATH=${prefix}" -DCMAKE_INSTALL_LIBDIR=lib
      -DCMAKE_BUILD_TYPE=Release -DCMAKE_POSITION_INDEPENDENT_CODE=ON -DBUILD_SHARED_LIBS=OFF
      "-DCMAKE_C_COMPILER=${CMAKE_C_COMPILER}" "-DCMAKE_C_COMPILER_LAUNCHER=${CMAKE_C_COMPILER_LAUNCHER}"
      ${arg_OPTIONS}
    BUILD_BYPRODUCTS ${archives})
  file(MAKE_DIRECTORY "${prefix}/include")
  kandinsky_archives(${name} INCLUDE "${prefix}/include" FILES ${archives} LINK ${arg_LINK})
  add_dependencies(kandinsky_${name} kandinsky_${name}_build)
  foreach(target IN LISTS arg_LINK)
    if(TARGET ${target}_build)
      add_dependencies(kandinsky_${name}_build ${target}_build)
    endif()
  endforeach()
endfunction()

function(kandinsky_dependency name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "VERSION;COMMIT;SYSTEM;FETCH;DEBIAN;WITHOUT" "")
  string(TOUPPER "${name}" upper)
  set(KANDINSKY_${upper} AUTO CACHE STRING "Where ${name} comes from: AUTO, SYSTEM, FETCH or OFF")
  set_property(CACHE KANDINSKY_${upper} PROPERTY STRINGS AUTO SYSTEM FETCH OFF)
  set(mode "${KANDINSKY_${upper}}")
  set(ways "")
  if(arg_DEBIAN)
    string(APPEND ways "  - install it (Debian, Ubuntu: ${arg_DEBIAN})\n")
  endif()
  string(APPEND ways
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
    set(version "${arg_VERSION}")
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
