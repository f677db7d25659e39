# To be sourced at the repository's root: makes .venv-references where it is missing or old, and sets $python to its.
python=.venv-references/bin/python
if ! cmp --silent tests/parity/requirements.txt .venv-references/requirements.txt; then
  echo "== .venv-references"
  "${PYTHON:-python3}" -m venv --clear .venv-references
  $python -m pip install --disable-pip-version-check -r tests/parity/requirements.txt
  cp tests/parity/requirements.txt .venv-references/requirements.txt
fi
