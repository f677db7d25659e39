#!/usr/bin/env bash
# build.sh ON|OFF   Configures and builds into build/, with the C++ tests or without.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
. tests/tools/compiling.sh

# A newer compiler's new warning must not keep anybody from trying the demo, but ours we mend.
cmake --preset release -DKANDINSKY_PYTHON="$PWD/.venv/bin/python" -DKANDINSKY_TESTS="$1" \
  -DKANDINSKY_WARNINGS_AS_ERRORS="${CI:+ON}" "${launcher[@]}"
cmake --build build --parallel "$jobs"
