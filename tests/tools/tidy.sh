#!/usr/bin/env bash
# tidy.sh [FILE...]   clang-tidy over whole FILEs. Without FILE over the lines that changed since TIDY_BASE, or since the
# branch left origin/main or main, or, on these, in the last five commits to C++: of as many as TIDY_FILES (20) files, since
# each takes up to half a minute. The others are named. What cannot be read here is no failure; it says why.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
. tests/tools/compiling.sh
tidy=${CLANG_TIDY:-clang-tidy-19}  # of another version other checks fail

nothing_read() {
  echo "tidy: nothing read: $1"
  exit 0
}

for program in "$tidy" "${tidy/clang-tidy/clang-tidy-diff}.py"; do
  command -v "$program" > /dev/null || nothing_read "there is no $program, which make tidy installs where the distribution has it"
done

configure() {
  cmake --preset tidy -DKANDINSKY_PYTHON="$PWD/.venv/bin/python" > /dev/null
}

if (($#)); then
  configure
  exec "$tidy" -p build-tidy --quiet "$@"
fi

sources=('*.cpp' '*.h' '*.hpp' ':!tests/contract/frozen' ':!core/include/kandinsky.h')  # the C interface is no C++
head=$(git rev-parse --verify --quiet HEAD) || nothing_read "there is no Git history"
if [[ -n ${TIDY_BASE:-} ]]; then
  base=$(git rev-parse --verify --quiet "$TIDY_BASE^{commit}") || {
    echo "tidy: TIDY_BASE=$TIDY_BASE is no commit of this checkout" >&2
    exit 1
  }
else
  base=$(git merge-base HEAD origin/main 2> /dev/null || git merge-base HEAD main 2> /dev/null || echo "$head")
  if [[ $base == "$head" ]]; then
    base=$(git rev-list --first-parent --max-count=5 HEAD -- "${sources[@]}" | tail -n 1)
    # The first commit of a shallow clone has no parent.
    base=$(git rev-parse --verify --quiet "$base^" || echo "$base")
  fi
  if [[ $base == "$head" ]]; then nothing_read "this checkout has no earlier commit to compare with"; fi
fi
# In Git's order: bindings/ and core/ before tests/.
cxx=('*.cpp' '*.h' '*.hpp' ':!tests/contract/frozen' ':!core/include/kandinsky.h')
mapfile -t changed < <(git diff --name-only --diff-filter=d "$base" -- "${cxx[@]}")
((${#changed[@]})) || nothing_read "no C++ file changed since ${base:0:12}"
files=("${changed[@]:0:${TIDY_FILES:-20}}")
printf 'tidy: %s\n' "lines changed since ${base:0:12} in" "${files[@]}"
if ((${#changed[@]} > ${#files[@]})); then
  printf 'tidy: not read: %s\n' "${changed[@]:${#files[@]}}"
fi
configure
# Of a file that was moved only the lines that changed: so Git has to see where it was.
names=$(IFS='|' && echo "${files[*]}")
git diff --find-renames --unified=0 --no-color "$base" -- "${cxx[@]}" |
  "${tidy/clang-tidy/clang-tidy-diff}.py" -p1 -regex "(${names//./\\.})" -path build-tidy \
    -clang-tidy-binary "$(command -v "$tidy")" -j "$jobs" -quiet
