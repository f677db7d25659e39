#!/usr/bin/env bash
# tidy.sh [FILE...]   clang-tidy over whole FILEs; without FILE over the lines that changed since the branch left
# origin/main or main, on these since the commit before, or since TIDY_BASE. It takes up to half a minute for each file,
# so TIDY_FILES (20) of them are read, and the others named.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
. tests/tools/compiling.sh
tidy=${CLANG_TIDY:-clang-tidy-19}  # misc-include-cleaner is in 17 and newer

for program in "$tidy" "${tidy/clang-tidy/clang-tidy-diff}.py"; do
  command -v "$program" > /dev/null || {
    echo "tidy: there is no $program; make tidy installs it" >&2
    exit 1
  }
done

configure() {
  cmake --preset tidy -DKANDINSKY_PYTHON="$PWD/.venv/bin/python" > /dev/null
}

if (($#)); then
  configure
  exec "$tidy" -p build-tidy --quiet "$@"
fi

head=$(git rev-parse HEAD)
base=${TIDY_BASE:-$(git merge-base HEAD origin/main 2> /dev/null || git merge-base HEAD main 2> /dev/null || echo "$head")}
if [[ $base == "$head" ]] && ! base=$(git rev-parse --quiet --verify HEAD~1); then
  echo "tidy: nothing read, since this checkout has no earlier commit to compare with"
  exit 0
fi
# The C interface is no C++.
mapfile -t changed < <(git diff --name-only --diff-filter=d "$base" -- '*.cpp' '*.h' '*.hpp' \
  ':!tests/contract/frozen' ':!core/include/kandinsky.h')
if ((${#changed[@]} == 0)); then
  echo "tidy: no C++ file changed since ${base:0:12}"
  exit 0
fi
files=("${changed[@]:0:${TIDY_FILES:-20}}")
printf 'tidy: %s\n' "lines changed since ${base:0:12} in" "${files[@]}"
if ((${#changed[@]} > ${#files[@]})); then
  printf 'tidy: not read: %s\n' "${changed[@]:${#files[@]}}"
fi
configure
git diff --unified=0 --no-color "$base" -- "${files[@]}" |
  "${tidy/clang-tidy/clang-tidy-diff}.py" -p1 -path build-tidy -clang-tidy-binary "$(command -v "$tidy")" -j "$jobs" -quiet
