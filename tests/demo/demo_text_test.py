#!/usr/bin/env python3
"""Tests of the demo model's text: the same text from the same seed, answers that agree with the world, sizes.

usage: demo_text_test.py [unittest options]

Plain Python; the chat template is compared with jinja2 where that is installed.
"""

import hashlib
import json
import re
import sys
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DEMO = ROOT / "scripts" / "demo"
sys.path.insert(0, str(DEMO))
import facts
import generate
import language
import recall
import stories
import template
import tools_text
import turns
import world
from language import Dice

try:
    import jinja2
except ImportError:
    jinja2 = None

# Of the first 40 documents of seed 1. It changes whenever a word of the generator changes; write the new one here then.
# What it is for: the same text on every machine and with every Python version.
DIGEST = "7836a70374129568"


class Machinery(unittest.TestCase):
    def test_same_seed_same_text(self):
        text = "".join(generate.document(1, n)[1] for n in range(40))
        self.assertEqual(hashlib.sha256(text.encode()).hexdigest()[:16], DIGEST)
        self.assertNotEqual(generate.document(1, 3), generate.document(2, 3))

    def test_splits_share_no_document(self):
        first = lambda held: {n for _, n in zip(range(100), generate.numbers(0, held))}
        self.assertFalse(first(False) & first(True))

    def test_template_alternatives_slots_and_errors(self):
        d = Dice(1)
        seen = {d.say("[a|b[c|d]|] {x.name}", x=language.Thing("key", "old")) for _ in range(200)}
        self.assertEqual(seen, {"A old key", "Bc old key", "Bd old key", " old key"})
        for bad in ("a]b", "{open", "[a|b"):
            with self.assertRaises((ValueError, IndexError), msg=bad):
                d.say(bad)

    def test_agreement(self):
        for phrase, want in {
            "apple": "an apple",
            "honest man": "an honest man",
            "jar of honey": "a jar of honey",
            "honey cake": "a honey cake",
            "key": "a key",
        }.items():
            self.assertEqual(language.article(phrase), want)
        for noun, want in {
            "jar of honey": "jars of honey",
            "loaf of bread": "loaves of bread",
            "box": "boxes",
            "berry": "berries",
            "goose": "geese",
        }.items():
            self.assertEqual(language.plural(noun), want)
        self.assertEqual(
            [language.in_words(n) for n in (0, 13, 40, 99, 100, 342)],
            ["zero", "thirteen", "forty", "ninety-nine", "one hundred", "three hundred and forty-two"],
        )


class World(unittest.TestCase):
    def test_tables_name_only_what_exists(self):
        for place in world.PLACES.values():
            self.assertIn(place.near, world.PLACES)
        for (a, _), b in world.RELATIONS.items():
            self.assertIn(a, world.PEOPLE)
            self.assertIn(b, world.PEOPLE)
        for table in (world.PETS, world.BOATS):
            for row in table:
                self.assertTrue(set(row) & set(world.PEOPLE), row)
        self.assertFalse(set(world.PEOPLE) & set(world.GUESTS_F + world.GUESTS_M), "a guest has a villager's name")

    def test_relations_go_both_ways(self):
        for (a, relation), b in world.RELATIONS.items():
            self.assertIn(
                a,
                [other for (x, _), other in world.RELATIONS.items() if x == b],
                f"{b} is {a}'s {relation}, but not back",
            )

    def test_every_answer_holds_its_fact(self):
        d = Dice(2)
        for fact in facts.FACTS:
            for tell in fact.tell:
                self.assertIn(fact.short.lower(), d.say(tell).lower(), fact.key)

    def test_a_question_has_one_answer(self):
        """The same words asked twice, of two facts, must not have two answers."""
        seen = {}
        for fact in facts.FACTS:
            for ask in fact.ask:
                other = seen.setdefault(ask, fact)
                self.assertEqual(other.short, fact.short, ask)

    def test_held_out_questions_are_never_asked_in_training(self):
        held = {(f.key, i) for f in facts.FACTS for i in range(len(f.ask)) if language.held_out(f.key, i)}
        share = len(held) / sum(len(f.ask) for f in facts.FACTS)
        self.assertTrue(0.02 < share < 0.07, share)
        for fact in facts.FACTS[:300]:
            d = Dice("held", fact.key)
            for _ in range(5):
                ask = turns.ask_fact(d, fact)
                if ask:
                    self.assertNotIn((fact.key, fact.ask.index(ask)), held)


class Answers(unittest.TestCase):
    def test_sums_are_right(self):
        for n in range(400):
            ask, think, answer = turns.sum_turn(Dice("sum", n))
            a, b = map(int, re.findall(r"\d+", ask)[:2])
            result = int(re.findall(r"\d+", answer)[-1])
            wanted = {
                "+": a + b,
                "plus": a + b,
                "-": a - b,
                "minus": a - b,
                "*": a * b,
                "times": a * b,
                "x": a * b,
                "/": a / b if b else 0,
                "divided": a / b if b else 0,
            }
            sign = re.search(r"\d+ (\+|plus|-|minus|\*|times|x|/|divided)", ask).group(1)
            self.assertEqual(result, wanted[sign], ask)
            for x, op, y, z in re.findall(r"(\d+) ([-+*/]) (\d+) = (\d+)", think):
                self.assertEqual(
                    {"+": int(x) + int(y), "-": int(x) - int(y), "*": int(x) * int(y), "/": int(x) // max(1, int(y))}[
                        op
                    ],
                    int(z),
                    think,
                )

    def test_shopping_adds_up(self):
        for n in range(200):
            ask, _, answer = turns.shopping(Dice("shop", n))
            total = 0
            for good, price in world.PRICES.items():
                for amount, name in re.findall(r"(\d+) ([a-z ]+?)(?= and |\?)", ask):
                    if name in (good, language.plural(good)):
                        total += int(amount) * price
            self.assertEqual(int(re.search(r"(\d+) coin", answer).group(1)), total, ask)

    def test_words_are_sorted_spelled_and_copied(self):
        for n in range(300):
            ask, _, answer = turns.sorting(Dice("sort", n))
            if "alphabet" in ask.lower():
                given = re.split(", ", ask.split(": ", 1)[1].rstrip("."))
                self.assertEqual(answer.rstrip(".").split(", "), sorted(given))
            ask, _, answer = turns.repeat(Dice("repeat", n))
            self.assertEqual(ask.split(": ", 1)[1], answer)

    def test_recall_asks_for_what_was_said(self):
        for n in range(100):
            messages, value = recall.recall_chat(Dice("recall", n), 300)
            said = [m["content"] for m in messages if value.lower() in m["content"].lower()]
            self.assertGreaterEqual(len(said), 2, value)
            asked = recall.ledgers(Dice("ledger", n))
            for _, _, answer, value in asked:
                self.assertIn(value, asked[0][0])  # the first question holds the list
                self.assertIn(value, answer)

    def test_memory_asks_only_for_what_was_said(self):
        checked = 0
        for n in range(100):
            said = ""
            for m in recall.memory_chat(Dice("memory", n), 2000):
                if m["role"] == "assistant":
                    for value in re.findall(r"(?:It is|Your name is|is called) ([^.]*)\.", m["content"]):
                        if "remember" in m.get("think", "") or "told me" in m.get("think", ""):
                            self.assertIn(value.lower(), said.lower())
                            checked += 1
                said += m["content"] + "\n"
        self.assertGreater(checked, 200)

    def test_stories_read_well(self):
        odd = re.compile(
            r'[{}\[\]|]|  |\ba [aeiou]\w+|\ban [bcdfgj-np-tv-z]\w+|[.!?]"?[.!?,]|\. [a-z]| because [A-Z]\w+ing|\bNone\b'
        )
        for n in range(1500):
            s = stories.make(Dice("story", n))
            for text in [s.text, s.title] + [part for pair in s.questions for part in pair]:
                found = odd.search(text)
                self.assertIsNone(
                    found, f"{s.plot} {n}: {text[max(0, found.start() - 40):found.end() + 40] if found else ''}"
                )
            self.assertGreaterEqual(len(s.questions), 2)
            for name in s.names:
                self.assertIn(name, s.text)

    def test_every_plot_is_told_and_varies(self):
        for plot in stories.PLOTS:
            texts = {stories.make(Dice(plot.__name__, n), plot=plot).text for n in range(50)}
            self.assertEqual(len(texts), 50, plot.__name__)


class Conversations(unittest.TestCase):
    def test_think_is_closed_and_calls_name_offered_tools(self):
        for n in range(300):
            messages, tools = tools_text.tool_chat(Dice("tools", n))
            text = template.render(messages, tools)
            self.assertEqual(text.count("<think>"), text.count("</think>"))
            offered = {t["name"]: t for t in tools}
            self.assertEqual(len(offered), len(tools))
            for message in messages:
                for function, arguments in message.get("calls", ()):
                    self.assertIn(function, offered)
                    self.assertEqual(set(arguments), set(offered[function]["parameters"]))

    def test_documents_of_every_kind_close_their_turns(self):
        for kind in generate.KINDS:
            for n in range(60):
                text = generate.document(9, n, kind)[1]
                self.assertEqual(text.count(template.START), text.count(template.STOP), kind)
                self.assertNotIn(template.END, text)
                self.assertEqual(text.count("<think>"), text.count("</think>"))

    def test_kinds_keep_to_their_share(self):
        """Sizes in characters: long recall must not crowd out the rest, nor the other way round."""
        sizes = dict.fromkeys(generate.KINDS, 0)
        for n in range(3000):
            kind, text = generate.document(3, n)
            sizes[kind] += len(text)
        total = sum(sizes.values())
        shares = {kind: size / total for kind, size in sizes.items()}
        self.assertTrue(0.10 < shares["recall"] + shares["memory"] < 0.45, shares)
        self.assertTrue(
            shares["tools"] > 0.08 and shares["chat"] > 0.08 and shares["story_chat"] + shares["story"] > 0.12, shares
        )

    def test_recall_reaches_two_thousand_tokens(self):
        """At four characters a token, a good part of the recall documents is longer than 2,000 tokens."""
        long = sum(len(generate.document(4, n, "recall")[1]) > 8000 for n in range(200))
        self.assertGreater(long, 20)

    def test_rows_hold_whole_documents(self):
        encode = lambda texts: [[ord(c) % 250 + 1 for c in text[:700]] for text in texts]
        rows, tokens = generate.pack_rows(encode, 0, 1, False, 0, 20, 1000)
        self.assertEqual({len(row) for row in rows}, {1000})
        self.assertGreater(tokens, 0.8 * 20 * 1000)
        wanted = {
            tuple(encode([generate.document(1, n)[1]])[0]) for _, n in zip(range(4000), generate.numbers(0, False))
        }
        for row in rows:
            parts = "".join(map(chr, row)).strip("\0").split("\0")
            for part in parts:
                self.assertIn(tuple(map(ord, part)), wanted)

    def test_prompts(self):
        lines = [json.loads(line) for line in (DEMO / "prompts.jsonl").read_text().splitlines()]
        self.assertEqual(len(lines), 10)
        self.assertEqual(len({p["name"] for p in lines}), 10)

    @unittest.skipUnless(jinja2, "jinja2 is not installed")
    def test_jinja_template_gives_the_same(self):
        environment = jinja2.Environment(trim_blocks=True, lstrip_blocks=True)
        environment.filters["tojson"] = lambda value: json.dumps(value, ensure_ascii=False)
        jinja = environment.from_string((DEMO / "chat_template.jinja").read_text())
        for n in range(200):
            d = Dice("jinja", n)
            messages, tools = tools_text.tool_chat(d) if n % 2 else (recall.recall_chat(d, 300)[0], [])
            messages = generate.with_system(d, messages)
            offered = [template.tool_json(t) for t in tools] or None
            self.assertEqual(
                jinja.render(messages=template.jinja_messages(messages), tools=offered),
                template.render(messages, tools),
            )
            for thinking in (True, False):
                self.assertEqual(
                    jinja.render(
                        messages=template.jinja_messages(messages[:-1]),
                        tools=offered,
                        add_generation_prompt=True,
                        enable_thinking=thinking,
                    ),
                    template.render(messages[:-1], tools, True, thinking),
                )


if __name__ == "__main__":
    unittest.main()
