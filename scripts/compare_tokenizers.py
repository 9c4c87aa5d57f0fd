"""Compares `braid tokenize` with Hugging Face `tokenizers`: ids, decoded text and speed.

    pip install tokenizers==0.23.3
    python3 scripts/compare_tokenizers.py --braid build/braid --work /tmp/tokenizers [--count 100000] [--seed 1]
    python3 scripts/compare_tokenizers.py --braid build/braid --work /tmp/tokenizers --speed

Two pre-tokenizers (qwen2, qwen35) times two vocabularies: 4,096 tokens, and 150,000. Both are trained here, on text of
tokenizer_texts.py with another seed than the compared strings, the large one also on the sources of Python's standard
library; they stay in the folder --work. A third one, in which any two bytes merge, makes every cut of the
pre-tokenizer show in the ids. Each string goes through both programs with special tokens found and with them
taken as text, with NFC as the tokenizer.json says. Broken UTF-8 is compared as Python's errors="replace" gives it; that the
raw bytes come back from their ids is checked besides, without NFC. Prints a table of the classes; every difference is
listed. Exit code 1 when there is one. docs/tokenizer.md has a recorded run.
"""
import argparse
import collections
import json
import os
import pathlib
import random
import subprocess
import sys
import sysconfig
import time
import unicodedata

import tokenizer_texts
from make_tokenizer_vectors import PATTERNS
from tokenizers import AddedToken, Regex, Tokenizer, __version__, decoders, models, normalizers, pre_tokenizers, trainers

TRAINING_SEED = 1000
CONTROL = tokenizer_texts.SPECIAL[:3]
SIZES = {"small": 4096, "large": 150000, "pairs": 0}


def training_text(large):
    """Pieces of text, special tokens left out."""
    for title, text in tokenizer_texts.strings(TRAINING_SEED, 150000 if large else 10000):
        if isinstance(text, str) and title not in ("special tokens", "long runs", "mixed"):
            yield text
    if not large:
        return
    for path in sorted(pathlib.Path(sysconfig.get_path("stdlib")).rglob("*.py")):
        if "site-packages" not in path.parts:
            yield path.read_text(encoding="utf-8", errors="replace")


def of_pairs():
    """A model in which any two bytes of a piece merge, so that ids show every cut."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    merges = [(a, b) for a in letters for b in letters]
    random.Random(TRAINING_SEED).shuffle(merges)
    tokens = letters + [a + b for a, b in merges]
    return models.BPE(vocab={token: i for i, token in enumerate(tokens)}, merges=merges)


def trained(pre, size):
    """A tokenizer with about `size` tokens trained here; 0 asks for the model of pairs."""
    tokenizer = Tokenizer(models.BPE() if size else of_pairs())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(PATTERNS[pre]), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer.decoder = decoders.ByteLevel()
    if size:
        tokenizer.train_from_iterator(training_text(size > 10000), trainers.BpeTrainer(
            vocab_size=size - len(tokenizer_texts.SPECIAL), min_frequency=1, show_progress=False,
            initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()), max_token_length=64))
    tokenizer.add_tokens([AddedToken(t, special=t in CONTROL, normalized=False) for t in tokenizer_texts.SPECIAL])
    return tokenizer


def make_tokenizer(work, pre, kind):
    """The tokenizer and its file, from an earlier run where there is one."""
    path = work / f"{kind}-{pre}" / "tokenizer.json"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        start = time.time()
        trained(pre, SIZES[kind]).save(str(path))
        print(f"trained {path} in {time.time() - start:.0f} s")
    plain = work / f"{kind}-{pre}-no-nfc" / "tokenizer.json"
    if not plain.exists():
        plain.parent.mkdir(parents=True, exist_ok=True)
        plain.write_text(json.dumps(json.loads(path.read_text()) | {"normalizer": None}))
    return Tokenizer.from_file(str(path)), path, plain


class Braid:
    def __init__(self, program, model):
        self.command = [program, "tokenize", "-m", str(model)]

    def run(self, data, *options):
        return subprocess.run([*self.command, *options], input=data, stdout=subprocess.PIPE, check=True).stdout

    def encode(self, texts, *options):
        data = "".join(json.dumps(t) + "\n" for t in texts).encode()
        return [json.loads(line) for line in self.run(data, "--jsonl", *options).splitlines()]

    def decode(self, lists, *options):
        data = "".join(f"{ids}\n" for ids in lists).encode()
        return [json.loads(line) for line in self.run(data, "--jsonl", "--decode", *options).splitlines()]

    def there_and_back(self, texts):
        ids = self.run(b"".join(t + b"\0" for t in texts), "--null")
        return self.run(ids, "--null", "--decode").split(b"\0")[:-1]


def encode_all(tokenizer, texts):
    out = []
    for at in range(0, len(texts), 5000):
        out += [e.ids for e in tokenizer.encode_batch_fast(texts[at:at + 5000], add_special_tokens=False)]
    return out


class Report:
    def __init__(self):
        self.equal, self.different = collections.Counter(), collections.Counter()
        self.listed = 0

    def add(self, where, title, item, theirs, ours):
        if theirs == ours:
            self.equal[title] += 1
            return
        self.different[title] += 1
        self.listed += 1
        if self.listed <= 200:
            print(f"DIFFERENT {where}, {title}: {item!r}\n  tokenizers {theirs!r}\n  braid      {ours!r}")

    def table(self, heading):
        print(f"\n{heading}\n{'class':28} {'compared':>9} {'equal':>9} {'different':>9}")
        for title in dict.fromkeys([*self.equal, *self.different]):
            equal, different = self.equal[title], self.different[title]
            print(f"{title:28} {equal + different:9} {equal:9} {different:9}")
        equal, different = sum(self.equal.values()), sum(self.different.values())
        print(f"{'all':28} {equal + different:9} {equal:9} {different:9}", flush=True)
        return different


def compare_decoding(tokenizer, braid, lists, where, report):
    rng = random.Random(11)
    cut = [ids[:rng.randrange(len(ids))] for ids in lists if ids]  # ends inside characters
    wild = [[rng.randrange(tokenizer.get_vocab_size()) for _ in range(rng.randrange(1, 20))] for _ in range(5000)]
    few = [[rng.randrange(256) for _ in range(rng.randrange(1, 12))] for _ in range(5000)]  # mostly single bytes
    for title, some in (("text", lists), ("text cut short", cut), ("random ids", wild), ("random bytes", few)):
        for options, skip in (((), False), (("--skip-special",), True)):
            theirs = tokenizer.decode_batch(some, skip_special_tokens=skip)
            for ids, a, b in zip(some, theirs, braid.decode(some, *options), strict=True):
                report.add(f"{where} {' '.join(options)}", title, ids, a, b)


def compare_characters(args):
    """Every code point among marks, letters and spaces: the normal form, and where text is cut."""
    characters = [chr(c) for c in range(1, 0x110000) if not 0xD800 <= c < 0xE000]
    nfc = normalizers.NFC()
    report = Report()
    texts = [f"{c}\u0316q{c}\u0334q\u0301{c}\u0316e{c}\u0301\u09c7\uac00\u1100\u0b92{c}{c}\u1161" for c in characters]
    _, path, _ = make_tokenizer(args.work, "qwen2", "small")
    back = Braid(args.braid, path).there_and_back([t.encode() for t in texts])
    for text, ours in zip(texts, back, strict=True):
        report.add("normal form C", "normal form C", text, nfc.normalize_str(text), ours.decode())
    for pre in PATTERNS:
        _, _, path = make_tokenizer(args.work, pre, "pairs")
        tokenizer, texts = Tokenizer.from_file(str(path)), [f"a{c}1{c} {c}{c}.{c}'{c}\n{c}" for c in characters]
        ours = Braid(args.braid, path).encode(texts)
        later = []
        for c, a, b in zip(characters, encode_all(tokenizer, texts), ours, strict=True):
            if unicodedata.category(c) != "Cn":
                report.add(f"cut by {pre}", f"cut by {pre}", f"U+{ord(c):04X}", a, b)
            elif a != b:
                later.append(ord(c))
        print(f"apart from these, {len(later)} code points that Unicode {unicodedata.unidata_version} does not have are cut "
              f"differently by {pre}, from U+{later[0]:04X} to U+{later[-1]:04X}" if later else "")
    return report.table(f"every code point of Unicode {unicodedata.unidata_version}")


def compare(args):
    made = list(tokenizer_texts.strings(args.seed, args.count))
    titles = [title for title, _ in made]
    raw = [text for _, text in made if isinstance(text, bytes)]
    texts = [text.decode(errors="replace") if isinstance(text, bytes) else text for _, text in made]
    foreign = sum(any(b > 127 for b in (t if isinstance(t, bytes) else t.encode())) for _, t in made)
    print(f"{len(made)} strings, {sum(len(t.encode()) for t in texts)} bytes, seed {args.seed}; {foreign} hold bytes beyond ASCII, "
          f"{len(raw)} are broken UTF-8; tokenizers {__version__}", flush=True)
    newer = tokenizer_texts.newer(args.seed, args.count // 100)
    different = 0
    decoded = Report()
    for kind in SIZES:
        for pre in PATTERNS:
            tokenizer, path, plain = make_tokenizer(args.work, pre, kind)
            where, braid, report = f"{kind} {pre}", Braid(args.braid, path), Report()
            for literal, options in ((False, ()), (True, ("--no-parse-special",))):
                tokenizer.encode_special_tokens = literal
                theirs = encode_all(tokenizer, texts)
                for title, text, a, b in zip(titles, texts, theirs, braid.encode(texts, *options), strict=True):
                    report.add(f"{where} {' '.join(options)}", title, text, a, b)
            for text, back in zip(raw, Braid(args.braid, plain).there_and_back(raw), strict=True):
                report.add(where, "raw bytes there and back", text, text, back)
            size = tokenizer.get_vocab_size()
            different += report.table(f"{kind} vocabulary, {size} tokens, {pre}: ids, special tokens found and not")
            tokenizer.encode_special_tokens = False
            compare_decoding(tokenizer, braid, theirs[::10], where, decoded)
            unequal = sum(a != b for a, b in zip(encode_all(tokenizer, newer), braid.encode(newer), strict=True))
            print(f"apart from these, characters that Unicode 14 does not have: {unequal} of {len(newer)} strings differ")
    different += decoded.table("decoding, all four")
    different += compare_characters(args)
    return 1 if different else 0


def ours_in_seconds(braid, lines, rounds):
    """Seconds in the encoder for all texts, by round."""
    done = subprocess.run([*braid.command, "--jsonl", "--show-time"], input=lines * rounds, stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE, check=True)
    seconds = [float(line.split(b" s,")[0].split()[-1]) for line in done.stderr.splitlines() if b" MB/s" in line]
    each = len(seconds) // rounds
    return [sum(seconds[i * each:(i + 1) * each]) for i in range(rounds)]


def theirs_in_seconds(tokenizer, texts, rounds):
    out = []
    for _ in range(rounds):
        start = time.perf_counter()
        tokenizer.encode_batch_fast(texts, add_special_tokens=False)
        out.append(time.perf_counter() - start)
    return out


def speed(args):
    """One whole text, and the same as documents of 4 kB. TOKENIZERS_PARALLELISM says what `tokenizers` does with these."""
    text = tokenizer_texts.mixed_text(args.seed, args.bytes)
    documents = [text[at:at + 3000] for at in range(0, len(text), 3000)]
    megabytes = len(text.encode()) / 1e6
    parallel = os.environ.get("TOKENIZERS_PARALLELISM", "true")
    print(f"{megabytes:.1f} MB, {len(documents)} documents, tokenizers {__version__} with TOKENIZERS_PARALLELISM={parallel}")
    print(f"{'':44} {'braid':>12} {'tokenizers':>12} {'ratio':>7}")
    for kind in ("small", "large"):
        for pre in PATTERNS:
            tokenizer, path, _ = make_tokenizer(args.work, pre, kind)
            braid = Braid(args.braid, path)
            for title, texts in (("one text", [text]), ("documents", documents)):
                lines = "".join(json.dumps(t) + "\n" for t in texts).encode()
                ours = sorted(ours_in_seconds(braid, lines, args.rounds + 1)[1:])
                theirs = sorted(theirs_in_seconds(tokenizer, texts, args.rounds + 1)[1:])
                a, b = ours[len(ours) // 2], theirs[len(theirs) // 2]
                print(f"{kind + ' ' + pre + ', ' + title:44} {megabytes / a:7.1f} MB/s {megabytes / b:7.1f} MB/s {b / a:7.2f}",
                      flush=True)
    return 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--braid", default="build/braid", help="the program")
    parser.add_argument("--work", type=pathlib.Path, required=True, help="folder for the trained tokenizers")
    parser.add_argument("--count", type=int, default=100000, help="strings")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--speed", action="store_true", help="measure the speed instead")
    parser.add_argument("--bytes", type=int, default=10_000_000, help="of the text for --speed")
    parser.add_argument("--rounds", type=int, default=5, help="counted ones, after one that is not")
    args = parser.parse_args()
    return speed(args) if args.speed else compare(args)


if __name__ == "__main__":
    sys.exit(main())
