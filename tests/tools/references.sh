#!/usr/bin/env bash
# references.sh   Records the parity references again: each stage with tiny models, whole images with the demo model.
# diffusers lives in .venv-references, apart from what is tested.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
run=(tests/tools/with_requirements.sh .venv-references tests/parity/requirements.txt)
record=("${run[@]}" tests/parity/make_references.py)
record_images=("${run[@]}" tests/parity/make_image_references.py)
record_mixes=("${run[@]}" tests/parity/make_mixing_references.py)
record_2_2=("${run[@]}" tests/parity/make_kandinsky_2_2_references.py)

"${record[@]}"
"${record[@]}" --model demo/model/kandinsky-demo \
  --output tests/parity/references/text_to_image.kandinsky-demo.safetensors
"${record_images[@]}"
"${record_images[@]}" --model demo/model/kandinsky-demo
"${record_mixes[@]}"
"${record_mixes[@]}" --model demo/model/kandinsky-demo
"${record_2_2[@]}"
