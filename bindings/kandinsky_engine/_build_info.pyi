# Written by CMake beside the module; see bindings/_build_info.py.in.
VERSION: str
TORCH_VERSION: str
CXX11_ABI: bool
PYTHON: str
