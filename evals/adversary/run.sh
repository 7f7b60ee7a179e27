#!/usr/bin/env bash
# Lets an unsafe little language model write the drafts: make adversary. The first time it compiles for minutes.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
root="$(cd "$here/../.." && pwd)"
model="$here/.venv/bin/python"  # the model's own environment; the assistant stays in the project's
wanted="$(cat "$here/requirements.txt")"
export CMAKE_ARGS=-DGGML_NATIVE=OFF  # some virtual machines name instructions (AMX) that they do not let a program use

if [ "$(cat "$here/.venv/.installed" 2>/dev/null || true)" != "$wanted" ]; then
  echo "Installing the model and its server into evals/adversary/.venv" >&2
  "${PYTHON:-python3}" -m venv "$here/.venv"
  "$model" -m pip install --quiet -r "$here/requirements.txt"
  printf '%s\n' "$wanted" > "$here/.venv/.installed"
fi

PYTHONPATH="$root/src:$root/evals" exec "$root/.venv/bin/python" -m adversary.run --server "$model" "$@"
