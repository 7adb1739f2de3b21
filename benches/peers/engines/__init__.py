"""The engines that stand in Python, a module each, with a class `Engine`.

`Engine(job)` loads; `modules` are imported before that. `encode_window()` runs the encoder over one spectrogram;
`transcribe(windows, beams)` makes tokens of windows of samples and returns how many came of each, and the seconds that
decoding took of it or None. An engine without `transcribe` has an encoder only.
"""
