"""Makes tests/data/tokenizer/*.json: small vocabularies, strings, and their ids by Hugging Face `tokenizers`.

    pip install tokenizers && python3 scripts/make_tokenizer_vectors.py tests/data/tokenizer

Each file holds one pre-tokenizer's vocabulary, trained here on our own words (make_text.py), in the form of a GGUF's
keys, and its cases, one a line: the text, its `ids`, and where they differ `plain` (control tokens not parsed) and
`nfc` (with the NFC normaliser). Characters are those of Unicode 14 or older, which all regex libraries in use know.
"""
import argparse
import json
import pathlib
import random
import unicodedata

from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers

import make_text
import tokenizer_texts

PATTERNS = {
    "qwen2": r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
             r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    "qwen35": r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}"
              r"| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
}
CONTROL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
USER_DEFINED = ["<think>", "</think>", "<tool_call>", "<tool_call>\n"]
MERGES = 400
NORMAL_TYPE, CONTROL_TYPE, USER_DEFINED_TYPE = 1, 3, 4

BY_HAND = [
    "", " ", "  ", "\n", "\r\n", "\t", "a", " a", "  a", "a ", "a  ", "\0", "\x7f", "\x1c a\x1f", "\u0085x",
    "\ufeffbom", "Hello, world!", "I'm, you're, he'll, we've, it's, they'd, can't", "I'M YOU'RE HE'LL WE'VE IT'S",
    "'S 's 'ſ '\u017fabc", "rock'n'roll 'tis 'twas 'quoted' ''double''", "it’s not an ASCII apostrophe",
    "l'été d'Élise, qu'il 'tait", "1234567890", "3.14159 1,000,000 0x1F 10^-3", "٣٤٥ ৩৪ 一二三 Ⅷ ½ ²³ ①②", "a1b2c3",
    "v1.2.3-rc4+5", "   leading", "trailing   ", "in   the   middle", "tab\tseparated\t\tvalues\n",
    "line\nline\n\nline\n\n\nline", "crlf\r\ncrlf\r\n\r\n  indented\r\n", "\n\n\n   \n \n", " \n a", "a \n", "a\n ",
    "   \n   x", "\u00a0nbsp\u00a0\u00a0x", "\u2003em\u2003\u2003space", "a\u3000b\u3000\u3000c", "a\u2028b\u2029c",
    "a\u180eb \u180e", "zero\u200bwidth\u200djoin\u200c", "for (int i = 0; i < n; ++i) {\n\tsum += a[i];  // add\n}\n",
    "x=y+z;\n\n\ndef f(a, *b, **c):\n    return {**c, 'a': a}",
    "{\"key\": [1, 2.5e-3, null, true], \"s\": \"\\\"\\u00e9\\\"\"}", "C:\\path\\to\\file.txt",
    "https://example.org/a/b?c=d&e=%20#f", "<div class=\"a\">&nbsp;</div>", "!!!???...---___===", "... \n\n...",
    " ?!\r\n\r\nx", "$100 €50 £20 ¥7", "a*b**c***d", "naïve café résumé",
    unicodedata.normalize("NFD", "naïve café résumé Ångström Việt Nam"), "e\u0301\u0327 q\u0307\u0323 \u0301alone",
    "a\u0300\u0316\u0315\u035c\u0345b", "\u0344 \u0340\u0341\u0343", "한국어 " + unicodedata.normalize("NFD", "한국어 각"),
    "\u1100\u1161\u11a8\u11a8", "Å \u212b \u2126 \u212a", "שָׁלוֹם עֲלֵיכֶם", "مرحبًا بالعالم ١٢٣",
    "नमस्ते दुनिया क्षत्रिय", "ภาษาไทยไม่มีช่องว่าง", "မြန်မာဘာသာ", "தமிழ் மொழி", "日本語のテキスト、カタカナとひらがな。が" + "か\u3099",
    "中文没有空格。標點「符號」！", "Привет, мир! Ёлка й", "Γειά σου Κόσμε", "Հայերեն", "ქართული", "🙂", "🙂🙃 🙂", "👩‍🌾👨‍👩‍👧‍👦", "👍🏽👍🏿",
    "🇩🇪🇯🇵", "1️⃣ #️⃣", "☂️ ⚓", "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𝟙𝟚𝟛", "\U0001f9d1\u200d\U0001f680", "ﬁ ﬂ ﬆ '\ufb06",
    "\ufffd \ufffdx\ufffd\ufffd", "\ue000\uf8ff", "İstanbul ıŞğ ẞ ß", "ǅ ǆ Ǆ", "\u0378?"[1:],
    "<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\n", "<think>\nhm\n</think>\n\nyes", "a<|endoftext|>b",
    "<|endoftext|>", "<|im_start|><|im_start|>", "<|im_start|", "|im_start|>", "<<|im_end|>>", "<|im_<|im_end|>end|>",
    "<think", "<think><think>", "<tool_call>\n<function=f>\n</function>\n</tool_call>", "<tool_call>x",
    "x<tool_call> \n", "  <|im_end|>  ", "\n<|im_end|>\n\n", "'<|im_end|>s", "e\u0301<|im_end|>e\u0301",
    "<|im_end|>\u0301", "<THINK>", "[PAD1]", "<0x41>", "Ġhello Ċ Ŀ", "e" * 200, "ee" * 333 + "x", " " * 300 + "x",
    "\n" * 120, "the" * 60, "-" * 130, "ab" * 120, "中" * 60, "é" * 70, "e\u0301" * 40, "\u0301\u0316" * 60, "7" * 40,
    "🙂" * 30, "counterrevolutionary" * 6, "\t" * 70 + "x", "=" * 49, "s" * 48, "s" * 49, "s" * 47,
]
ALPHABETS = [
    "etaoinshrdlu ", "etaoin  \n", " \t\n\r\u00a0\u2003ab", "'stremvdlSTREMVDL ", "0123456789.,-+ex ",
    "(){}[];=<>!&|*/\\ \n\tif", "äöüßéèñçåøŁżĞışő ", "абвгдеёжзийк .", "αβγδεζάήώ ,", "अआइकखगा ि ी ्", "กขคงจ ั ิ ี ้",
    "一丁七万丈三上下不", "ぁあぃいカガゝー。", "\u0300\u0301\u0302\u0323\u0327\u0338aeoq ", "가각간갈ᄀ까ᅢᆨᆩ", "🙂🙃👍🏽🏿\u200d\ufe0f☂❤",
    "ابتثجحخ َ ُ ّ٠١٢", "אבגדה ָ ַ ",
]


def any_character(rng):
    while True:
        code = rng.choice([rng.randrange(0x20, 0x3000), rng.randrange(0x20, 0x10000), rng.randrange(0x20, 0x32000)])
        if unicodedata.category(chr(code)) not in ("Cn", "Cs"):
            return chr(code)


def strings(rng):
    yield from BY_HAND
    words = make_text.make_text(3, 12000).split("\n\n")
    for _ in range(40):
        start = rng.randrange(200)
        yield rng.choice(words)[start:start + rng.randrange(1, 200)]
    yield from make_text.FOREIGN
    for alphabet in ALPHABETS:
        for _ in range(6):
            yield "".join(rng.choice(alphabet) for _ in range(rng.randrange(1, 70)))
    for _ in range(40):
        yield "".join(any_character(rng) for _ in range(rng.randrange(1, 25)))
    for _ in range(40):
        parts = [rng.choice(rng.choice(ALPHABETS)) for _ in range(rng.randrange(1, 30))]
        for _ in range(rng.randrange(4)):
            parts.insert(rng.randrange(len(parts) + 1), rng.choice(CONTROL + USER_DEFINED))
        yield "".join(parts)


def strings_by_class():
    """A few short ones of each class of tokenizer_texts.py, and what once differed."""
    yield from ["\uac00\u11a7 \uc5b4\u11a7\u11b5", "\u0e9a\u0eb9\u0eba", "e\u1ac1\u0316\u0301"]
    for _, text in tokenizer_texts.strings(9, 400):
        text = text.decode(errors="replace") if isinstance(text, bytes) else text
        if len(text) <= 100:
            yield text


def trained(pattern):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(pattern), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    trainer = trainers.BpeTrainer(
        vocab_size=256 + MERGES, show_progress=False, initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()))
    lines = make_text.make_text(2, 60000).split("\n") + make_text.FOREIGN * 12 + BY_HAND[-40:] * 2
    tokenizer.train_from_iterator(lines, trainer)
    tokenizer.add_tokens([AddedToken(t, special=True, normalized=False) for t in CONTROL])
    tokenizer.add_tokens([AddedToken(t, special=False, normalized=False) for t in USER_DEFINED])
    return tokenizer


def vocabulary(name, tokenizer):
    by_text = tokenizer.get_vocab(with_added_tokens=True)
    tokens = sorted(by_text, key=by_text.get)
    assert [by_text[t] for t in tokens] == list(range(len(tokens)))
    types = [CONTROL_TYPE if t in CONTROL else USER_DEFINED_TYPE if t in USER_DEFINED else NORMAL_TYPE for t in tokens]
    merges = [m if isinstance(m, str) else " ".join(m) for m in json.loads(tokenizer.to_str())["model"]["merges"]]
    return {"pre": name, "tokens": tokens, "types": types, "merges": merges}


def case(tokenizer, text):
    def ids(control_is_text=False, normalizer=None):
        tokenizer.encode_special_tokens = control_is_text
        tokenizer.normalizer = normalizer
        return tokenizer.encode(text, add_special_tokens=False).ids

    out = {"text": text, "ids": ids()}
    for key, other in (("plain", ids(control_is_text=True)), ("nfc", ids(normalizer=normalizers.NFC()))):
        if other != out["ids"]:
            out[key] = other
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", help="folder to write into")
    args = parser.parse_args()
    for name, pattern in PATTERNS.items():
        tokenizer = trained(pattern)
        rows = {k: json.dumps(v) for k, v in vocabulary(name, tokenizer).items()}
        texts = [*strings(random.Random(5)), *strings_by_class()]
        cases = [json.dumps(case(tokenizer, text), separators=(",", ":")) for text in texts]
        body = ",\n".join(f'"{k}": {v}' for k, v in rows.items()) + ',\n"cases": [\n' + ",\n".join(cases) + "\n]"
        path = pathlib.Path(args.out) / f"{name}.json"
        path.write_text("{\n" + body + "\n}\n", encoding="ascii")
        print(f"{path}: {len(cases)} cases, {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
