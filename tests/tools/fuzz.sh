#!/usr/bin/env bash
# fuzz.sh [TARGET...]   Builds tests/fuzz with Clang in build-fuzz/ and runs it; FUZZ_SECONDS=n for each target.
# CLANG=/path/to/clang++ takes that one instead of the newest that is found. FUZZ_TORCH=ON builds also what needs torch.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
. tests/tools/compiling.sh

clang=${CLANG:-}
for candidate in clang++-{21,20,19,18,17,16,15,14} clang++; do
  if [[ -z $clang ]] && command -v "$candidate" > /dev/null; then clang=$candidate; fi
done
if [[ -z $clang ]]; then
  echo "There is no Clang. On Debian: apt-get install clang-19 libclang-rt-19-dev" >&2
  exit 1
fi
cmake --preset fuzz -DCMAKE_CXX_COMPILER="$clang" -DCMAKE_C_COMPILER="${clang/++/}" "${launcher[@]}" \
  -DKANDINSKY_PYTHON="$PWD/.venv/bin/python" -DKANDINSKY_TORCH="${FUZZ_TORCH:-OFF}"
cmake --build --preset fuzz --parallel "$jobs"
exec nice -n 15 .venv/bin/python tests/fuzz/run.py build-fuzz "$@"
