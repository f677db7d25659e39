function(kandinsky_nlohmann_json_system out)
  find_package(nlohmann_json 3.10 CONFIG QUIET)
  if(TARGET nlohmann_json::nlohmann_json)
    add_library(kandinsky_nlohmann_json INTERFACE)
    target_link_libraries(kandinsky_nlohmann_json INTERFACE nlohmann_json::nlohmann_json)
    set(${out} "${nlohmann_json_VERSION} in ${nlohmann_json_DIR}" PARENT_SCOPE)
  endif()
endfunction()

function(kandinsky_nlohmann_json_fetch)
  set(JSON_BuildTests OFF)
  set(JSON_Install OFF)
  FetchContent_Declare(kandinsky_nlohmann_json SYSTEM
    GIT_REPOSITORY https://github.com/nlohmann/json.git GIT_TAG ${commit})
  FetchContent_MakeAvailable(kandinsky_nlohmann_json)
  add_library(kandinsky_nlohmann_json INTERFACE)
  target_link_libraries(kandinsky_nlohmann_json INTERFACE nlohmann_json::nlohmann_json)
endfunction()

kandinsky_dependency(nlohmann_json
  VERSION 3.11.3 COMMIT 9cca280a4d0ccf0c08f47a99aa71d1b0e52f8d03
  SYSTEM kandinsky_nlohmann_json_system FETCH kandinsky_nlohmann_json_fetch
  DEBIAN nlohmann-json3-dev)
