function(kandinsky_cli11_system out)
  find_package(CLI11 2.1 CONFIG QUIET)
  if(TARGET CLI11::CLI11)
    add_library(kandinsky_cli11 INTERFACE)
    target_link_libraries(kandinsky_cli11 INTERFACE CLI11::CLI11)
    set(${out} "${CLI11_VERSION} in ${CLI11_DIR}" PARENT_SCOPE)
  endif()
endfunction()

function(kandinsky_cli11_fetch)
  set(CLI11_BUILD_TESTS OFF)
  set(CLI11_BUILD_EXAMPLES OFF)
  set(CLI11_BUILD_DOCS OFF)
  set(CLI11_INSTALL OFF)
  FetchContent_Declare(kandinsky_cli11 SYSTEM
    GIT_REPOSITORY https://github.com/CLIUtils/CLI11.git GIT_TAG ${commit})
  FetchContent_MakeAvailable(kandinsky_cli11)
  add_library(kandinsky_cli11 INTERFACE)
  target_link_libraries(kandinsky_cli11 INTERFACE CLI11::CLI11)
endfunction()

kandinsky_dependency(cli11
  VERSION 2.6.2 COMMIT 37bb6edc5317e99af72ef48405e65d9ca5218861
  SYSTEM kandinsky_cli11_system FETCH kandinsky_cli11_fetch DEBIAN libcli11-dev
  WITHOUT KANDINSKY_CLI)
