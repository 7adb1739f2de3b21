"""openai-whisper on torch. options: batch (windows together)."""

import time

from ..work import NEW_TOKENS, random_mel


class Engine:
    modules = ("torch", "whisper")

    def __init__(self, job):
        import torch
        import whisper

        torch.set_num_threads(job.threads)
        torch.set_grad_enabled(False)
        self.version, self.torch, self.whisper = whisper.__version__, torch, whisper
        self.shape, self.batch = job.shape, job.options.get("batch", 1)
        self.model = whisper.load_model(f"{job.models}/openai/model.pt", device="cpu")
        self.mel = torch.from_numpy(random_mel(job.shape))

    def encode_window(self):
        self.model.encoder(self.mel)

    def transcribe(self, windows, beams):
        search = {"beam_size": beams} if beams > 1 else {}
        options = self.whisper.DecodingOptions(
            language="en",
            without_timestamps=True,
            sample_len=NEW_TOKENS,
            suppress_blank=False,
            suppress_tokens=[self.shape.end],
            fp16=False,
            **search,
        )
        counts, decode_seconds = [], 0
        for first in range(0, len(windows), self.batch):
            samples = self.torch.from_numpy(windows[first : first + self.batch])
            encoded = self.model.encoder(self.whisper.log_mel_spectrogram(samples, self.shape.mel_bins))
            begun = time.monotonic()
            made = self.whisper.decode(self.model, encoded, options)
            decode_seconds += time.monotonic() - begun
            counts += [len(each.tokens) for each in made]
        return counts, decode_seconds
