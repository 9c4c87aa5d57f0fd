#!/usr/bin/env python3
"""Makes the text that the demo model is trained on, from nothing but the word lists and rules beside this file.

    generate.py show --seed 1 --count 3 [--kind chat]       print documents
    generate.py text OUT.txt --megabytes 4                  documents as text, for the tokenizer trainer
    generate.py pack TOKENIZER.json OUT.bin --rows 1000     token ids (u16) in rows of --length, for train.py
    generate.py corpus OUT.txt --megabytes 1 --held-out     prose for a perplexity tool (no special tokens:
                                                            tools differ in whether they read those)

Everything follows from the seed. Training uses even document numbers, the held-out split odd ones (--held-out), and
some combinations (a fact asked in one of its ways, a sum, a word pair of the old language) never occur in training at
all.

A document ends with the end-of-text token. Rows are filled with whole documents, never with the rest of one, so that
what is planted early and asked late stays in one row; the little that is left of a row holds end-of-text tokens. `pack`
needs the tokenizers package and numpy, the rest plain Python.
"""

import argparse
import multiprocessing
import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import facts
import recall
import stories
import template
import tools_text
import turns
import world
from language import Dice

SYSTEMS = [
    "You are a friendly storyteller from {village}.",
    "You answer questions about {village}.",
    "You are a helpful assistant.",
    "Answer briefly.",
    "You are the voice of {village}, a small harbour village.",
    "You are polite and honest.",
    "You help people in {village}.",
    "You love stories.",
    "Think first, then answer.",
    "You are a little model that knows a little world.",
]
LONGEST = 12000  # characters of talk between planting and question; a row of 4,096 tokens holds a bit more


def with_system(d, messages, p=0.35):
    if d.chance(p):
        return [{"role": "system", "content": d.pick(SYSTEMS).format(village=world.VILLAGE)}] + messages
    return messages


def plain_story(d):
    s = stories.make(d)
    return d.say("[{t}\n\n|{t}\n\n||]", t=s.title) + s.text


def about(d):
    """Prose about people and places, as a book about the village would have it."""
    out = []
    for _ in range(d.number(1, 4)):
        if d.chance(0.6):
            out.append(turns.describe(d, d.pick(world.FOLK)))
        else:
            group = facts.GROUPS[d.pick(list(facts.GROUPS))]
            tells = [d.say(f.tell[0]) for f in d.sample(group, min(len(group), 4)) if f.tell[0][0] not in '"']
            out.append(" ".join(tells))
    return "\n\n".join(part for part in out if part)


def chat(d):
    messages = []
    for _ in range(d.weighted([(8, 1), (4, 2), (3, 3), (2, 5), (1, 8)])):
        user, think, answer = turns.turn(d)
        recall.pair(messages, user, answer, think)
    return template.render(with_system(d, messages))


def about_one(d):
    """Several questions about one person, place or thing in a row."""
    group = facts.GROUPS[d.pick(list(facts.GROUPS))]
    messages = []
    for fact in d.sample(group, min(len(group), d.number(1, 6))):
        user, think, answer = turns.fact_turn(d, fact)
        recall.pair(messages, user, answer, think)
    return template.render(with_system(d, messages))


def story_chat(d):
    user, think, answer, s = recall.story_request(d)
    messages = []
    recall.pair(messages, user, answer, think)
    for question, reply in d.sample(s.questions, d.number(0, len(s.questions))):
        recall.pair(
            messages,
            question,
            reply,
            "" if d.chance(0.6) else d.say("[I look at the story again.|it is in the story.]"),
        )
    if d.chance(0.2):
        recall.pair(
            messages,
            d.say("[what is the lesson of the story?|what can we learn from it?|and the moral?]"),
            d.say("{m}.", m=s.moral),
        )
    if d.chance(0.15):
        recall.pair(messages, d.say("[what would be a good title?|give it a title.|how is the story called?]"), s.title)
    return template.render(with_system(d, messages))


def reading(d):
    """A story from the user and questions about it, or its beginning, to be told on."""
    s = stories.make(d, brief=d.chance(0.5))
    messages = []
    if d.chance(0.3) and "\n\n" in s.text:
        start, rest = s.text.split("\n\n", 1)
        recall.pair(
            messages, d.say("[continue this story|tell me how this goes on|finish this story]:\n\n") + start, rest
        )
        return template.render(messages)
    questions = d.sample(s.questions, d.number(1, len(s.questions)))
    for i, (question, reply) in enumerate(questions):
        recall.pair(
            messages,
            (
                d.pick([f"{s.text}\n\n{question}", f"Read this:\n\n{s.text}\n\n{question}", f"{question}\n\n{s.text}"])
                if i == 0
                else question
            ),
            reply,
            "" if d.chance(0.6) else "It is in the text.",
        )
    return template.render(messages)


def tools(d):
    messages, offered = tools_text.tool_chat(d)
    return template.render(with_system(d, messages), offered)


def recall_long(d):
    target = int(200 * (LONGEST / 200) ** d.random())
    return template.render(with_system(d, recall.recall_chat(d, target)[0], 0.2))


def memory(d):
    return template.render(with_system(d, recall.memory_chat(d, int(300 * 35 ** d.random())), 0.2))


def look_up(d):
    messages = []
    for user, think, answer, _ in recall.ledgers(d):
        recall.pair(messages, user, answer, think)
    return template.render(messages)


def drill(d):
    """An exercise, mostly alone: of earlier turns the template drops the thoughts, in which the steps are."""
    kinds = d.sample(turns.DRILLS, 1 if d.chance(0.6) else 2)
    messages = []
    for _ in range(d.weighted([(6, 1), (2, 2), (1, 4)])):
        user, think, answer = d.pick(kinds)(d)
        recall.pair(messages, user, answer, think)
    return template.render(messages)


# Shares of documents; what they are in tokens is in docs/demo-model.md.
KINDS = {
    "story": (8, plain_story),
    "about": (3, about),
    "chat": (22, chat),
    "about_one": (10, about_one),
    "story_chat": (8, story_chat),
    "reading": (5, reading),
    "tools": (13, tools),
    "recall": (2, recall_long),
    "memory": (12, memory),
    "look_up": (7, look_up),
    "drill": (20, drill),
}


def document(seed, number, kind=None, more=None):
    """(kind, text) of a document, without the end-of-text mark. `more`: other weights of some kinds."""
    d = Dice(seed, number)
    kind = kind or d.weighted([((more or {}).get(name, weight), name) for name, (weight, _) in KINDS.items()])
    return kind, KINDS[kind][1](d)


def numbers(first, held):
    """Document numbers of a split from `first` on: even ones train, odd ones are held out."""
    number = 2 * first + int(held)
    while True:
        yield number
        number += 2


# Packing -------------------------------------------------------------------------------------------------------------

POOL = 48  # documents from which the next one of a row is chosen
STRIDE = 1 << 24  # document numbers of one worker


def pack_rows(encode, end, seed, held, worker, rows, length, more=None):
    """Rows of token ids: whole documents, longest first that still fits, then end-of-text tokens."""
    source, pool, out = numbers(worker * STRIDE, held), [], []
    tokens = 0
    for _ in range(rows):
        row = []
        while True:
            if len(pool) < POOL:
                texts = [document(seed, next(source), more=more)[1] for _ in range(POOL)]
                pool += [ids + [end] for ids in encode(texts) if len(ids) < length]
                pool.sort(key=len)
            space = length - len(row)
            # A long document opens a row, then any order: choosing always the longest would sort the training set.
            fitting = [i for i, ids in enumerate(pool) if len(ids) <= space]
            if not fitting:
                break
            chosen = (
                fitting[-1] if not row or space < length // 8 else fitting[(len(out) * 7919 + len(row)) % len(fitting)]
            )
            row += pool.pop(chosen)
        tokens += len(row)
        out.append(row + [end] * (length - len(row)))
    return out, tokens


def _work(job):
    path, out_path, seed, held, worker, first, rows, length, more = job
    import numpy as np
    from tokenizers import Tokenizer

    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    tokenizer = Tokenizer.from_file(path)
    encode = lambda texts: [e.ids for e in tokenizer.encode_batch_fast(texts, add_special_tokens=False)]
    packed, tokens = pack_rows(encode, tokenizer.token_to_id(template.END), seed, held, worker, rows, length, more)
    where = np.memmap(out_path, np.uint16, "r+", shape=(first + rows, length), offset=0)
    where[first:] = np.asarray(packed, np.uint16)
    where.flush()
    return tokens


def pack(o):
    block = 256
    jobs = [
        (str(o.tokenizer), str(o.out), o.seed, o.held_out, o.first_worker + i, at, min(block, o.rows - at), o.length, dict(o.more))
        for i, at in enumerate(range(0, o.rows, block))
    ]
    with open(o.out, "wb") as file:
        file.truncate(o.rows * o.length * 2)
    start, done = time.time(), 0
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    with multiprocessing.get_context("spawn").Pool(o.jobs) as workers:
        for tokens in workers.imap_unordered(_work, jobs):
            done += tokens
    took = time.time() - start
    print(
        f"{o.out}: {o.rows} rows of {o.length}, {done:,} tokens ({done / (o.rows * o.length):.1%} full), {took:.0f} s,"
        f" {done / took:,.0f} tokens/s"
    )


def write_text(o, joint, prose=False):
    size, limit = 0, int(o.megabytes * 1e6)
    with open(o.out, "w", encoding="utf-8", newline="") as file:
        for number in numbers(1 << 40, o.held_out):
            text = document(o.seed, number, prose and ("story", "about")[number // 2 % 2])[1] + joint
            file.write(text)
            size += len(text.encode())
            if size >= limit:
                break
    print(f"{o.out}: {size:,} bytes")


def weight(text):
    kind, _, number = text.partition("=")
    if kind not in KINDS or not number.isdigit():
        raise argparse.ArgumentTypeError(f"{text}: KIND=WEIGHT with one of {', '.join(KINDS)}")
    return kind, int(number)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    show, text, corpus, packer = (commands.add_parser(name) for name in ("show", "text", "corpus", "pack"))
    show.add_argument("--count", type=int, default=3)
    show.add_argument("--kind", choices=list(KINDS))
    packer.add_argument("tokenizer", type=Path)
    for command in (text, corpus, packer):
        command.add_argument("out", type=Path)
    for command in (text, corpus):
        command.add_argument("--megabytes", type=float, default=4)
    for command in (show, text, corpus, packer):
        command.add_argument("--seed", type=int, default=1)
        command.add_argument("--held-out", action="store_true")
    packer.add_argument("--rows", type=int, default=1000)
    packer.add_argument("--length", type=int, default=4096)
    packer.add_argument(
        "--more", type=weight, action="append", default=[], metavar="KIND=WEIGHT", help="another weight of a kind"
    )
    packer.add_argument("--jobs", type=int, default=os.cpu_count())
    packer.add_argument(
        "--first-worker", type=int, default=0, help="workers 0..rows/256 of another call are other text"
    )
    o = parser.parse_args()
    if o.command == "show":
        for _, number in zip(range(o.count), numbers(0, o.held_out)):
            kind, body = document(o.seed, number, o.kind)
            print(f"----- {kind} {number}\n{body}{template.END}")
    elif o.command == "pack":
        pack(o)
    elif o.command == "text":
        write_text(o, template.END + "\n")
    else:
        write_text(o, "\n\n", prose=True)


if __name__ == "__main__":
    main()
