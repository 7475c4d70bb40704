#!/usr/bin/env bash
# Compares one NVIDIA card with the processor (`pytest -m gpu`), then times on it what it is for (`on_gpu.py`), and
# leaves a Markdown table and logs in a folder; ends within 8 minutes, each part after the seconds that it has below.
#
#     scripts/on_gpu.sh [FOLDER]                                results/on_gpu by default
#     scripts/on_gpu.sh --platform cpu --small [FOLDER]         tries the script where there is no card
#
# Takes $PYTHON, .venv-gpu, .venv or python3 if the tests can run there and JAX sees the card, and otherwise makes
# .venv-gpu, as README says. Exit code 0: all ran; 1: something failed, which the table names; 2: there is no card.
set -uo pipefail
cd "$(dirname "$0")/.."
platform=cuda small=() out=results/on_gpu
while [ $# -gt 0 ]; do
    case $1 in
        --platform) platform=${2:-} && shift ;;
        --small) small=(--small) ;;
        -*) echo "on_gpu.sh: unknown option $1" >&2 && exit 2 ;;
        *) out=$1 ;;
    esac
    shift
done
case $platform in
    cuda) extras=dev,cuda13 platforms=cuda,cpu backend=gpu ;;
    cpu) extras=dev platforms=cpu backend=cpu ;;
    *) echo "on_gpu.sh: --platform: expected cuda or cpu, got '$platform'" >&2 && exit 2 ;;
esac
if [ "$platform" = cpu ] && [ ${#small[@]} -eq 0 ]; then
    echo "on_gpu.sh: --platform cpu goes with --small: full sizes say nothing about a processor" >&2 && exit 2
fi
if [ "$platform" = cuda ] && ! timeout 20 nvidia-smi -L > /dev/null 2>&1; then
    echo "on_gpu.sh: no NVIDIA GPU here; --platform cpu --small tries the script without one" >&2 && exit 2
fi
mkdir -p "$out" && rm -f "$out"/{tests.log,protocol.json,network.json,training.json,sweep.json,on_gpu.md} || exit 1
export JAX_PLATFORMS=$platforms CUDA_VISIBLE_DEVICES=${CUDA_VISIBLE_DEVICES:-0} PYTHONPATH=$PWD${PYTHONPATH:+:$PYTHONPATH}

within() { # SECONDS COMMAND..., but at most what is left of all together
    local most=$1 left=$((470 - SECONDS))
    shift
    timeout -k 5 $((most < left ? most : left > 1 ? left : 1)) "$@"
}
sees_device() {
    within 40 "$1" -c "import chex, hypothesis, jax, pytest, xdist, stdpjax.lab.train
assert jax.default_backend() == '$backend'" > /dev/null 2>&1
}
python=
for candidate in "${PYTHON:-}" .venv-gpu/bin/python .venv/bin/python python3; do
    if [ -n "$candidate" ] && command -v "$candidate" > /dev/null && sees_device "$candidate"; then
        python=$candidate && break
    fi
done
if [ -z "$python" ]; then
    echo "on_gpu.sh: installing into .venv-gpu" >&2
    python3 -m venv .venv-gpu && within 200 .venv-gpu/bin/pip install --quiet -e ".[$extras]" || exit 1
    python=.venv-gpu/bin/python
    sees_device "$python" || { echo "on_gpu.sh: JAX in .venv-gpu sees no device ($backend)" >&2 && exit 1; }
fi

ended=()
failed=0
part() { # NAME SECONDS COMMAND...
    local name=$1 code=0
    shift
    within "$@" || code=$?
    ended+=("$name=$code")
    [ $code -eq 0 ] || failed=1
}
part tests 100 "$python" -m pytest -m gpu -n 0 tests/test_accelerator.py > "$out/tests.log" 2>&1
for name in protocol network training sweep; do
    part $name 70 "$python" scripts/on_gpu.py $name --out "$out" --platform $platform "${small[@]}"
done
within 30 "$python" scripts/on_gpu.py table --out "$out" --ended "${ended[@]}" || failed=1
exit $failed
