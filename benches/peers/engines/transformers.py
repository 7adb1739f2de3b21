"""Hugging Face transformers on torch. options: batch (windows together)."""

import time

from ..work import NEW_TOKENS, random_mel


class Engine:
    # The last one is imported late, with the model, if it is not named.
    modules = ("torch", "transformers", "transformers.generation", "transformers.models.whisper.modeling_whisper")

    def __init__(self, job):
        import torch
        import transformers
        from transformers.generation import GenerationMixin
        from transformers.modeling_outputs import BaseModelOutput

        torch.set_num_threads(job.threads)
        torch.set_grad_enabled(False)
        transformers.logging.set_verbosity_error()
        self.version, self.torch, self.outputs = transformers.__version__, torch, BaseModelOutput
        self.shape, self.batch = job.shape, job.options.get("batch", 1)
        folder = f"{job.models}/hf"
        model = transformers.WhisperForConditionalGeneration.from_pretrained(folder, dtype=torch.float32)
        self.model = model.eval()
        self.extractor = transformers.WhisperFeatureExtractor.from_pretrained(folder)
        self.mel = torch.from_numpy(random_mel(job.shape))
        # Whisper's own generate() adds windows and fallback around this.
        self.generate = GenerationMixin.generate

    def encode_window(self):
        self.model.model.encoder(self.mel)

    def transcribe(self, windows, beams):
        counts, decode_seconds = [], 0
        for first in range(0, len(windows), self.batch):
            samples = list(windows[first : first + self.batch])
            mels = self.extractor(samples, sampling_rate=16000, return_tensors="pt").input_features
            encoded = self.model.model.encoder(mels).last_hidden_state
            begun = time.monotonic()
            made = self.generate(
                self.model,
                encoder_outputs=self.outputs(last_hidden_state=encoded),
                decoder_input_ids=self.torch.tensor([self.shape.prompt] * len(samples)),
                min_new_tokens=NEW_TOKENS,
                max_new_tokens=NEW_TOKENS,
                num_beams=beams,
                do_sample=False,
            )
            decode_seconds += time.monotonic() - begun
            counts += [made.shape[1] - len(self.shape.prompt)] * made.shape[0]
        return counts, decode_seconds
