"""The demo model's tokenizer: byte-level byte-pair encoding trained on the texts of the corpus alone.

train_tokenizer.py DATA_DIR OUT.json [SIZE]
"""

import glob
import pickle
import sys

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from corpus import in_domain


def corpus_lines(data_dir):
    lines = []
    for path in sorted(glob.glob(f"{data_dir}/t[0-9]*.pkl")):
        with open(path, "rb") as file:
            for utterance in pickle.load(file):
                if in_domain(utterance["text"]):
                    lines.append(" " + utterance["text"])
                    if utterance["translation"]:
                        lines.append(" " + utterance["translation"])
    return lines


def main():
    data_dir, out = sys.argv[1:3]
    size = int(sys.argv[3]) if len(sys.argv) > 3 else 2048
    lines = corpus_lines(data_dir)
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(vocab_size=size, min_frequency=2, show_progress=False, initial_alphabet=alphabet)
    tokenizer.train_from_iterator(lines, trainer)
    tokenizer.save(out)
    some = lines[:2000]
    tokens = sum(len(tokenizer.encode(line, add_special_tokens=False).ids) for line in some)
    print(tokenizer.get_vocab_size(), "tokens;", tokens / sum(len(line.split()) for line in some), "a word")


if __name__ == "__main__":
    main()
