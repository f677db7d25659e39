# Only the sources are taken: a packaged library has one ABI, and our tests come in both.
# kandinsky_googletest is the folder's target; kandinsky_gtest(<abi>) names a library built for one ABI.
function(kandinsky_googletest_system out)
  find_path(KANDINSKY_GOOGLETEST_DIR googletest/src/gtest-all.cc PATHS /usr/src/googletest
            NO_CMAKE_FIND_ROOT_PATH)
  mark_as_advanced(KANDINSKY_GOOGLETEST_DIR)
  if(KANDINSKY_GOOGLETEST_DIR)
    add_library(kandinsky_googletest INTERFACE)
    set_property(TARGET kandinsky_googletest PROPERTY folder ${KANDINSKY_GOOGLETEST_DIR})
    set(${out} "sources in ${KANDINSKY_GOOGLETEST_DIR}" PARENT_SCOPE)
  endif()
endfunction()

function(kandinsky_googletest_fetch)
  FetchContent_Declare(kandinsky_googletest
    GIT_REPOSITORY https://github.com/google/googletest.git GIT_TAG ${commit}
    SOURCE_SUBDIR none)  # no such folder: the sources alone
  FetchContent_MakeAvailable(kandinsky_googletest)
  add_library(kandinsky_googletest INTERFACE)
  set_property(TARGET kandinsky_googletest
               PROPERTY folder ${kandinsky_googletest_SOURCE_DIR})
endfunction()

# Sets <out> to a static library with GoogleTest, its matchers and its main, compiled with _GLIBCXX_USE_CXX11_ABI=<abi>.
function(kandinsky_gtest abi out)
  set(target kandinsky_gtest_abi${abi})
  if(NOT TARGET ${target})
    get_property(folder TARGET kandinsky_googletest PROPERTY folder)
    find_package(Threads REQUIRED)
    add_library(${target} STATIC EXCLUDE_FROM_ALL
      ${folder}/googletest/src/gtest-all.cc ${folder}/googlemock/src/gmock-all.cc
      ${folder}/googlemock/src/gmock_main.cc)
    target_include_directories(${target} SYSTEM
      PUBLIC ${folder}/googletest/include ${folder}/googlemock/include
      PRIVATE ${folder}/googletest ${folder}/googlemock)
    target_compile_definitions(${target} PUBLIC _GLIBCXX_USE_CXX11_ABI=${abi})
    target_link_libraries(${target} PUBLIC Threads::Threads)
  endif()
  set(${out} ${target} PARENT_SCOPE)
endfunction()

kandinsky_dependency(googletest
  VERSION 1.17.0 COMMIT 52eb8108c5bdec04579160ae17225d66034bd723
  SYSTEM kandinsky_googletest_system FETCH kandinsky_googletest_fetch DEBIAN googletest
  WITHOUT KANDINSKY_TESTS)
