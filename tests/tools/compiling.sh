# For scripts that build: sets `jobs`, how many files are compiled at once, and `launcher`, CMake's options for ccache.

# One file that includes torch takes up to 2 GB to compile.
memory_kb=$(awk '/^MemAvailable:/ {print $2}' /proc/meminfo)
fitting=$((memory_kb / 2097152))
cores=$(nproc)
jobs=${JOBS:-$((fitting < 1 ? 1 : fitting < cores ? fitting : cores))}

launcher=()
if command -v ccache > /dev/null; then
  launcher=(-DCMAKE_C_COMPILER_LAUNCHER=ccache -DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
  export CCACHE_BASEDIR=$PWD  # a second checkout finds what the first one compiled
  export CCACHE_SLOPPINESS=pch_defines,time_macros  # without these it passes over precompiled headers
fi
