"""faster-whisper and transformers on a GPU: times of one window, greedily, 100 new tokens at most, medians of five after one that
does not count. What is not installed, or fails, says so in its line."""

import json
import statistics
import sys
import time
import wave

TOKENS = 100
TURNS = 5


def samples(path):
    """Thirty seconds of a mono wave file of 16 kHz and 16 bits, with silence behind."""
    import numpy

    with wave.open(path) as file:
        if (file.getframerate(), file.getnchannels(), file.getsampwidth()) != (16000, 1, 2):
            raise SystemExit(f"{path}: not mono, 16 kHz, 16 bits")
        sound = numpy.frombuffer(file.readframes(480000), dtype="<i2").astype("float32") / 32768
    return numpy.pad(sound, (0, 480000 - len(sound)))


def median(run):
    """Seconds of a turn; the first does not count."""
    times = []
    for _ in range(TURNS + 1):
        began = time.perf_counter()
        run()
        times.append(time.perf_counter() - began)
    return statistics.median(times[1:])


def faster_whisper(model, sound):
    import faster_whisper as peer

    whisper = peer.WhisperModel(model, device="cuda", compute_type="float16")

    def run():
        segments, _ = whisper.transcribe(
            sound, beam_size=1, temperature=0, max_new_tokens=TOKENS, language="en", condition_on_previous_text=False
        )
        return list(segments)

    return {"version": peer.__version__, "window_seconds": median(run)}


def transformers(model, sound):
    import torch
    import transformers as peer

    processor = peer.WhisperProcessor.from_pretrained(model)
    whisper = peer.WhisperForConditionalGeneration.from_pretrained(
        model, dtype=torch.bfloat16, attn_implementation="sdpa"
    ).to("cuda")

    def run():
        features = processor(sound, sampling_rate=16000, return_tensors="pt").input_features
        features = features.to("cuda", torch.bfloat16)
        whisper.generate(features, max_new_tokens=TOKENS, do_sample=False, num_beams=1)
        torch.cuda.synchronize()

    return {"version": peer.__version__, "window_seconds": median(run)}


def main():
    model, path = sys.argv[1:]
    sound = samples(path)
    for name, peer in (("faster-whisper", faster_whisper), ("transformers", transformers)):
        try:
            line = peer(model, sound)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with a peer belongs into its line
            line = {"error": f"{type(error).__name__}: {error}"[:300]}
        print(json.dumps({"peer": name, **line}), flush=True)


if __name__ == "__main__":
    main()
