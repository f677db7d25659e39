# Fetched as its source distribution on PyPI, by pip: that holds its protobuf and abseil too, follows the mirror and proxy
# that pip is set to, and is pinned by hash. Distributions have no archive of it.
function(kandinsky_sentencepiece_system out)
  kandinsky_static_archives(found sentencepiece HEADER sentencepiece_processor.h ARCHIVES sentencepiece)
  set(${out} "${found}" PARENT_SCOPE)
endfunction()

function(kandinsky_sentencepiece_fetch)
  find_package(Threads REQUIRED)
  set(SPM_ENABLE_SHARED OFF)
  set(SPM_ENABLE_TCMALLOC OFF)
  set(SPM_BUILD_TEST OFF)
  FetchContent_Declare(kandinsky_sentencepiece SYSTEM
    DOWNLOAD_COMMAND ${CMAKE_COMMAND} -D PYTHON=${Python_EXECUTABLE} -D PROJECT=sentencepiece -D VERSION=${version}
      -D SHA256=${commit} -D FOLDER=<SOURCE_DIR> -P ${PROJECT_SOURCE_DIR}/third_party/pypi_sources.cmake)
  FetchContent_GetProperties(kandinsky_sentencepiece)
  if(NOT kandinsky_sentencepiece_POPULATED)
    FetchContent_Populate(kandinsky_sentencepiece)
    # Neither its trainer and programs are built nor anything of it is installed with ours.
    add_subdirectory(${kandinsky_sentencepiece_SOURCE_DIR}/sentencepiece ${kandinsky_sentencepiece_BINARY_DIR}
      EXCLUDE_FROM_ALL SYSTEM)
    # All at once, which takes a third of the time. Some of protobuf's files leave their macros to the next one.
    set_target_properties(sentencepiece-static PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 20
      UNITY_BUILD_CODE_BEFORE_INCLUDE
        "#ifdef PROTOBUF_NAMESPACE\n#include <google/protobuf/port_undef.inc>\n#endif")
    target_compile_options(sentencepiece-static PRIVATE $<$<CONFIG:Release>:-O1>)  # a prompt is short
  endif()
  add_library(kandinsky_sentencepiece INTERFACE)
  target_include_directories(kandinsky_sentencepiece SYSTEM INTERFACE
    ${kandinsky_sentencepiece_SOURCE_DIR}/sentencepiece/src)
  target_link_libraries(kandinsky_sentencepiece INTERFACE sentencepiece-static Threads::Threads)
endfunction()

kandinsky_dependency(sentencepiece
  VERSION 0.2.1 COMMIT 8138cec27c2f2282f4a34d9a016e3374cd40e5c6e9cb335063db66a0a3b71fad
  SYSTEM kandinsky_sentencepiece_system FETCH kandinsky_sentencepiece_fetch)
