# Gives the command pybind11_add_module, for the Python that torch was asked from.
function(kandinsky_pybind11_system out)
  set(Python_EXECUTABLE "${KANDINSKY_PYTHON_EXECUTABLE}")
  # A copy installed into that Python comes first: it is the one sure to know this Python's version.
  execute_process(COMMAND "${KANDINSKY_PYTHON_EXECUTABLE}" -m pybind11 --cmakedir
    OUTPUT_VARIABLE folder OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE status)
  if(status EQUAL 0)
    find_package(pybind11 2.10 CONFIG QUIET PATHS "${folder}" NO_DEFAULT_PATH)
  endif()
  find_package(pybind11 2.10 CONFIG QUIET)
  if(pybind11_FOUND)
    add_library(kandinsky_pybind11 INTERFACE)
    target_link_libraries(kandinsky_pybind11 INTERFACE pybind11::module)
    set(${out} "${pybind11_VERSION} in ${pybind11_DIR}" PARENT_SCOPE)
  endif()
endfunction()

function(kandinsky_pybind11_fetch)
  set(PYBIND11_INSTALL OFF)
  set(PYBIND11_TEST OFF)
  set(PYBIND11_FINDPYTHON ON)  # by the module that has found ours; the older one takes any Python
  FetchContent_Declare(kandinsky_pybind11 SYSTEM
    GIT_REPOSITORY https://github.com/pybind/pybind11.git GIT_TAG ${commit})
  FetchContent_MakeAvailable(kandinsky_pybind11)
  add_library(kandinsky_pybind11 INTERFACE)
  target_link_libraries(kandinsky_pybind11 INTERFACE pybind11::module)
endfunction()

find_package(Python COMPONENTS Interpreter Development.Module REQUIRED)
kandinsky_dependency(pybind11
  VERSION 2.13.6 COMMIT a2e59f0e7065404b44dfe92a28aca47ba1378dc4
  SYSTEM kandinsky_pybind11_system FETCH kandinsky_pybind11_fetch DEBIAN pybind11-dev
  WITHOUT KANDINSKY_BINDINGS)
