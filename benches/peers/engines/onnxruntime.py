"""ONNX Runtime, the encoder only; int8 is its dynamic quantisation of matrix products."""

from ..work import random_mel


class Engine:
    modules = ("onnxruntime",)

    def __init__(self, job):
        import onnxruntime

        self.version = onnxruntime.__version__
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = job.threads, 1
        path = f"{job.models}/onnx-{job.precision}/encoder.onnx"
        self.session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        self.inputs = {self.session.get_inputs()[0].name: random_mel(job.shape)}

    def encode_window(self):
        self.session.run(None, self.inputs)
