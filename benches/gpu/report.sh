#!/usr/bin/env bash
# All that is to be known of a GPU, in one go: tests, devices, transcripts beside the CPU's, benchmarks, other programs.
# Each part has a limit of its own, so that the whole ends; what failed or is missing is in the report in the place of a number.
set -u -o pipefail

usage() {
    cat <<'TEXT'
usage: benches/gpu/report.sh [--model MODEL] [--program FILE] [--python PROGRAM] [--peer-model FOLDER] [--out FOLDER] [--limit SECONDS]

  --model MODEL        what is transcribed and measured [default: demo]
  --program FILE       this program with `--device cuda`, already built [default: target/release/amanuensis]
  --python PROGRAM     a Python with faster-whisper, or with torch and transformers, to compare with
  --peer-model FOLDER  the same model for them: a folder with CTranslate2's files for faster-whisper, Hugging Face's for transformers
  --out FOLDER         where the report and what it is made of go [default: target/gpu-report]
  --limit SECONDS      for everything together [default: 570]
TEXT
}

here=$(cd "$(dirname "$0")/../.." && pwd)
model=demo program=$here/target/release/amanuensis python="" peer_model="" out=$here/target/gpu-report limit=570
while [ $# -gt 0 ]; do
    case $1 in
    --model | --program | --python | --peer-model | --out | --limit)
        [ $# -ge 2 ] || { usage >&2; exit 2; }
        name=${1#--}
        printf -v "${name//-/_}" %s "$2"
        shift 2
        ;;
    *) usage >&2; exit 2 ;;
    esac
done
mkdir -p "$out"
report=$out/report.md
began=$SECONDS
failed=0

# part NAME SECONDS COMMAND...: runs it with its limit or what is left, keeps what it said, and says how it ended.
part() {
    local name=$1 most=$2 left=$((limit - (SECONDS - began))) start=$SECONDS
    shift 2
    [ "$most" -lt "$left" ] || most=$left
    if [ "$most" -le 0 ]; then
        echo "| $name | not run: no time was left | |" >> "$report"
        failed=1
        return 1
    fi
    timeout "$most" "$@" > "$out/$name.out" 2> "$out/$name.err"
    local status=$?
    case $status in
    0) echo "| $name | done | $((SECONDS - start)) s |" >> "$report" ;;
    124) echo "| $name | **not finished** in $most s | |" >> "$report"; failed=1 ;;
    *) echo "| $name | **failed** with status $status: $(tail -n 1 "$out/$name.err" | cut -c1-200) | |" >> "$report"; failed=1 ;;
    esac
    return $status
}

{
    echo "# Report of a GPU"
    echo
    echo "Commit $(git -C "$here" rev-parse --short HEAD 2> /dev/null || echo unknown), $(date -u +%F), model $model."
    echo
    echo '```'
    nvidia-smi --query-gpu=name,memory.total,driver_version,clocks.sm,power.limit --format=csv 2>&1
    echo '```'
    echo
    echo "| part | outcome | time |"
    echo "|---|---|---|"
} > "$report"

part devices 30 "$program" devices
part tests 180 cargo test --manifest-path "$here/Cargo.toml" -p amanuensis-cuda -- --nocapture
if grep -q 'skipped: no GPU' "$out/tests.out" "$out/tests.err" 2> /dev/null; then
    echo "| tests on the GPU | **skipped: the tests found no GPU** | |" >> "$report"
    failed=1
fi

# The same words on both devices: f16 may change some, and then they are counted, not hidden.
for sample in english english-numbers german two-voices; do
    both=yes
    for device in cpu cuda; do
        part "text-$sample-$device" 40 "$program" transcribe --model "$model" --device "$device" --temperature 0 \
            --output-format txt --output-dir - "$here/samples/$sample.wav" || both=no
    done
    if [ $both = no ]; then
        echo "| $sample: GPU beside CPU | not compared | |" >> "$report"
    elif cmp -s "$out/text-$sample-cpu.out" "$out/text-$sample-cuda.out"; then
        echo "| $sample: GPU beside CPU | the same text | |" >> "$report"
    else
        words=$(diff <(tr -s ' ' '\n' < "$out/text-$sample-cpu.out") <(tr -s ' ' '\n' < "$out/text-$sample-cuda.out") | grep -c '^[<>]')
        echo "| $sample: GPU beside CPU | **$words words differ** | |" >> "$report"
    fi
done

part bench-cuda 120 "$program" bench --model "$model" --device cuda --json
if [ -n "$python" ] && [ -n "$peer_model" ]; then
    part peers 150 "$python" "$here/benches/gpu/peers.py" "$peer_model" "$here/samples/two-voices.wav"
else
    echo "| peers | not asked for: --python and --peer-model | |" >> "$report"
fi
if command -v compute-sanitizer > /dev/null; then
    part sanitizer 120 compute-sanitizer --error-exitcode 9 "$program" transcribe --model demo --device cuda \
        --output-format txt --output-dir - "$here/samples/english.wav"
else
    echo "| sanitizer | not run: compute-sanitizer is not installed | |" >> "$report"
fi

for part in devices bench-cuda peers; do
    [ -s "$out/$part.out" ] && printf '\n## %s\n\n```\n%s\n```\n' "$part" "$(cat "$out/$part.out")" >> "$report"
done
cat "$report"
exit $failed
