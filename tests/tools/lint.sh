#!/usr/bin/env bash
# lint.sh check|fix   Formatting and style of C++ and Python, types of Python; "fix" rewrites formatting.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
python=.venv/bin/python
mapfile -t cxx < <(git ls-files '*.h' '*.hpp' '*.cpp')

failed=0
if [[ $1 == fix ]]; then
  # What cannot be mended is told, and does not keep the rest from being mended.
  clang-format -i "${cxx[@]}" || failed=1
  $python -m ruff check --fix . || failed=1
  $python -m ruff format . || failed=1
  exit $failed
fi
clang-format --dry-run --Werror "${cxx[@]}" || failed=1
$python -m ruff check . || failed=1
$python -m ruff format --check . || failed=1
$python -m mypy || failed=1
exit $failed
