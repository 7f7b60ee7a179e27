#!/usr/bin/env bash
# Measures the peers: bash evals/peers/run.sh [--limit N] [--exemplars N] [--ours run.json] [--out FOLDER]
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
python="$here/.venv/bin/python"
wanted="$(cat "$here"/requirements/*.txt)"

if [ "$(cat "$here/.venv/.installed" 2>/dev/null || true)" != "$wanted" ]; then
  echo "Installing the peers into evals/peers/.venv" >&2
  "${PYTHON:-python3}" -m venv "$here/.venv"
  # torch comes first: with it in place, no other package asks for a build with CUDA.
  "$python" -m pip install --quiet -r "$here/requirements/torch.txt"
  "$python" -m pip install --quiet -r "$here/requirements/base.txt"
  missing=0
  for peer in semantic-router nemo-guardrails; do
    "$python" -m pip install --quiet -r "$here/requirements/$peer.txt" || {
      missing=1
      echo "$peer can't be installed; its row will say so." >&2
    }
  done
  [ "$missing" = 1 ] || printf '%s\n' "$wanted" > "$here/.venv/.installed"
fi

# No peer may fetch anything or report its use, and none takes more than two cores.
export HF_HUB_OFFLINE=1 TRANSFORMERS_OFFLINE=1 NEMO_GUARDRAILS_NO_USAGE_STATS=1 DO_NOT_TRACK=1
export OMP_NUM_THREADS=2 OPENBLAS_NUM_THREADS=2 TOKENIZERS_PARALLELISM=false
root="$(cd "$here/../.." && pwd)"
PYTHONPATH="$root/src:$root/evals" exec "$python" -m peers.run "$@"
