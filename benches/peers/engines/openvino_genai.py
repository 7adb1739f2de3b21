"""OpenVINO GenAI's pipeline, window by window: beyond 30 s it turns timestamps on and does other work.

options: hint, the precision it computes in (without one it chooses by the processor).
"""

from ..work import NEW_TOKENS


def tokens_of_one(generated, beams):
    """How long the text is: of the first token there is one, of every other one for each beam."""
    others, rest = divmod(generated - 1, beams)
    if rest:
        raise ValueError(f"{generated} tokens are not whole steps of {beams} beams")
    return others + 1


class Engine:
    modules = ("openvino_genai",)

    def __init__(self, job):
        import openvino_genai

        self.version = openvino_genai.__version__.split("-")[0]
        settings = {"INFERENCE_NUM_THREADS": job.threads, "PERFORMANCE_HINT": "LATENCY"}
        if hint := job.options.get("hint"):
            settings["INFERENCE_PRECISION_HINT"] = hint
        self.pipeline = openvino_genai.WhisperPipeline(f"{job.models}/genai-{job.precision}", "CPU", **settings)
        config = self.pipeline.get_generation_config()
        config.language, config.task, config.return_timestamps = "<|en|>", "transcribe", False
        config.max_new_tokens = config.min_new_tokens = NEW_TOKENS
        config.ignore_eos = True
        config.suppress_tokens, config.begin_suppress_tokens = [job.shape.end], []
        self.config = config

    def transcribe(self, windows, beams):
        self.config.num_beams = beams
        counts, decode_seconds = [], 0
        for window in windows:
            metrics = self.pipeline.generate(window, self.config).perf_metrics
            counts.append(tokens_of_one(metrics.get_num_generated_tokens(), beams))
            durations = metrics.whisper_raw_metrics.decode_inference_durations
            decode_seconds += sum(each if isinstance(each, (int, float)) else each.count() for each in durations) / 1e6
        return counts, decode_seconds
