"""Token ids of the two exports, and the rows of the embedding during training.

Both exports use the special tokens of Whisper in Whisper's order.  During
training only the rows of tokens that occur in the corpus exist; all tokens
that never occur share the single row UNUSED, whose logit is raised by
log(count) in the softmax, so that after export each of the many copies stays
far below every trained token.
"""

import base64
import json

import tiktoken
from tokenizers import Tokenizer

LANGS_99 = (
    "en zh de es ru ko fr ja pt tr pl ca nl ar sv it id hi fi vi he uk el ms cs ro da hu ta no th ur hr bg lt la "
    "mi ml cy sk te fa lv bn sr az sl kn et mk br eu is hy ne mn bs kk sq sw gl mr pa si km sn yo so af oc ka be "
    "tg sd gu am yi lo uz fo ht ps tk nn mt sa lb my bo tl mg as tt haw ln ha ba jw su"
).split()
# Splits text before byte-pair merging, the same for every Whisper vocabulary.
SPLIT_PATTERN = r"""'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"""


def specials(langs):
    """The special tokens in Whisper's order."""
    return [
        "<|endoftext|>",
        "<|startoftranscript|>",
        *[f"<|{x}|>" for x in langs],
        "<|translate|>",
        "<|transcribe|>",
        "<|startoflm|>",
        "<|startofprev|>",
        "<|nospeech|>",
        "<|notimestamps|>",
        *[f"<|{i * 0.02:.2f}|>" for i in range(1501)],
    ]


def load_ranks(path):
    """token bytes -> id of a .tiktoken file"""
    return {base64.b64decode(t): int(r) for t, r in (line.split() for line in open(path) if line.strip())}


class Vocab:
    """Maps words to token ids of the export (`full` ids) and to training rows."""

    def __init__(self, encode_word, n_text, langs, used=None):
        self._encode, self.n_text, self.langs = encode_word, n_text, langs
        self.special_names = specials(langs)
        self.special = {s: n_text + i for i, s in enumerate(self.special_names)}
        self.n_vocab = n_text + len(self.special_names)
        self.used = sorted(used) if used is not None else list(range(n_text))
        self.row_of = {t: i for i, t in enumerate(self.used)}
        self.n_used = len(self.used)
        self.n_unused = n_text - self.n_used
        self.unused_row = self.n_used if self.n_unused else None
        self.first_special_row = self.n_used + (1 if self.n_unused else 0)
        self.n_rows = self.first_special_row + len(self.special_names)
        self._cache = {}
        self.ts0 = self.row("<|0.00|>")
        self.eot, self.sot = self.row("<|endoftext|>"), self.row("<|startoftranscript|>")
        self.prev, self.nospeech = self.row("<|startofprev|>"), self.row("<|nospeech|>")
        self.notime = self.row("<|notimestamps|>")
        self.transcribe, self.translate = self.row("<|transcribe|>"), self.row("<|translate|>")

    def row(self, special):
        """row of a special token"""
        return self.first_special_row + self.special[special] - self.n_text

    def word(self, w):
        """rows of ' ' + w"""
        r = self._cache.get(w)
        if r is None:
            r = self._cache[w] = [self.row_of.get(t, self.unused_row) for t in self._encode(" " + w)]
        return r

    def text(self, s):
        """rows of every word of a sentence"""
        return [t for w in s.split() for t in self.word(w)]

    def to_full(self, row):
        """id in the export; None for the row that many ids share"""
        if row < self.n_used:
            return self.used[row]
        if row >= self.first_special_row:
            return self.n_text + row - self.first_special_row
        return None


def whisper_encoding(tiktoken_path):
    ranks = load_ranks(tiktoken_path)
    n = len(ranks)
    return (
        tiktoken.Encoding(
            name="multilingual",
            pat_str=SPLIT_PATTERN,
            mergeable_ranks=ranks,
            special_tokens={s: n + i for i, s in enumerate(specials(LANGS_99))},
        ),
        ranks,
    )


def whisper_vocab(tiktoken_path, words=None, used=None):
    """Whisper's standard vocabulary with rows for the tokens of `words`, or for the ids in `used`."""
    enc, ranks = whisper_encoding(tiktoken_path)
    if used is None:
        used = {t for w in words for t in enc.encode_ordinary(" " + w)}
    return Vocab(enc.encode_ordinary, len(ranks), LANGS_99, used), enc


class Encoder:
    """The ids of a text; unlike a closure it can go to another process."""

    def __init__(self, tokenizer):
        self.tokenizer = tokenizer

    def __call__(self, text):
        return self.tokenizer.encode(text, add_special_tokens=False).ids


def own_vocab(tokenizer_json, langs=("en", "de")):
    """The vocabulary of a tokenizer of our own: every id has its row."""
    tok = Tokenizer.from_file(tokenizer_json)
    with open(tokenizer_json, encoding="utf8") as file:
        n_text = len(json.load(file)["model"]["vocab"])
    return Vocab(Encoder(tok), n_text, list(langs)), tok
