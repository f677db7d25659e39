#!/usr/bin/env bash
# setup.sh GROUP...   Installs what is missing for the groups "build", "test" and "tidy": Debian packages, and Python packages
# into .venv. With nothing to do it takes less than a second.
# PYTHON=/path/to/python: .venv is made from that Python and, if it has torch, uses its torch as it is.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
groups=("$@")

has_group() {
  local group
  for group in "${groups[@]}"; do [[ $group == "$1" ]] && return 0; done
  return 1
}

# Not every distribution has that version of clang-tidy; tidy.sh says what it does without. The rest must be there.
without_packages() {
  [[ ${groups[*]} == tidy ]] || exit 1
}

install_debian_packages() {
  local package group reason status
  local missing=()
  while read -r package group reason; do
    [[ -z $package || $package == \#* ]] && continue
    has_group "$group" || continue
    status=$(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null) || status=none
    if [[ $status != installed ]]; then
      echo "missing: $package ($reason)"
      missing+=("$package")
    fi
  done < third_party/debian-packages.txt
  ((${#missing[@]})) || return 0

  local as_root=()
  if ((EUID != 0)); then
    if ! command -v sudo > /dev/null; then
      echo "As root, please run: apt-get install ${missing[*]}" >&2
      without_packages
      return 0
    fi
    as_root=(sudo)
  fi
  echo "== Debian packages: installing ${#missing[@]}"
  if "${as_root[@]}" apt-get update -q && "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -q -y --no-install-recommends "${missing[@]}"; then
    return 0
  fi
  echo "Not installed: ${missing[*]}" >&2
  without_packages
}

# The folder that holds the torch of the Python $1; nothing if it has none.
torch_folder() {
  "$1" -c '
import importlib.util
from pathlib import Path
spec = importlib.util.find_spec("torch")
print(Path(spec.origin).parents[1] if spec and spec.origin else "")'
}

make_environment() {
  local python=${PYTHON:-}
  # Without a word about it, an environment stays with the Python that it was made from.
  if [[ -z $python && -f .venv/made-from ]]; then python=$(< .venv/made-from); fi
  python=$(command -v "${python:-python3}") || {
    echo "PYTHON=${PYTHON:-python3} is not a program" >&2
    exit 1
  }
  if [[ -d .venv && $(cat .venv/made-from 2> /dev/null) != "$python" ]]; then
    echo "== .venv: was made from another Python, starting again"
    rm -rf .venv build/CMakeCache.txt  # CMake remembers the torch that was there
  fi
  if [[ ! -d .venv ]]; then
    echo "== .venv: made from $python"
    "$python" -m venv .venv
    # A torch that somebody chose is used where it lies: .venv looks there after its own packages.
    if [[ -n ${PYTHON:-} ]]; then
      local folder site
      folder=$(torch_folder "$python")
      site=$(.venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
      if [[ -n $folder ]]; then echo "$folder" > "$site/torch-of-another-python.pth"; fi
    fi
    echo "$python" > .venv/made-from
  fi
}

# install_python_packages FILE [PATTERN]: the requirements in FILE, less the lines that match PATTERN.
install_python_packages() {
  local stamp=.venv/$1 wanted
  wanted=$(grep -v "${2:-^\$}" "$1")
  [[ -f $stamp && $(< "$stamp") == "$wanted" ]] && return 0
  echo "== Python packages: $1"
  .venv/bin/python -m pip install --disable-pip-version-check -r <(echo "$wanted")
  echo "$wanted" > "$stamp"
}

if command -v dpkg-query > /dev/null; then
  install_debian_packages
else
  echo "Not a Debian system: third_party/debian-packages.txt names what must be there; CMake fetches some of it."
fi
make_environment
borrowed=(.venv/lib/python*/site-packages/torch-of-another-python.pth)
if [[ -e ${borrowed[0]} ]]; then
  install_python_packages requirements.txt '^torch=='
else
  install_python_packages requirements.txt
fi
if has_group test; then install_python_packages requirements-dev.txt; fi
