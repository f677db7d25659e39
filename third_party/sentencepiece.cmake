function(kandinsky_sentencepiece_system out)
  find_path(KANDINSKY_SENTENCEPIECE_INCLUDE_DIR sentencepiece_processor.h)
  find_library(KANDINSKY_SENTENCEPIECE_LIBRARY sentencepiece)
  mark_as_advanced(KANDINSKY_SENTENCEPIECE_INCLUDE_DIR KANDINSKY_SENTENCEPIECE_LIBRARY)
  if(KANDINSKY_SENTENCEPIECE_INCLUDE_DIR AND KANDINSKY_SENTENCEPIECE_LIBRARY)
    add_library(kandinsky_sentencepiece INTERFACE)
    target_include_directories(kandinsky_sentencepiece SYSTEM INTERFACE
      ${KANDINSKY_SENTENCEPIECE_INCLUDE_DIR})
    target_link_libraries(kandinsky_sentencepiece INTERFACE ${KANDINSKY_SENTENCEPIECE_LIBRARY})
    set(${out} "${KANDINSKY_SENTENCEPIECE_LIBRARY}" PARENT_SCOPE)
  endif()
endfunction()

function(kandinsky_sentencepiece_fetch)
  set(SPM_ENABLE_SHARED OFF)
  set(SPM_ENABLE_TCMALLOC OFF)
  set(SPM_BUILD_TEST OFF)
  FetchContent_Declare(kandinsky_sentencepiece SYSTEM
    GIT_REPOSITORY https://github.com/google/sentencepiece.git GIT_TAG ${commit})
  FetchContent_MakeAvailable(kandinsky_sentencepiece)
  add_library(kandinsky_sentencepiece INTERFACE)
  target_include_directories(kandinsky_sentencepiece SYSTEM INTERFACE
    ${kandinsky_sentencepiece_SOURCE_DIR}/src)
  target_link_libraries(kandinsky_sentencepiece INTERFACE sentencepiece-static)
endfunction()

kandinsky_dependency(sentencepiece
  VERSION 0.2.0 COMMIT 17d7580d6407802f85855d2cc9190634e2c95624
  SYSTEM kandinsky_sentencepiece_system FETCH kandinsky_sentencepiece_fetch
  DEBIAN libsentencepiece-dev)
