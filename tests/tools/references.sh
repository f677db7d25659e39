#!/usr/bin/env bash
# references.sh [OPTION...]   Records the parity references again. diffusers lives in .venv-references, apart from what
# is tested. Options go to make_references.py, e.g. --only unet.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
source tests/tools/reference_environment.sh

if (($#)); then
  $python tests/parity/make_references.py "$@"
  exit
fi
$python tests/parity/make_references.py
$python tests/parity/make_references.py --model demo/model/kandinsky-demo \
  --output tests/parity/references/text_to_image.kandinsky-demo.safetensors
