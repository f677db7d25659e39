#!/usr/bin/env bash
# fuzz.sh [TARGET...]   Builds tests/fuzz with Clang in build-fuzz/ and runs it; FUZZ_SECONDS=n for each target.
# CLANG=/path/to/clang++ takes that one instead of the newest that is found.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
clang=${CLANG:-}
for candidate in clang++ clang++-{21,20,19,18,17,16,15,14}; do
  if [[ -z $clang ]] && command -v "$candidate" > /dev/null; then clang=$candidate; fi
done
if [[ -z $clang ]]; then
  echo "There is no Clang. On Debian: apt-get install clang libclang-rt-14-dev" >&2
  exit 1
fi
cmake --preset fuzz -DCMAKE_CXX_COMPILER="$clang" -DCMAKE_C_COMPILER="${clang/++/}"
cmake --build --preset fuzz --parallel "${JOBS:-$(nproc)}"
exec nice .venv/bin/python tests/fuzz/run.py build-fuzz "$@"
