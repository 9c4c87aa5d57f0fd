"""Strings to compare tokenizers on: a seeded generator, by classes, valid text and broken UTF-8.

    python3 scripts/tokenizer_texts.py --count 20               # a look at them
    python3 scripts/tokenizer_texts.py --bytes 10000000 FILE    # mixed text in one file, for timing

The same seed gives the same strings with Python 3.11 (its tables are those of Unicode 14, which bound the characters
that are used). Words are made of syllables of each script, some frequent and most rare, so that a tokenizer trained on
one seed finds long and short merges in another. All patterns are our own.
"""
import argparse
import functools
import json
import random
import unicodedata

import make_text

SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<think>", "</think>", "<tool_call>", "</tool_call>",
           "<tool_response>", "</tool_response>", "<|fim_prefix|>", "<|object_ref_start|>"]

# First letters and later ones of a script's syllables.
SCRIPTS = {
    "latin": ("b c d f g h j k l m n p r s t v w z br tr st ch sh".split(), list("aeiouy") + ["ee", "ou", "an", "er"]),
    "accented": (list("bcdfglmnprstvçñšžřłßđ"), list("áàâäåãéèêëíîïóòôöõøúùûüýÿąęőűı")),
    "vietnamese": ("b c d đ g h k l m n ng nh ph qu t th tr v x".split(), "ấ ầ ẩ ẫ ậ ắ ằ ế ề ể ễ ệ ố ồ ộ ớ ờ ợ ứ ừ ự ư ơ iê".split()),
    "cyrillic": (list("бвгджзклмнпрстфхцчшщ"), list("аеёиоуыэюяйї")),
    "greek": (list("βγδζθκλμνξπρστφχψ"), list("αεηιουωάέήίόύώϊΐ")),
    "armenian": (list("բգդզթլխծկհձղճմյնշչպջռսվտրցփք"), list("աեէըիոօու")),
    "georgian": (list("ბგდვზთკლმნპჟრსტფქღყშჩცძწჭხჯჰ"), list("აეიოუ")),
    "arabic": (list("بتثجحخدذرزسشصضطظعغفقكلمنهو"), list("ايوىةءآأإ") + ["َ", "ُ", "ِ", "ّ", "ْ"]),
    "hebrew": (list("בגדהוזחטיכלמנסעפצקרשת"), ["א", "ו", "י", "ה", "ָ", "ַ", "ֵ", "ִ", "ּ"]),
    "devanagari": (list("कखगघचछजझटठडढणतथदधनपफबभमयरलवशषसह"), ["ा", "ि", "ी", "ु", "ू", "े", "ै", "ो", "ौ", "ं", "ः", "्", "़", ""]),
    "bengali": (list("কখগঘচছজটঠডতথদধনপফবভমযরলশসহ"), ["া", "ি", "ী", "ু", "ে", "ৈ", "ো", "ৌ", "ং", "্", ""]),
    "tamil": (list("கஙசஞடணதநபமயரலவழளறன"), ["ா", "ி", "ீ", "ு", "ூ", "ெ", "ே", "ை", "ொ", "ோ", "ௌ", "்", ""]),
    "telugu": (list("కఖగచజటడణతదనపబమయరలవశసహ"), ["ా", "ి", "ీ", "ు", "ె", "ే", "ై", "ొ", "ో", "ం", "్", ""]),
    "thai": (list("กขคงจฉชซดตถทธนบปผฝพฟมยรลวสหอ"), ["ะ", "ั", "า", "ิ", "ี", "ึ", "ุ", "ู", "่", "้", "็", "์", "เ", "แ", "ไ"]),
    "lao": (list("ກຂຄງຈສຊຍດຕຖທນບປຜຝພຟມຢລວຫອຮ"), ["ະ", "ັ", "າ", "ິ", "ີ", "ຸ", "ູ", "່", "້", "ເ", "ແ"]),
    "khmer": (list("កខគឃងចឆជញដឋណតថទធនបផពភមយរលវសហឡអ"), ["ា", "ិ", "ី", "ុ", "ូ", "េ", "ែ", "ំ", "្", ""]),
    "myanmar": (list("ကခဂငစဆဇညတထဒနပဖဗမယရလဝသဟအ"), ["ာ", "ိ", "ီ", "ု", "ူ", "ေ", "ံ", "့", "း", "်", "္"]),
    "tibetan": (list("ཀཁགངཅཆཇཉཏཐདནཔཕབམཙཚཛཞཟཡརལཤསཧ"), ["ི", "ུ", "ེ", "ོ", "་", "ྱ", "ྲ", ""]),
    "ethiopic": (list("ሀለሐመሠረሰሸቀበተቸነኘአከወዐዘየደገጠጸፀፈፐ"), list("ሁሊሓሜስሮሽቆቢቱ")),
    "han": ([chr(c) for c in range(0x4E00, 0x5600, 3)], [chr(c) for c in range(0x6000, 0x7000, 5)] + [""]),
    "kana": (list("あいうえおかきくけこさしすせそたちつてとなにぬねのはひふへほまみむめもやゆよらりるれろわをん"), list("ゃゅょっーがぎぐげござじずぜぞアイウエオカキクケコパピプペポ")),
    "hangul": ([chr(c) for c in range(0xAC00, 0xC000, 17)], [chr(c) for c in range(0xC000, 0xD7A0, 31)]),
}
WITHOUT_SPACES = {"thai", "lao", "khmer", "myanmar", "han", "kana", "tibetan"}
STOPS = {"han": "，。！？、；：「」（）", "kana": "、。！？「」・〜", "arabic": "،؟؛.!", "devanagari": "।॥,?", "hebrew": ".,?!־׳"}
SPACES = [" ", "  ", "\n", "\r\n", "\t", "\u00a0", "\u2003", "\u3000", "\u2009", "\u202f", "\u0085", "\u2028", "\u2029",
          "\u180e", "\u200b", "\v", "\f", "\r", "    ", "\n\n", "\x1c", "\x1f", "\u1680", "\u205f"]
DIGITS = ["0123456789", "٠١٢٣٤٥٦٧٨٩", "०१२३४५६७८९", "০১২৩৪৫৬৭৮৯", "๐๑๒๓๔๕๖๗๘๙", "０１２３４５６７８９", "一二三四五六七八九十百千", "ⅠⅡⅢⅣⅧⅫ",
          "½⅓¼¾⅞", "¹²³⁴₅₆", "①②③⑳", "𝟘𝟙𝟚𝟛"]
CONTROLS = [chr(c) for c in (*range(0x20), *range(0x7F, 0xA1), 0xAD, *range(0x200B, 0x2010), *range(0x202A, 0x202F),
                             *range(0x2060, 0x2065), *range(0x2066, 0x206A), 0xFEFF, 0xFFF9, 0xFFFD, 0xFFFE, 0xFDD0, 0xE000,
                             0xF8FF, 0xE0001, 0xE0041, 0x1FFFE, 0xF0000, 0x10FFFD, 0x61C, 0x115F, 0x3164)]
MARKS = [chr(c) for c in (*range(0x300, 0x370), *range(0x483, 0x488), *range(0x591, 0x5BE), *range(0x64B, 0x660),
                          *range(0x1AB0, 0x1ABE), *range(0x1DC0, 0x1DE0), *range(0x20D0, 0x20F1), *range(0xFE20, 0xFE30), 0x3099,
                          0x309A, 0x93C, 0x94D, 0xE38, 0xF71, 0x0C55)]
# Characters that NFC changes by themselves, and neighbours that it joins.
UNSTABLE = [chr(c) for c in (0x340, 0x341, 0x343, 0x344, 0x374, 0x37E, 0x387, 0x958, 0x95F, 0x9DC, 0xA33, 0xB5C, 0xF43, 0xF73,
                             0xF81, 0x1F71, 0x1FBE, 0x2000, 0x2001, 0x2126, 0x212A, 0x212B, 0x2329, 0x2ADC, 0xF900, 0xFA10,
                             0xFB1D, 0xFB4E, 0x1D15E, 0x2F800)]
EMOJI = list("😀😂🙂🙃😍🤔👍👎👋🤝💪🧑👩👨👧👦🐶🐱🌾🚀⚓☂❤✂✈☎♻🏳🏴🎉🔥💯🧠🫠🥹")
SKIN = [chr(c) for c in range(0x1F3FB, 0x1F400)]
FORMS = ["'s", "'t", "'re", "'ve", "'m", "'ll", "'d", "'S", "'T", "'RE", "'Ve", "'M", "'Ll", "'D", "'lL", "'x", "'", "’s", "’re",
         "'\u017f", "'sx", "'tis", "''s", "'ll've", "'\u00a0s", "`s", "'re'", " 's"]
UNITS = "% ° km kg ms GB €".split() + ["", "", ""]


@functools.cache
def lexicon(script):
    """A script's words: a few short ones, many longer ones, the same for every seed."""
    rng = random.Random(f"words of {script}")
    first, later = SCRIPTS[script]
    longest = 3 if script in WITHOUT_SPACES or script == "hangul" else 5
    return ["".join(rng.choice(first) + rng.choice(later) for _ in range(rng.randint(1, 1 + i * longest // 3000)))
            for i in range(3000)]


def word(rng, script):
    words = lexicon(script)
    return words[int(len(words) * rng.random() ** 3)]


def cased(rng, text):
    return rng.choice([str, str, str.capitalize, str.upper])(text)


def phrase(rng, script, low=1, high=16):
    stops = STOPS.get(script, ".,!?;:")
    parts = []
    for _ in range(rng.randint(low, high)):
        parts.append(cased(rng, word(rng, script)))
        if rng.random() < 0.15:
            parts.append(rng.choice(stops))
        if script not in WITHOUT_SPACES or rng.random() < 0.1:
            parts.append(" ")
    return "".join(parts)


def of_scripts(*names):
    return lambda rng: phrase(rng, rng.choice(names))


def prose(rng):
    text = make_text.make_text(rng.randrange(1 << 30), 200)
    start = rng.randrange(60)
    return text[start:start + rng.randint(1, 200)]


def name(rng):
    parts = [word(rng, "latin") for _ in range(rng.randint(1, 3))]
    return rng.choice([parts[0], "_".join(parts), parts[0] + "".join(p.capitalize() for p in parts[1:]),
                       "".join(p.capitalize() for p in parts), "_".join(parts).upper(), "-".join(parts)])


def code(rng):
    a, b, c = name(rng), name(rng), name(rng)
    n, pad = rng.randrange(10000), rng.choice(["  ", "    ", "\t"]) * rng.randint(0, 4)
    return rng.choice([
        f"{pad}for (int {a} = 0; {a} < {n}; ++{a}) {{\n{pad}  {b}[{a}] += {c}->{a}({n}.0f);  // {b}\n{pad}}}\n",
        f"{pad}def {a}(self, *{b}, **{c}):\n{pad}    return {{'{a}': [{b} for {b} in {c} if {b} != {n}]}}\n\n",
        f"{pad}pub fn {a}<T: {b}>(&mut self, {c}: &'a str) -> Result<Vec<T>, Error> {{ {c}?.iter().map(|x| x + {n}) }}",
        f"const {a} = async ({{ {b}, ...{c} }}) => `${{{b}}}: ${{await {c}({n})}}`;\r\n",
        f"SELECT {a}.{b}, COUNT(*) FROM {c} AS t WHERE {a} <> '{b}' AND x >= {n} GROUP BY 1;\n",
        f"<div class=\"{a}\" id='{b}'>\n{pad}<a href=\"https://{a}.example.org/{b}?q={n}&amp;r=%20{c}#top\">{c}</a>\n</div>",
        json.dumps({a: [n, n / 8, None, True], b: {c: f"{a}\n\"{b}\""}}, indent=rng.choice([None, 2, 4])),
        f"#!/bin/sh\nset -euo pipefail\n{a}=$(grep -c '{b}' \"${{{c}:-/tmp/{a}.{n}}}\" | awk '{{print $1}}') && echo \"$?\"\n",
        f"\\begin{{{a}}}\n{pad}\\frac{{{b}^{n}}}{{\\sqrt{{{c}_{{i+1}}}}}} \\leq \\sum_{{k=0}}^\\infty {a}_k\\\\\n",
        f"{a}:\n{pad}- {b}: \"{c}\"\n{pad}  {c}: [{n}, 0x{n:x}, {n}e-{n % 9}]\n# {a}\n",
        f"@@ -{n},7 +{n},9 @@ {a}()\n-{pad}{b};\n+{pad}{c} = !{b} || ~{a} ^ {n};\n",
        f"C:\\Users\\{a}\\{b}.{c} -> /usr/lib/{a}/{b}-{n % 10}.{n % 7}.so.{n}",
        f"#define {a.upper()}({b}) do {{ ({b})->{c} &= ~(1u << {n % 32}); }} while (0)\n"])


def numbers(rng):
    def one():
        n = rng.randrange(10 ** rng.randint(1, 15))
        return rng.choice([str(n), f"{n:,}", f"{n / 997:.3f}", f"{n:x}", f"0x{n:X}", f"{n:.2e}", f"-{n}", f"v{n % 9}.{n % 11}.{n % 13}-rc{n % 5}",
                           f"{n % 24:02}:{n % 60:02}:{n % 59:02}", f"{1900 + n % 200}-{n % 12 + 1:02}-{n % 28 + 1:02}", f"({n % 1000}) {n}",
                           "".join(rng.choice(rng.choice(DIGITS)) for _ in range(rng.randint(1, 8))), f"{n}{rng.choice(UNITS)}"])
    return rng.choice([" ", "", ", ", "\n", "\t"]).join(one() for _ in range(rng.randint(1, 12)))


def spaces(rng):
    out = []
    for _ in range(rng.randint(1, 12)):
        out.append(rng.choice(SPACES) * rng.choice([1, 1, 1, 2, 3, 7, 16]))
        if rng.random() < 0.6:
            out.append(rng.choice([word(rng, "latin"), ".", "{", "7", word(rng, rng.choice(list(SCRIPTS)))]))
    return "".join(out)


def contractions(rng):
    return "".join(cased(rng, word(rng, "latin")) + rng.choice(FORMS) + rng.choice([" ", " ", "", "\n", ", "])
                   for _ in range(rng.randint(1, 10)))


def punctuation(rng):
    signs = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~§«»¿¡—–…‘’“”„†‡•‰№™©®→←⇒∀∃∑√∞≤≥≠±×÷€£¥₹│┼█░▓■◆★☆♠♥"
    return "".join(rng.choice([rng.choice(signs), rng.choice(signs) * rng.randint(2, 9), " ", "\n", word(rng, "latin")])
                   for _ in range(rng.randint(1, 25)))


def controls(rng):
    return "".join(rng.choice(CONTROLS) if rng.random() < 0.6 else rng.choice([" ", "a", "word", "\n", "é", "中", "1"])
                   for _ in range(rng.randint(1, 25)))


def one_emoji(rng):
    base = rng.choice(EMOJI)
    return rng.choice([
        base, base + "\ufe0f", base + rng.choice(SKIN), base + rng.choice(SKIN) + "\u200d" + rng.choice(EMOJI) + "\ufe0f",
        "\u200d".join(rng.choice(EMOJI) for _ in range(rng.randint(2, 4))), rng.choice("0123456789#*") + "\ufe0f\u20e3",
        chr(0x1F1E6 + rng.randrange(26)) + chr(0x1F1E6 + rng.randrange(26)),
        "\U0001f3f4" + "".join(chr(0xE0000 + ord(c)) for c in rng.choice(["gbeng", "gbsct", "gbwls"])) + "\U000e007f",
        "\u200d", rng.choice(SKIN)])


def emoji(rng):
    return "".join(rng.choice([one_emoji(rng), one_emoji(rng), " ", word(rng, "latin"), "!", "\n"]) for _ in range(rng.randint(1, 14)))


def combining(rng):
    kind = rng.randrange(5)
    if kind == 0:
        return unicodedata.normalize("NFD", phrase(rng, rng.choice(["accented", "vietnamese", "greek", "cyrillic", "hangul", "kana"])))
    if kind == 1:
        return "".join(rng.choice("aeiouAEOUnsz dq\u0915\u05d0\u0627") + "".join(rng.choice(MARKS) for _ in range(rng.randint(0, 5)))
                       for _ in range(rng.randint(1, 12)))
    if kind == 2:
        return "".join(rng.choice(UNSTABLE + MARKS[:20] + ["a", " "]) for _ in range(rng.randint(1, 16)))
    if kind == 3:
        jamo = [chr(rng.choice([rng.randrange(0x1100, 0x1113), rng.randrange(0x1161, 0x1176), rng.randrange(0x11A7, 0x11C3),
                                0xAC00 + 28 * rng.randrange(399)])) for _ in range(rng.randint(1, 16))]
        return "".join(jamo)
    return unicodedata.normalize("NFKD", phrase(rng, rng.choice(list(SCRIPTS))))


@functools.cache
def assigned():
    """Code points of Unicode 14 or older, surrogates and private use aside."""
    return [c for c in range(0x110000) if unicodedata.category(chr(c)) not in ("Cn", "Cs", "Co")]


@functools.cache
def unassigned():
    """Code points below the private planes that mean nothing in Unicode 14; some do since."""
    return [c for c in range(0x33480) if unicodedata.category(chr(c)) == "Cn"]


def any_unicode(rng):
    points = assigned()
    low = rng.randrange(len(points))
    near = lambda: points[min(len(points) - 1, low + rng.randrange(200))]  # noqa: E731
    return "".join(chr(rng.choice([near(), near(), rng.choice(points), 0x20])) for _ in range(rng.randint(1, 24)))


def newer_unicode(rng):
    return "".join(rng.choice([chr(rng.choice(unassigned())), "a", " ", "1"]) for _ in range(rng.randint(1, 12)))


def special(rng):
    out = []
    for _ in range(rng.randint(1, 10)):
        token = rng.choice(SPECIAL)
        cut = rng.randrange(len(token))
        out.append(rng.choice([token, token, token, token[:cut], token[cut:], token.upper(), token[:cut] + token + token[cut:],
                               " ", "\n", "<", "|>", phrase(rng, rng.choice(list(SCRIPTS)), 1, 3), "e\u0301", "\u0301"]))
    return "".join(out)


def long_run(rng):
    n = int(10 ** rng.uniform(2, 4.5))
    unit = rng.choice([rng.choice("a Z0.-=\n\t中é🙂ا"), word(rng, rng.choice(list(SCRIPTS))), rng.choice(MARKS), "e\u0301", " \n",
                       "\r\n", "ab", "1", "'s", one_emoji(rng), "<|im_", rng.choice(SPECIAL), "\u0915\u094d", "\u1100\u1161\u11a8"])
    return (unit * (n // len(unit) + 1))[:n] + rng.choice(["", "x", " ", "\n", "9"])


def mixed(rng):
    makers = [f for _, f, _ in CLASSES if f not in (mixed, long_run, broken)]
    return "".join(rng.choice(makers)(rng)[:rng.randint(1, 40)] + rng.choice(["", " ", "\n"]) for _ in range(rng.randint(2, 8)))


def broken(rng):
    """Bytes that are not UTF-8, without zero bytes."""
    data = bytearray(mixed(rng)[:120].encode())
    bad = [b"\x80", b"\xbf\xbf", b"\xc0\x80", b"\xc1\xbf", b"\xe0\x80\x80", b"\xed\xa0\x80", b"\xed\xbf\xbf", b"\xf0\x80\x80\x80",
           b"\xf4\x90\x80\x80", b"\xf5", b"\xfe\xff", b"\xc3", b"\xe4\xb8", b"\xf0\x9f\x98", b"\xf0\x9f", b"\xe2", b"\xcc"]
    for _ in range(rng.randint(1, 5)):
        at = rng.randrange(len(data) + 1)
        kind = rng.randrange(4)
        if kind == 0:
            data[at:at] = rng.choice(bad)
        elif kind == 1:
            data[at:at] = rng.randbytes(rng.randint(1, 6))
        elif kind == 2:
            del data[at:at + rng.randint(1, 2)]
        elif at < len(data):
            data[at] ^= 1 << rng.randrange(8)
    data = bytes(b or 0xFF for b in data)
    text = data.decode(errors="replace")
    if any(unicodedata.category(c) == "Cn" and c not in CONTROLS for c in text):
        return broken(rng)  # by chance a character that is newer than the rest
    return data if text.encode() != data else data + rng.choice(bad)


# Class, maker, strings of 1,000.
CLASSES = [
    ("prose", prose, 60), ("code", code, 90), ("numbers", numbers, 45), ("white space", spaces, 55),
    ("contractions", contractions, 45), ("punctuation", punctuation, 35), ("control characters", controls, 40),
    ("accented Latin", of_scripts("accented", "vietnamese", "latin"), 45),
    ("Cyrillic, Greek, Caucasus", of_scripts("cyrillic", "greek", "armenian", "georgian", "ethiopic"), 50),
    ("CJK", of_scripts("han", "kana", "hangul"), 60), ("Arabic and Hebrew", of_scripts("arabic", "hebrew"), 45),
    ("Indic", of_scripts("devanagari", "bengali", "tamil", "telugu"), 45),
    ("South-East Asian", of_scripts("thai", "lao", "khmer", "myanmar", "tibetan"), 45), ("emoji", emoji, 45),
    ("combining marks", combining, 60), ("any Unicode", any_unicode, 30), ("special tokens", special, 40),
    ("long runs", long_run, 10), ("mixed", mixed, 0), ("broken UTF-8", broken, 100)]
CLASSES[-2] = ("mixed", mixed, 1000 - sum(n for _, _, n in CLASSES))


def strings(seed, count):
    """(class, str or bytes) of `count` strings, the classes one after another."""
    for i, (title, maker, share) in enumerate(CLASSES):
        rng = random.Random(f"{seed} {title}")
        for _ in range(count * share // 1000):
            yield title, maker(rng)


def newer(seed, count):
    rng = random.Random(f"{seed} newer")
    return [newer_unicode(rng) for _ in range(count)]


def mixed_text(seed, n_bytes):
    """One valid text of about so many bytes, a third of it ASCII prose and code, without long runs."""
    rng = random.Random(f"{seed} text")
    makers = [maker for title, maker, share in CLASSES if maker not in (broken, long_run) for _ in range(share)]
    parts, size = [], 0
    while size < n_bytes:
        parts.append((rng.choice(makers) if rng.random() < 0.7 else rng.choice([prose, code]))(rng))
        size += len(parts[-1].encode()) + 1
    return "\n".join(parts)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--bytes", type=int, help="write mixed text of this size")
    parser.add_argument("file", nargs="?")
    args = parser.parse_args()
    if args.bytes and args.file:
        with open(args.file, "wb") as out:
            out.write(mixed_text(args.seed, args.bytes).encode())
        return
    for title, text in strings(args.seed, args.count):
        print(f"{title}: {text!r}")


if __name__ == "__main__":
    main()
