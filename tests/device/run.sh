#!/usr/bin/env bash
# run.sh [--device cuda] [--model FOLDER] [--report FILE]
# Checks the engine on a real accelerator within ten minutes: parity of the tiny models, step times beside diffusers,
# memory, loading and unloading, cancelling, running out of memory. Needs a build (`make build`) against a torch that
# sees the device. --device cpu is a dry run: every line of the check runs, with tiny models, and says nothing about
# an accelerator. --model: a folder of full size for the times; without it, one of random weights is written first.
# DIFFUSERS_PYTHON names a Python that has diffusers; without it, .venv-bench is made.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

device=cuda model='' report=build/device-report.json
while (($#)); do
  case $1 in
    --device) device=$2 ;;
    --model) model=$2 ;;
    --report) report=$2 ;;
    *) sed -n '2,7s/^# //p' "$0" >&2 && exit 2 ;;
  esac
  shift 2
done

tiny=build/device-models
.venv/bin/python tests/support/tiny_model.py "$tiny"
if [[ $device == cpu ]]; then
  model=$tiny/tiny-2-1
elif [[ -z $model ]]; then
  .venv/bin/python tests/tools/make_full_size.py build/full-size
  model=build/full-size/kandinsky-2-1
fi

python=${DIFFUSERS_PYTHON:-}
if [[ -z $python ]]; then
  tests/tools/with_requirements.sh .venv-bench tests/bench/requirements.txt -c ''
  python=.venv-bench/bin/python
fi

exec env PYTHONPATH=build/python timeout 600 .venv/bin/python tests/device/check.py --device "$device" \
  --tiny "$tiny/tiny-2-1" --model "$model" --diffusers-python "$python" --report "$report"
