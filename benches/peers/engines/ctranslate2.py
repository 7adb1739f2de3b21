"""CTranslate2, by the parts of faster-whisper: its spectrogram, its encoder call, its generator.

`transcribe` of faster-whisper does the same and something around it. Batches are those of BatchedInferencePipeline:
windows encoded together and continued together. options: batch (windows together), workers (of one process).
"""

import time
from concurrent.futures import ThreadPoolExecutor

from ..work import NEW_TOKENS, WINDOW_FRAMES, random_mel


class Engine:
    modules = ("ctranslate2", "faster_whisper")

    def __init__(self, job):
        import ctranslate2
        import faster_whisper

        self.version = f"{faster_whisper.__version__} / {ctranslate2.__version__}"
        self.shape, self.batch = job.shape, job.options.get("batch", 1)
        workers = job.options.get("workers", 1)
        compute_type = {"int8": "int8", "f32": "float32"}[job.precision]
        self.model = faster_whisper.WhisperModel(
            f"{job.models}/ctranslate2-{job.precision}",
            device="cpu",
            compute_type=compute_type,
            cpu_threads=job.threads,
            num_workers=workers,
        )
        actual = self.model.model.compute_type
        if actual.removesuffix("_float32") != compute_type:
            raise ValueError(f"computes in {actual}, not in {compute_type}")
        self.mel = random_mel(job.shape)
        # Workers of one process are fed by as many threads of Python, which wait without holding each other up.
        self.feeders = ThreadPoolExecutor(workers)

    def encode_window(self):
        self.model.encode(self.mel)

    def transcribe(self, windows, beams):
        batches = [windows[first : first + self.batch] for first in range(0, len(windows), self.batch)]
        made = list(self.feeders.map(lambda batch: self.transcribe_batch(batch, beams), batches))
        counts = [count for counts, _ in made for count in counts]
        return counts, sum(seconds for _, seconds in made) if len(made) == 1 else None

    def transcribe_batch(self, windows, beams):
        import numpy

        mels = numpy.stack([self.model.feature_extractor(window)[:, :WINDOW_FRAMES] for window in windows])
        encoded = self.model.encode(mels)
        begun = time.monotonic()
        made = self.model.model.generate(
            encoded,
            [self.shape.prompt] * len(windows),
            beam_size=beams,
            max_length=2 * NEW_TOKENS,  # a window may generate half of it
            suppress_blank=False,
            suppress_tokens=[self.shape.end],
        )
        return [len(each.sequences_ids[0]) for each in made], time.monotonic() - begun
