"""Makes shards small enough to carry to another machine: SHARD.opus instead of SHARD.pcm, which `corpus.py` reads too.

pack_corpus.py OUT_DIR SHARD... [--level L]

The sound is not the same to the bit afterwards, so held-out shards for figures stay as they are.
"""

import argparse
import os
import shutil

import numpy as np
import soundfile as sf

from corpus import SR

BLOCK = 600 * SR


def pack(shard, out, level):
    samples = np.memmap(shard + ".pcm", dtype=np.int16, mode="r")
    container = {"format": "OGG", "subtype": "OPUS", "compression_level": level}
    with sf.SoundFile(out + ".opus", "w", SR, 1, **container) as file:
        for first in range(0, len(samples), BLOCK):
            file.write(samples[first : first + BLOCK])
    shutil.copy(shard + ".pkl", out + ".pkl")
    return os.path.getsize(out + ".opus"), len(samples) / SR


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", help="folder")
    parser.add_argument("shards", nargs="+", help="without their endings")
    parser.add_argument("--level", type=float, default=0.94, help="0: largest and best; 1: smallest")
    options = parser.parse_args()
    os.makedirs(options.out, exist_ok=True)
    for shard in options.shards:
        size, seconds = pack(shard, os.path.join(options.out, os.path.basename(shard)), options.level)
        print(shard, f"{size / 1e6:.1f} MB, {seconds / 3600:.2f} h, {size * 8 / seconds / 1000:.1f} kbit/s")


if __name__ == "__main__":
    main()
