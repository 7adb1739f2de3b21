"""Another program at the work of `amanuensis bench`, for `cargo xtask gpu-report`: a line of JSON for each figure, or for why there is none.

    python peers.py transformers|faster-whisper --device cuda --seconds 115 --together 64 MODEL...

A model is a folder as transformers reads it; faster-whisper reads the one beside it that ends with -ct2. The sound is noise, the end
token is barred, and every window is given exactly 100 tokens, which are counted. Models of random weights do as well as any.
"""

import argparse
import json
import os
import statistics
import sys
import time

TOKENS = 100
WINDOW_SAMPLES = 480000
WINDOW_SECONDS = 30
TURNS = 5
ENCODED = 16  # windows, as in `encoder_batch16`


def prompt(folder):
    """The end, and what every transcript begins with: start, English, transcribe, no times."""
    with open(os.path.join(folder, "config.json"), encoding="utf-8") as file:
        rows = json.load(file)["vocab_size"]
    languages = rows - 51766
    end, start, english = 50257, 50258, 50259
    transcribe = english + languages + 1
    return end, [start, english, transcribe, transcribe + 4]


def noise(windows):
    import numpy

    return (numpy.random.default_rng(2).standard_normal((windows, WINDOW_SAMPLES)) * 0.1).astype(numpy.float32)


class Transformers:
    """Hugging Face transformers with torch's scaled dot product attention, in bf16 on a GPU."""

    def __init__(self, device):
        import torch
        import transformers
        from transformers.generation import GenerationMixin
        from transformers.modeling_outputs import BaseModelOutput

        torch.set_grad_enabled(False)
        transformers.logging.set_verbosity_error()
        self.torch, self.transformers, self.outputs = torch, transformers, BaseModelOutput
        # Whisper's own generate() adds windows and fallback around this.
        self.continued = GenerationMixin.generate
        self.device, self.dtype = device, torch.bfloat16 if device == "cuda" else torch.float32
        self.version = f"{transformers.__version__} with torch {torch.__version__}, SDPA, {self.dtype}"

    def load(self, folder):
        peer = self.transformers
        model = peer.WhisperForConditionalGeneration.from_pretrained(folder, dtype=self.dtype, attn_implementation="sdpa")
        self.model = model.eval().to(self.device)
        self.extractor = peer.WhisperFeatureExtractor.from_pretrained(folder)
        _, self.prompt = prompt(folder)

    def features(self, windows):
        made = self.extractor(list(windows), sampling_rate=16000, return_tensors="pt", device=self.device)
        return made.input_features.to(self.device, self.dtype)

    def encode(self, features):
        return self.model.model.encoder(features).last_hidden_state

    def wait(self):
        if self.device == "cuda":
            self.torch.cuda.synchronize()

    def transcribe(self, windows, beams):
        encoded = self.encode(self.features(windows))
        made = self.continued(
            self.model,
            encoder_outputs=self.outputs(last_hidden_state=encoded),
            decoder_input_ids=self.torch.tensor([self.prompt] * len(windows), device=self.device),
            min_new_tokens=TOKENS,
            max_new_tokens=TOKENS,
            num_beams=beams,
            do_sample=False,
        )
        return [made.shape[1] - len(self.prompt)] * made.shape[0]


class FasterWhisper:
    """CTranslate2 by the parts of faster-whisper, in float16 on a GPU: `transcribe` does the same and something around it."""

    def __init__(self, device):
        import ctranslate2
        import faster_whisper

        self.peer, self.device = faster_whisper, device
        self.type = "float16" if device == "cuda" else "float32"
        self.version = f"{faster_whisper.__version__} with CTranslate2 {ctranslate2.__version__}, {self.type}"

    def load(self, folder):
        self.model = self.peer.WhisperModel(f"{folder}-ct2", device=self.device, compute_type=self.type)
        self.end, self.prompt = prompt(folder)

    def features(self, windows):
        import numpy

        return numpy.stack([self.model.feature_extractor(window)[:, :3000] for window in windows])

    def encode(self, features):
        return self.model.encode(features)

    def wait(self):
        pass

    def transcribe(self, windows, beams):
        made = self.model.model.generate(
            self.encode(self.features(windows)),
            [self.prompt] * len(windows),
            beam_size=beams,
            max_length=2 * TOKENS,  # a window may generate half of it
            suppress_blank=False,
            suppress_tokens=[self.end],
        )
        return [len(each.sequences_ids[0]) for each in made]


def counted(peer, windows, beams=1):
    """Transcribes windows, and refuses another number of tokens than was asked for."""
    counts = peer.transcribe(windows, beams)
    if counts != [TOKENS] * len(windows):
        raise ValueError(f"made {sorted(set(counts))} tokens of a window in place of {TOKENS}")


def turn(peer, piece):
    began = time.perf_counter()
    piece()
    peer.wait()
    return time.perf_counter() - began


def times(peer, piece, until):
    """The median of a few turns behind one that does not count; fewer where time is short."""
    turn(peer, piece)
    taken = []
    while not taken or (len(taken) < TURNS and time.monotonic() + taken[-1] < until):
        taken.append(turn(peer, piece))
    return {"seconds": statistics.median(taken), "turns": len(taken)}


def pieces(peer, together, seconds):
    """What is measured of a model that is loaded, what matters most first: names, and what gives their figures."""
    until = time.monotonic() + seconds
    one, some, many = noise(1), noise(ENCODED), noise(together)
    return {
        "window": lambda: times(peer, lambda: counted(peer, one), until),
        "long": lambda: {
            **times(peer, lambda: counted(peer, many), until),
            "sound_seconds": WINDOW_SECONDS * together,
            "together": together,
        },
        "encoder_batch16": lambda: times(peer, lambda features=peer.features(some): peer.encode(features), until),
        "window_beam5": lambda: times(peer, lambda: counted(peer, one, 5), until),
        "encoder": lambda: times(peer, lambda features=peer.features(one): peer.encode(features), until),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("peer", choices=["transformers", "faster-whisper"])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--seconds", type=float, default=115)
    parser.add_argument("--together", type=int, default=64)
    parser.add_argument("models", nargs="*")
    asked = parser.parse_intermixed_args()
    whole, failed = time.monotonic() + asked.seconds, False

    def say(**line):
        nonlocal failed
        failed = failed or "error" in line
        print(json.dumps({"peer": asked.peer, **line}), flush=True)

    def because(error):
        return f"{type(error).__name__}: {error}"[:300]

    try:
        peer = {"transformers": Transformers, "faster-whisper": FasterWhisper}[asked.peer](asked.device)
        say(version=peer.version)
    except Exception as error:  # noqa: BLE001 - whatever is wrong with a peer belongs into its line
        say(error=because(error))
        return 1
    for place, folder in enumerate(asked.models):
        model = os.path.basename(folder)
        try:
            peer.load(folder)
            share = max(whole - time.monotonic(), 0) / (len(asked.models) - place)
            todo = pieces(peer, asked.together, share)
        except Exception as error:  # noqa: BLE001
            say(model=model, error=because(error))
            continue
        for what, measure in todo.items():
            if time.monotonic() >= whole:
                say(model=model, what=what, error="no time was left")
                continue
            try:
                say(model=model, what=what, **measure())
            except Exception as error:  # noqa: BLE001
                say(model=model, what=what, error=because(error))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
