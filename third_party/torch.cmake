# torch comes from asking the Python interpreter, once for each interpreter. find_package(Torch) is not used: with a
# CUDA wheel it stops on a machine without the CUDA toolkit, which building against the wheel does not need.
# Makes the target kandinsky_libtorch and sets KANDINSKY_PYTHON_EXECUTABLE, KANDINSKY_TORCH_ABI,
# KANDINSKY_TORCH_VERSION and KANDINSKY_TORCH_LIB_DIR.
set(KANDINSKY_PYTHON_EXECUTABLE "${Python_EXECUTABLE}")

if(NOT KANDINSKY_TORCH_ASKED STREQUAL KANDINSKY_PYTHON_EXECUTABLE)
  execute_process(
    COMMAND "${KANDINSKY_PYTHON_EXECUTABLE}" -c [[
import os
import torch
root = os.path.dirname(torch.__file__)
include = os.path.join(root, "include")
print(torch.__version__)
print(int(torch.compiled_with_cxx11_abi()))
print(os.path.join(root, "lib"))
print(";".join([include, os.path.join(include, "torch", "csrc", "api", "include")]))
]]
    OUTPUT_VARIABLE answer ERROR_VARIABLE complaint RESULT_VARIABLE status
    OUTPUT_STRIP_TRAILING_WHITESPACE)
  if(NOT status EQUAL 0)
    message(FATAL_ERROR "${KANDINSKY_PYTHON_EXECUTABLE} has no usable torch. Ways out:\n"
      "  - install torch into it\n"
      "  - -DKANDINSKY_PYTHON=<python> to build against another Python's torch\n"
      "  - -DKANDINSKY_TORCH=OFF to build files, images and tokenizers only\n${complaint}")
  endif()
  string(REPLACE ";" "|" answer "${answer}")
  string(REPLACE "\n" ";" answer "${answer}")
  # The last lines: a torch that prints something while it is imported does not disturb.
  list(GET answer -4 version)
  list(GET answer -3 abi)
  list(GET answer -2 lib_dir)
  list(GET answer -1 include_dirs)
  string(REPLACE "|" ";" include_dirs "${include_dirs}")
  set(KANDINSKY_TORCH_VERSION "${version}" CACHE INTERNAL "")
  set(KANDINSKY_TORCH_ABI "${abi}" CACHE INTERNAL "")
  set(KANDINSKY_TORCH_LIB_DIR "${lib_dir}" CACHE INTERNAL "")
  set(KANDINSKY_TORCH_INCLUDE_DIRS "${include_dirs}" CACHE INTERNAL "")
  set(KANDINSKY_TORCH_ASKED "${KANDINSKY_PYTHON_EXECUTABLE}" CACHE INTERNAL "")
endif()

if(NOT KANDINSKY_REQUIRE_TORCH_ABI STREQUAL ""
   AND NOT KANDINSKY_REQUIRE_TORCH_ABI STREQUAL KANDINSKY_TORCH_ABI)
  message(FATAL_ERROR "torch ${KANDINSKY_TORCH_VERSION} of ${KANDINSKY_PYTHON_EXECUTABLE} has "
    "_GLIBCXX_USE_CXX11_ABI=${KANDINSKY_TORCH_ABI}, but ${KANDINSKY_REQUIRE_TORCH_ABI} is required: "
    "give another Python by -DKANDINSKY_PYTHON=<python>")
endif()
foreach(library torch_cpu c10)
  if(NOT EXISTS "${KANDINSKY_TORCH_LIB_DIR}/lib${library}.so")
    message(FATAL_ERROR "torch ${KANDINSKY_TORCH_VERSION}: no lib${library}.so in ${KANDINSKY_TORCH_LIB_DIR}")
  endif()
endforeach()

add_library(kandinsky_libtorch INTERFACE)
target_include_directories(kandinsky_libtorch SYSTEM INTERFACE ${KANDINSKY_TORCH_INCLUDE_DIRS})
target_compile_definitions(kandinsky_libtorch INTERFACE _GLIBCXX_USE_CXX11_ABI=${KANDINSKY_TORCH_ABI})
# No libtorch_cuda: devices are reached through dispatch, so one build serves CPU and CUDA wheels alike.
target_link_libraries(kandinsky_libtorch INTERFACE
  ${KANDINSKY_TORCH_LIB_DIR}/libtorch_cpu.so ${KANDINSKY_TORCH_LIB_DIR}/libc10.so)
# The libraries' own neighbours, for the linker's check only; nothing is written into the result.
target_link_options(kandinsky_libtorch INTERFACE -Wl,-rpath-link,${KANDINSKY_TORCH_LIB_DIR})
# LibTorch's own OpenMP, with whose threads our kernels share the cores. Without it they use one. Builds of one version of
# torch name that library differently, so ours does not: what it calls is found among libtorch_cpu's neighbours when it is
# loaded. Programs that hold our objects have to name it.
file(GLOB kandinsky_torch_openmp
  "${KANDINSKY_TORCH_LIB_DIR}/libgomp*.so*" "${KANDINSKY_TORCH_LIB_DIR}/../../torch.libs/libgomp*.so*")
add_library(kandinsky_openmp INTERFACE)
if(kandinsky_torch_openmp AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  list(GET kandinsky_torch_openmp 0 kandinsky_torch_openmp)
  set(KANDINSKY_OPENMP_FLAG -fopenmp)
  target_link_libraries(kandinsky_openmp INTERFACE
    $<$<STREQUAL:$<TARGET_PROPERTY:TYPE>,EXECUTABLE>:${kandinsky_torch_openmp}>)
else()
  set(KANDINSKY_OPENMP_FLAG "")
endif()
message(STATUS "torch: ${KANDINSKY_TORCH_VERSION} of ${KANDINSKY_PYTHON_EXECUTABLE}, "
  "_GLIBCXX_USE_CXX11_ABI=${KANDINSKY_TORCH_ABI}")
