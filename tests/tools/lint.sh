#!/usr/bin/env bash
# lint.sh check|fix   Formatting and style of C++ and Python, types of Python; "fix" rewrites formatting.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
python=.venv/bin/python
mapfile -t cxx < <(git ls-files '*.h' '*.hpp' '*.cpp')

if [[ $1 == fix ]]; then
  clang-format -i "${cxx[@]}"
  $python -m ruff check --fix .
  $python -m ruff format .
  exit
fi
failed=0
clang-format --dry-run --Werror "${cxx[@]}" || failed=1
$python -m ruff check . || failed=1
$python -m ruff format --check . || failed=1
$python -m mypy || failed=1
exit $failed
