#!/usr/bin/env bash
# with_requirements.sh FOLDER REQUIREMENTS SCRIPT [ARGUMENT...]   Runs a Python script in an environment of its own,
# which is made where it is missing or its requirements or the version of Python have changed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
folder=$1 requirements=$2
shift 2

if ! cmp --silent "$requirements" "$folder/requirements.txt" ||
  [[ $("$folder/bin/python" --version) != $(.venv/bin/python --version) ]]; then
  echo "== $folder, from $requirements"
  .venv/bin/python -m venv --clear "$folder"
  "$folder/bin/python" -m pip install --disable-pip-version-check -r "$requirements"
  cp "$requirements" "$folder/requirements.txt"
fi
exec "$folder/bin/python" "$@"
