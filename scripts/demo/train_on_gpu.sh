#!/usr/bin/env bash
# Makes the demo model on a machine with one GPU: text, tokenizer, rows, training, measurements.
#
#   train_on_gpu.sh [OUT]          MINUTES=20 LIMIT=540 WORK=/tmp/braid-demo MODEL=folder
#
# Call it again until it prints "all done": every call stops by itself before LIMIT seconds are over, and the next goes
# on where it stopped, from files in WORK. MINUTES is the time of training over all calls. OUT gets what is worth
# carrying away, in files below 15 MiB: the weights in bf16, and about.tar.gz with the rest of a Hugging Face folder, the
# tokenizer, the log and the reports; the GGUF too if the gguf package is there (in parts, joined by cat), else
# export_gguf.py makes the same bytes elsewhere. On a fresh machine, where WORK is lost, MODEL=that folder (the archive
# unpacked in it) goes on from those weights with fresh moments.
#
# A trial without a GPU: ROWS=256 HELD=16 COUNT=2 MINUTES=1 TRAIN="--case tiny --length 256 --batch 4" train_on_gpu.sh
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
out=${1:-${OUT:-demo-out}}
minutes=${MINUTES:-20} limit=${LIMIT:-540} work=${WORK:-/tmp/braid-demo}
python=${PYTHON:-python3}
rows=${ROWS:-32768} held=${HELD:-256} count=${COUNT:-200}
read -ra train <<<"${TRAIN:-}"
export PYTHONUNBUFFERED=1
began=$SECONDS
left() { echo $((limit - (SECONDS - began))); }
mkdir -p "$work" "$out"

# Few files, since some ways to carry them count files: the weights, and one archive of everything small.
save() {
  rm -f "$out"/model-*.safetensors
  cp "$work"/model/model-*.safetensors "$out"/ 2>/dev/null || true
  local small=() f
  for f in tokenizer.json log.jsonl report.json answers.md pack.log \
    model/config.json model/training.json model/model.safetensors.index.json; do
    if [[ -f $work/$f ]]; then small+=("$f"); fi
  done
  tar -czf "$out/about.tar.gz" -C "$work" --transform 's,^model/,,' "${small[@]}"
}
trap save EXIT

if [[ ! -f $work/tokenizer.json ]]; then
  "$python" "$here/generate.py" text "$work/text.txt" --megabytes 24 --seed 7
  "$python" "$here/train_tokenizer.py" "$work/text.txt" "$work/new.json"
  mv "$work/new.json" "$work/tokenizer.json"
fi
if [[ ! -f $work/held.bin ]]; then
  "$python" "$here/generate.py" pack "$work/tokenizer.json" "$work/held.new" --rows "$held" --held-out
  mv "$work/held.new" "$work/held.bin"
fi

# Files of 32,768 rows (134 million tokens), none like another. The first is made before training starts, the others
# beside it by fewer processes; a call that ends takes them along, so each is renamed only when it is whole.
pack() {
  if [[ ! -f $work/train-$1.bin ]]; then
    "$python" "$here/generate.py" pack "$work/tokenizer.json" "$work/making-$1" --rows "$rows" \
      --first-worker $((10#$1 * 128)) --jobs "$2" && mv "$work/making-$1" "$work/train-$1.bin"
  fi
}
cores=$(nproc)
pack 00 "$cores"
set -m  # the packer is a process group of its own, so that its workers end with it
(for i in 01 02 03 04 05 06 07; do pack $i $((cores > 4 ? cores - 4 : 1)); done) >>"$work/pack.log" 2>&1 &
packer=$!
set +m

if [[ ! -f $work/trained ]]; then
  from=()
  if [[ -n ${MODEL:-} && ! -f $work/state.pt ]]; then from=(--from "$MODEL"); fi
  "$python" "$here/train.py" "$work" --minutes "$minutes" --stop-after $(($(left) - 45)) --mode probe \
    "${train[@]}" "${from[@]}"
fi
kill -- "-$packer" 2>/dev/null || kill "$packer" 2>/dev/null || true
if [[ ! -f $work/trained ]]; then
  echo "not done yet: call again"
  exit 0
fi
if [[ ! -f $work/measured ]]; then
  if (($(left) < 60)); then
    echo "trained; measurements are left: call again"
    exit 0
  fi
  if timeout $(($(left) - 15)) "$python" "$here/evaluate.py" "$work" --count "$count"; then
    touch "$work/measured"
  else
    echo "the measurements are not complete"
  fi
fi
if "$python" -c 'import gguf' 2>/dev/null; then
  "$python" "$here/export_gguf.py" "$work/model" "$work/tokenizer.json" "$work/demo.gguf"
  split -b 15000000 -d "$work/demo.gguf" "$out/demo.gguf.part"
fi
echo "all done"
