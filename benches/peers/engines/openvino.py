"""OpenVINO, the encoder only; int8 is weights and activations, quantised by NNCF."""

from ..work import random_mel


class Engine:
    modules = ("openvino",)

    def __init__(self, job):
        import openvino

        self.version = openvino.__version__.split("-")[0]
        settings = {"INFERENCE_NUM_THREADS": job.threads, "PERFORMANCE_HINT": "LATENCY"}
        if hint := job.options.get("hint"):
            settings["INFERENCE_PRECISION_HINT"] = hint
        path = f"{job.models}/openvino-{job.precision}/encoder.xml"
        self.request = openvino.Core().compile_model(path, "CPU", settings).create_infer_request()
        self.mel = random_mel(job.shape)

    def encode_window(self):
        self.request.infer([self.mel])
