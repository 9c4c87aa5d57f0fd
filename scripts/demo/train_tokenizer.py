#!/usr/bin/env python3
"""Trains the byte-level BPE of the demo model, with the qwen2 pre-tokeniser, and writes a tokenizer.json.

    train_tokenizer.py TEXT.txt tokenizer.json [--size 4096]

Ids: 0 to 255 bytes, then merges, then the special tokens at the end. Needs the tokenizers package.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import template
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

# The split of the published Qwen2 and Qwen3 tokenisers, a constant of the format.
QWEN2 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def bare(model):
    """A tokenizer without its special tokens."""
    tokenizer = Tokenizer(model)
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(QWEN2), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def add_special(tokenizer):
    tokenizer.add_special_tokens([AddedToken(t, special=True, normalized=False) for t in template.CONTROL])
    tokenizer.add_tokens([AddedToken(t, special=False, normalized=False) for t in template.MARKS])


def train(path, size):
    tokenizer = bare(models.BPE(byte_fallback=False))
    special = template.CONTROL + template.MARKS
    documents = (part for part in open(path, encoding="utf-8").read().split(template.END) if part)

    def pieces():
        """Text between the special tokens: no merge may reach across one."""
        for text in documents:
            for mark in special:
                text = text.replace(mark, "\0")
            yield from (piece for piece in text.split("\0") if piece)

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator(
        pieces(),
        trainers.BpeTrainer(
            vocab_size=size - len(special),
            initial_alphabet=alphabet,
            special_tokens=[],
            show_progress=False,
            min_frequency=2,
        ),
    )
    got = tokenizer.get_vocab_size()
    if got != size - len(special):
        raise SystemExit(f"{path}: only {got} tokens from this text, {size - len(special)} wanted; use more text")
    add_special(tokenizer)
    return tokenizer


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--size", type=int, default=4096)
    o = parser.parse_args()
    tokenizer = train(o.text, o.size)
    tokenizer.save(str(o.out))
    sample = o.text.read_text(encoding="utf-8")[:400_000]
    ids = tokenizer.encode(sample).ids
    print(f"{o.out}: {tokenizer.get_vocab_size()} tokens, {len(sample.encode()) / len(ids):.2f} bytes a token")


if __name__ == "__main__":
    main()
