"""The words' machinery of the demo text: random choice, templates, agreement, numbers.

A template is English with two kinds of holes: `[a|b|c]` is one of its alternatives (they nest, one may be empty) and
`{name}` or `{name.attribute}` is filled from a context. Every random choice goes through Dice, which uses nothing but
Random.random(), the one method that gives the same numbers in every Python version.
"""

import functools
import random
import re

UNITS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen"
).split()
TENS = "zero ten twenty thirty forty fifty sixty seventy eighty ninety".split()
IRREGULAR = {
    "child": "children",
    "goose": "geese",
    "mouse": "mice",
    "sheep": "sheep",
    "fish": "fish",
    "loaf": "loaves",
    "knife": "knives",
    "shelf": "shelves",
    "leaf": "leaves",
    "foot": "feet",
    "man": "men",
    "woman": "women",
    "wolf": "wolves",
    "pair of oars": "pairs of oars",
    "jar of honey": "jars of honey",
}


class Dice:
    """All random choices of one document."""

    def __init__(self, *seed):
        self.random = random.Random(":".join(map(str, seed))).random

    def pick(self, items):
        return items[int(self.random() * len(items))]

    def number(self, low, high):
        """low..high, both included."""
        return low + int(self.random() * (high - low + 1))

    def chance(self, p):
        return self.random() < p

    def sample(self, items, count):
        """`count` different items in random order."""
        items = list(items)
        for i in range(count):
            j = self.number(i, len(items) - 1)
            items[i], items[j] = items[j], items[i]
        return items[:count]

    def weighted(self, pairs):
        """One of [(weight, item)]."""
        at = self.random() * sum(weight for weight, _ in pairs)
        for weight, item in pairs:
            at -= weight
            if at < 0:
                return item
        return pairs[-1][1]

    def say(self, template, **context):
        """Fill a template; the first letter of each sentence becomes a capital."""
        out = []
        _fill(parse(template), self, context, out)
        return sentence_case("".join(out))

    def fill(self, template, **context):
        """Fill a template as a part of a sentence: no capitals are made."""
        out = []
        _fill(parse(template), self, context, out)
        return "".join(out)

    def word(self, syllables=2):
        """A word that nobody has seen."""
        return "".join(self.pick(ONSETS) + self.pick(VOWELS) + self.pick(CODAS) for _ in range(syllables))


ONSETS = "b br c cl d dr f fl g gl h j k l m n p pl qu r s sh sk st t tr v w z".split()
VOWELS = "a e i o u a e i o ai ea oo".split()
CODAS = ["", "", "", "l", "n", "m", "r", "s", "x", "nd", "rt", "sk", "th"]


@functools.lru_cache(maxsize=None)
def parse(template):
    """A template as a tuple of: text, (slot, attribute or None), or a list of alternatives."""
    parts, end = _parse_until(template, 0, "")
    if end != len(template):
        raise ValueError(f"stray '{template[end]}' in template: {template}")
    return parts


def _parse_until(text, at, stops):
    parts, start = [], at
    while at < len(text) and text[at] not in stops:
        if text[at] == "]" or (text[at] == "|" and not stops):
            break
        if text[at] not in "[{":
            at += 1
            continue
        if at > start:
            parts.append(text[start:at])
        if text[at] == "{":
            close = text.index("}", at)
            name, _, attribute = text[at + 1 : close].partition(".")
            parts.append((name, attribute or None))
            at = close + 1
        else:
            options = []
            while True:
                option, at = _parse_until(text, at + 1, "|]")
                options.append(option)
                if text[at] == "]":
                    break
            parts.append(options)
            at += 1
        start = at
    if at > start:
        parts.append(text[start:at])
    return tuple(parts), at


def _fill(parts, dice, context, out):
    for part in parts:
        if isinstance(part, str):
            out.append(part)
        elif isinstance(part, list):
            _fill(dice.pick(part), dice, context, out)
        else:
            value = context[part[0]]
            out.append(str(value if part[1] is None else getattr(value, part[1])))


_START = re.compile(r'(?:^|(?<=[.!?:] ")|(?<=[.!?] )|(?<=\n)|^(?<="))[a-z]')


def sentence_case(text):
    if text[:1] == '"' and not text[1 : text.find('"', 1)].isalpha():
        text = '"' + text[1:2].upper() + text[2:]
    return _START.sub(lambda m: m.group().upper(), text)


def article(phrase):
    vowel = (
        phrase[0] in "aeiouAEIOU"
        and not phrase.startswith(("one", "uni", "use"))
        or phrase.startswith(("hon", "hour"))
        and not phrase.startswith("honey")
    )
    return ("an " if vowel else "a ") + phrase


def plural(noun):
    if noun in IRREGULAR:
        return IRREGULAR[noun]
    head, of, rest = noun.partition(" of ")
    if of:
        return plural(head) + of + rest
    first, _, last = noun.rpartition(" ")
    if last in IRREGULAR:
        return f"{first} {IRREGULAR[last]}"
    if noun.endswith(("s", "x", "ch", "sh")):
        return noun + "es"
    if noun.endswith("y") and noun[-2] not in "aeiou":
        return noun[:-1] + "ies"
    return noun + "s"


def count_of(n, noun):
    return f"{n} {noun if n == 1 else plural(noun)}"


def in_words(n):
    """0..999 in words."""
    if n < 20:
        return UNITS[n]
    if n < 100:
        return TENS[n // 10] + ("-" + UNITS[n % 10] if n % 10 else "")
    return UNITS[n // 100] + " hundred" + (" and " + in_words(n % 100) if n % 100 else "")


def listing(items, last="and"):
    items = [str(item) for item in items]
    if len(items) < 3:
        return f" {last} ".join(items)
    return ", ".join(items[:-1]) + f" {last} {items[-1]}"


class Thing:
    """A noun with perhaps an adjective: .name, .a, .the, .pl, .noun."""

    def __init__(self, noun, adjective=""):
        self.noun = noun
        self.name = f"{adjective} {noun}".strip()
        self.a, self.the, self.pl = article(self.name), "the " + self.name, plural(self.name)

    def __str__(self):
        return self.name


def held_out(*what):
    """One combination in 25 is never seen in training; the same on every machine."""
    value = 2166136261
    for byte in "|".join(map(str, what)).encode():
        value = (value ^ byte) * 16777619 & 0xFFFFFFFF
    value ^= value >> 15
    return value % 25 == 0
