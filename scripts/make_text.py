"""Writes a text to measure perplexity on: plain English with some code-like and some non-English lines.

    python3 scripts/make_text.py tests/data/text/story.txt
    python3 scripts/make_text.py --seed 7 --bytes 20000 other.txt

The same seed and size give the same bytes on every machine. All words and patterns are our own and stand here. The
text holds no backslash: some perplexity tools take "\\n" in a file for a line break. It ends in one newline.
"""
import argparse

NAMES = "Ada Bram Celia Doro Edda Finn Greta Hanno Ilse Jon Karin Lars Mira Nils Oda Piet Rika Sven Tilda Wim".split()
PLACES = [
    "the harbour", "the old mill", "the bakery on the corner", "the lighthouse", "the market square", "the ferry",
    "the reading room", "the orchard", "the bridge over the canal", "the clock tower", "the boatyard", "the school",
    "the garden behind the church", "the post office", "the quarry", "the tram depot", "the glass house",
]
THINGS = [
    "lantern", "map", "letter", "basket of plums", "broken clock", "violin", "blue kite", "rope", "iron key",
    "jar of honey", "folding chair", "wheelbarrow", "tin whistle", "notebook", "pair of oars", "loaf of rye bread",
    "copper kettle", "wooden spoon", "bicycle pump", "telescope", "patched umbrella", "box of nails",
]
QUALITIES = [
    "heavy", "small", "forgotten", "painted", "borrowed", "rusty", "careful", "warm", "narrow", "patient", "crooked",
    "bright", "quiet", "salty", "empty", "clever", "ordinary", "half-finished", "dusty", "surprising",
]
WEATHER = [
    "It rained until noon", "The wind had turned to the east", "Fog lay over the water", "The sun came out at last",
    "Snow fell without a sound", "The evening was clear and cold", "A storm was on its way", "The tide was going out",
]
VERBS = [
    ("carried", "carry"), ("found", "find"), ("mended", "mend"), ("sold", "sell"), ("hid", "hide"), ("lost", "lose"),
    ("lent", "lend"), ("drew", "draw"), ("cleaned", "clean"), ("wanted", "want"), ("kept", "keep"), ("bought", "buy"),
]
REASONS = [
    "because nobody else would", "since the winter had been long", "although it was late", "before the bell rang",
    "while the others were asleep", "as her grandmother had done", "for no reason that anyone could name",
    "so that the children could see it", "when the boats came home", "after a great deal of thought",
]
SAYINGS = [
    "We'll see about that", "I've never liked Tuesdays", "You're early, and that's good", "It can't be helped",
    "Don't ask me twice", "They'd have told us by now", "Somebody has to count them", "That is what maps are for",
    "I'm sure it was here yesterday", "Let us begin with the easy part", "Nothing floats that was built in a hurry",
]
FOREIGN = [
    "Der Müller öffnete das große Tor und grüßte die Gäste höflich.",
    "Où est passée la clé du grenier ? demanda la garçonne, déçue.",
    "El niño cruzó el puente mañana y tarde, ¡siempre corriendo!",
    "Мельник закрыл ворота и пошёл домой через мост.",
    "Ο φάρος άναψε πριν από τη βροχή.",
    "桥边的面包店每天早上六点开门。",
    "灯台の明かりが海の上でゆっくり回っていた。",
    "등대지기는 창문을 닫고 편지를 읽었다.",
    "नाव धीरे-धीरे किनारे पर आई।",
    "كانت السفينة صغيرة والبحر هادئا.",
    "המפתח הישן נמצא בכיס המעיל.",
    "Łódź płynęła powoli, a żagiel był żółty.",
    "Chiếc thuyền nhỏ trôi qua cầu lúc năm giờ sáng.",
    "She wrote “seven boats – no, eight” … and underlined it twice. ☂ ⚓ 🙂 👩‍🌾",
    "Tomorrow: 18 °C, wind 5 m/s, ±2; tickets €3.50 → half price for children ½.",
]
CODE_NAMES = "boats lamps jars keys pages ropes stairs clocks plums oars".split()


class Dice:
    """A linear congruential generator: its numbers do not depend on the version of Python."""

    def __init__(self, seed):
        self.state = seed

    def below(self, n):
        self.state = (self.state * 6364136223846793005 + 1442695040888963407) % 2**64
        return (self.state >> 33) % n

    def pick(self, choices):
        return choices[self.below(len(choices))]


def article(words):
    return ("an " if words[0] in "aeiou" else "a ") + words


def thing(dice):
    return f"{dice.pick(QUALITIES)} {dice.pick(THINGS)}" if dice.below(2) else dice.pick(THINGS)


def sentence(dice, who, other):
    past, plain = dice.pick(VERBS)
    kind = dice.below(12)
    if kind == 0:
        return f"{dice.pick(WEATHER)}, and {who} walked to {dice.pick(PLACES)} {dice.pick(REASONS)}."
    if kind == 1:
        return f'"{dice.pick(SAYINGS)}," said {who}.'
    if kind == 2:
        return f'"{dice.pick(SAYINGS)}," {other} answered, "but did you {plain} the {dice.pick(THINGS)}?"'
    if kind == 3:
        return f"At {dice.pick(PLACES)} there was {article(thing(dice))}, and {other} {past} it {dice.pick(REASONS)}."
    if kind == 4:
        n, each = 2 + dice.below(18), 2 + dice.below(9)
        return f"{who} counted {n} rows of {each} lamps, which makes {n * each} lamps in all."
    if kind == 5:
        return f"Neither {who} nor {other} would {plain} {article(thing(dice))} {dice.pick(REASONS)}."
    if kind == 6:
        return f"The {thing(dice)} stood at {dice.pick(PLACES)}; {who}'s {dice.pick(THINGS)} did not."
    if kind == 7:
        year, price = 1820 + dice.below(200), f"{1 + dice.below(40)}.{10 + dice.below(90)}"
        return f"In {year} {article(thing(dice))} cost {price} crowns."
    if kind == 8:
        return f"Why should anyone {plain} {article(thing(dice))}? {who} had no answer."
    return f"{who} {past} {article(thing(dice))} at {dice.pick(PLACES)} {dice.pick(REASONS)}."


def paragraph(dice):
    first = dice.below(len(NAMES))
    who, other = NAMES[first], NAMES[(first + 1 + dice.below(len(NAMES) - 1)) % len(NAMES)]
    return " ".join(sentence(dice, who, other) for _ in range(3 + dice.below(6)))


def code(dice):
    many, n = dice.pick(CODE_NAMES), dice.below(900)
    one = many[:-1]
    return dice.pick([
        f"def count_{many}({many}, limit={n}):\n    total = 0\n    for {one} in {many}:\n"
        f"        if {one}.size > limit and not {one}.broken:\n            total += 1\n    return total",
        f"for (int i = 0; i < n_{many}; ++i) {{\n\tsum[i % 8] += {many}[i]->weight * 0x{n:X};\t// every {one} once\n}}",
        f'{{"{many}": [{n}, {n + 1}, null], "note": "kept at {dice.pick(PLACES)}", "open": true}}',
        f"SELECT name, count(*) FROM {many} WHERE weight >= {n}.5 GROUP BY name ORDER BY 2 DESC;",
        f"$ ls -la ~/{many} | grep -v '^d' | wc -l\n{n}",
        f"<ul class=\"{many}\">\n  <li>{one} {n}</li>\n</ul>",
    ])


def listing(dice):
    rows = [f"  {i + 1}. {thing(dice)} -- {dice.pick(PLACES)}" for i in range(3 + dice.below(4))]
    return f"What {dice.pick(NAMES)} took along:\n" + "\n".join(rows)


def make_text(seed, size):
    dice = Dice(seed)
    parts = []
    length = 0
    chapter = 0
    while length < size:
        kind = dice.below(20)
        if len(parts) % 40 == 0:
            chapter += 1
            part = f"# {chapter}. {dice.pick(NAMES)} and the {thing(dice)}"
        elif kind < 15:
            part = paragraph(dice)
        elif kind < 17:
            part = code(dice)
        elif kind < 18:
            part = listing(dice)
        else:
            part = dice.pick(FOREIGN)
        parts.append(part)
        length += len(part.encode()) + 2
    return "\n\n".join(parts) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--bytes", type=int, default=60000, help="stop after about this many (default 60000)")
    parser.add_argument("out")
    args = parser.parse_args()
    with open(args.out, "wb") as out:
        out.write(make_text(args.seed, args.bytes).encode())


if __name__ == "__main__":
    main()
