#!/usr/bin/env python3
"""Renders every template of a folder with jinja2, as Hugging Face sets it up, and with Braid, and compares byte for byte.

    pip install jinja2==3.1.6 && cmake --build build-dev --target render_templates
    scripts/compare_templates.py FOLDER [--driver build-dev/tests/render_templates] [--show N]

FOLDER holds *.jinja files, whose names begin with where they are from: OWNER_NAME__PATH. Each is rendered on the
conversations of jinja_chats.py, each in the variants of variants() below. Where jinja2 raises, Braid must fail, too.
Prints the templates that differ, with the first difference of each, and counts for each source; exits with 1 when one
differs. At the end, it counts which templates take the arguments of tool calls as objects and which as JSON texts, and
what wanted_call_arguments chooses for them.
"""
import argparse
import collections
import json
import pathlib
import signal
import subprocess
import sys

import jinja_chats
from make_jinja_vectors import environment

TOKENS = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}
DOCUMENTS = [{"title": "Frogs", "text": "They are green.", "doc_id": 1}, {"title": "Ü", "text": "No.", "contents": "c", "extra": [1]}]
SECONDS = 20  # for a template with jinja2


def variants():
    """Contexts: the conversations as they are, and with what templates ask for."""
    with_tools = {"tools": [jinja_chats.WEATHER, jinja_chats.SEARCH]}
    changes = [{}, {"add_generation_prompt": False}, {"enable_thinking": True, "thinking": True}, {"enable_thinking": False},
               with_tools, {**with_tools, "tools_in_user_message": False, "builtin_tools": ["code"], "documents": DOCUMENTS},
               {"documents": DOCUMENTS}, {"reasoning_effort": "high", "date_string": "1 May 2026", "preserve_thinking": True}]
    for chat in jinja_chats.chats():
        yield chat
        for change in changes:
            yield {**TOKENS, **chat, **change}
        for form in [jinja_chats.with_texts, jinja_chats.with_parts, jinja_chats.with_ids, jinja_chats.with_other_roles]:
            yield {**TOKENS, **chat, "messages": form(chat["messages"])}


class TooSlow(Exception):
    pass


def expire(*_):
    raise TooSlow()


def by_jinja2(env, template, contexts):
    """What the driver answers, by jinja2."""
    try:
        compiled = env.from_string(template)
    except Exception as error:  # whatever a template can raise
        return {"error": f"{type(error).__name__}: {error}"}
    results = []
    for context in contexts:
        try:
            results.append({"output": compiled.render(**context)})
        except TooSlow:
            raise
        except Exception as error:
            results.append({"error": f"{type(error).__name__}: {error}"})
    return {"results": results}


class Driver:
    def __init__(self, program):
        self.process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8")

    def render(self, template, contexts):
        self.process.stdin.write(json.dumps({"template": template, "contexts": contexts}) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"{self.process.args[0]} ended on this template:\n{template}")
        return json.loads(line)


def spread(answer, count):
    """One result for each context, also of a template that does not parse."""
    return answer["results"] if "results" in answer else [answer] * count


def difference(theirs, ours):
    """None when they are equal."""
    if "output" in theirs and "output" in ours:
        a, b = theirs["output"], ours["output"]
        if a == b:
            return None
        at = next((i for i, (x, y) in enumerate(zip(a, b)) if x != y), min(len(a), len(b)))
        return f"at {at}: jinja2 {a[max(0, at - 40):at + 40]!r}, Braid {b[max(0, at - 40):at + 40]!r}"
    if "error" in theirs and "error" in ours:
        return None
    return f"jinja2 {str(theirs)[:200]}, Braid {str(ours)[:200]}"


def call_arguments(driver, template):
    """What becomes of calls with their arguments as objects and as texts, and the form that Braid chooses for this template."""
    objects = [{**TOKENS, **chat, "messages": jinja_chats.with_ids(chat["messages"])}
               for chat in jinja_chats.chats() if any(m.get("tool_calls") for m in chat["messages"])]
    texts = [{**chat, "messages": jinja_chats.with_texts(chat["messages"])} for chat in objects]
    answer = driver.render(template, objects + texts)
    if "error" in answer:
        return "no template"
    results = answer["results"]
    pairs = [pair for pair in zip(results[:len(objects)], results[len(objects):]) if any("output" in result for result in pair)]
    if not pairs:
        return "no calls in either form"
    fail_objects, fail_texts = (sum("error" in pair[i] for pair in pairs) for i in (0, 1))
    if fail_objects or fail_texts:
        what = "only texts" if fail_objects > fail_texts else "only objects" if fail_texts > fail_objects else "either, with errors"
    else:
        what = "the same" if all(a == b for a, b in pairs) else "either, another text"
    return f"{what}: {answer['arguments']} chosen"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--driver", default="build-dev/tests/render_templates")
    parser.add_argument("--show", type=int, default=1, help="differences to print of each template")
    options = parser.parse_args()
    env, driver, contexts = environment(), Driver(options.driver), list(variants())
    counts, renders, texts = collections.defaultdict(collections.Counter), collections.Counter(), collections.Counter()
    signal.signal(signal.SIGALRM, expire)
    for path in sorted(options.folder.glob("*.jinja")):
        template, source = path.read_bytes().decode(), path.name.split("__")[0]
        signal.alarm(SECONDS)
        try:
            theirs = by_jinja2(env, template, contexts)
        except TooSlow:
            print(f"{path.name}: jinja2 took more than {SECONDS} seconds")
            counts[source]["slow"] += 1
            continue
        finally:
            signal.alarm(0)
        ours = driver.render(template, contexts)
        pairs = list(zip(spread(theirs, len(contexts)), spread(ours, len(contexts))))
        differences = [(i, d) for i, (a, b) in enumerate(pairs) if (d := difference(a, b))]
        renders["texts"] += sum("output" in a for a, _ in pairs)
        renders["errors"] += sum("error" in a for a, _ in pairs)
        renders["talking"] += any("output" in a for a, _ in pairs)
        texts[call_arguments(driver, template)] += 1
        kind = "differ" if differences else "no template" if "error" in theirs else "equal"
        counts[source][kind] += 1
        if kind == "no template":
            print(f"{path.name}: no template for either: {theirs['error']}")
        if differences:
            print(f"{path.name}: {len(differences)} of {len(contexts)} differ")
            for i, text in differences[:options.show]:
                print(f"    context {i}: {text}")
    total = sum(counts.values(), collections.Counter())
    for source, count in sorted(counts.items()):
        print(f"{source}: {dict(count)}")
    print(f"all: {dict(total)}; {len(contexts)} contexts each, {renders['texts']} texts and {renders['errors']} errors; "
          f"{renders['talking']} templates render at least one")
    print("templates by the form in which they take the arguments of calls, and Braid's choice:")
    for what, count in sorted(texts.items()):
        print(f"    {what}: {count}")
    return 1 if total["differ"] else 0


if __name__ == "__main__":
    sys.exit(main())
