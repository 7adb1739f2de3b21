"""espeak-ng in this process (ctypes on libespeak-ng), with the times of words and phonemes."""

import ctypes

import numpy as np
import soxr

from sentences import words_with_spoken

SR = 16000


class _Id(ctypes.Union):
    _fields_ = [("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8)]


class _Event(ctypes.Structure):
    _fields_ = [
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _Id),
    ]


_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))
# Numbers of espeak-ng's C interface.
SYNCHRONOUS, RATE, PITCH, UTF8 = 2, 1, 3, 1
WORD_EVENT, PHONEME_EVENT = 1, 7
PAUSES = ("", "_:", "_", "_!", "_|")


class Espeak:
    """One synthesiser; espeak-ng keeps its state in the library, so a process has only one."""

    def __init__(self):
        self.library = ctypes.CDLL("libespeak-ng.so.1")
        # The last argument asks for phoneme events.
        self.rate = self.library.espeak_Initialize(SYNCHRONOUS, 0, None, 1)
        self._callback = _CALLBACK(self._on_audio)
        self.library.espeak_SetSynthCallback(self._callback)
        self.voice = None

    def _on_audio(self, samples, count, events):
        if samples and count > 0:
            self.chunks.append(np.ctypeslib.as_array(samples, shape=(count,)).copy())
        i = 0
        while events[i].type != 0:
            event = events[i]
            if event.type == WORD_EVENT:
                self.words.append((event.sample, event.text_position - 1))
            elif event.type == PHONEME_EVENT:
                name = ctypes.string_at(ctypes.addressof(event.id), 8).split(b"\0")[0]
                self.phones.append((event.sample / self.rate, name.decode("utf-8", "replace")))
            i += 1
        return 0

    def _synthesise(self, text, voice, rate, pitch):
        """Samples at espeak's own rate; self.words gets (sample, place in text), self.phones (time, name)."""
        if voice != self.voice:
            if self.library.espeak_SetVoiceByName(voice.encode()) != 0:
                raise RuntimeError(f"espeak-ng has no voice {voice}")
            self.voice = voice
        self.library.espeak_SetParameter(RATE, rate, 0)
        self.library.espeak_SetParameter(PITCH, pitch, 0)
        self.chunks, self.words, self.phones = [], [], []
        encoded = text.encode("utf-8")
        self.library.espeak_Synth(encoded, len(encoded) + 1, 0, 1, 0, UTF8, None, None)
        return np.concatenate(self.chunks) if self.chunks else np.zeros(0, np.int16)

    def _word_times(self, words, places, begin, end):
        """Start and end of each word: from espeak's events, and a share by length for words it spoke as one."""
        count = len(words)
        starts = [None] * count
        for sample, place in self.words:
            k = max(i for i, first in enumerate(places) if first <= place) if place >= 0 else 0
            if starts[k] is None:
                starts[k] = sample / self.rate
        if starts[0] is None:
            starts[0] = begin
        ends = [None] * count
        known = [i for i in range(count) if starts[i] is not None]
        for first, following in zip(known, known[1:] + [count]):
            stop = starts[following] if following < count else end
            # A pause before the next word ends this word early.
            quiet = [time for time, name in self.phones if name in PAUSES and starts[first] + 0.03 < time < stop]
            if quiet:
                stop = quiet[-1] if following >= count else max(quiet[0], starts[first] + 0.03)
            joined = range(first, following)
            letters = sum(len(words[i]) for i in joined)
            time, span = starts[first], stop - starts[first]
            for i in joined:
                starts[i] = time
                time += span * len(words[i]) / letters
                ends[i] = time
        return starts, ends

    def say(self, marked, voice, rate=165, pitch=50):
        """Samples (16 kHz, s16, without the silence around them), words [(text, start, end)], phones [(start, name)].

        Times are seconds. `marked` may hold [written|spoken].
        """
        pairs = words_with_spoken(marked)
        words = [written for written, _ in pairs]
        spoken, places = "", []
        for _, form in pairs:
            if spoken:
                spoken += " "
            places.append(len(spoken))
            spoken += form
        pcm = self._synthesise(spoken, voice, rate, pitch)
        duration = len(pcm) / self.rate
        loud = np.where(np.abs(pcm.astype(np.float32)) > 60)[0]
        begin = max(0.0, loud[0] / self.rate - 0.01) if len(loud) else 0.0
        end = min(duration, loud[-1] / self.rate + 0.03) if len(loud) else duration
        starts, ends = self._word_times(words, places, begin, end)
        samples = soxr.resample(pcm.astype(np.float32) / 32768.0, self.rate, SR, quality="MQ")
        samples = samples[int(begin * SR) : int(end * SR)]
        samples = np.clip(samples * 32767, -32768, 32767).astype(np.int16)
        length = len(samples) / SR

        def inside(time):
            return min(max(time - begin, 0.0), length)

        timed = [(word, inside(start), inside(stop)) for word, start, stop in zip(words, starts, ends)]
        return samples, timed, [(inside(time), name) for time, name in self.phones]
