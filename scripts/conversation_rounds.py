#!/usr/bin/env python3
"""What a long conversation costs a server: how many rows of each prompt run, beside how many of its tokens are new.

    scripts/conversation_rounds.py BRAID
    scripts/conversation_rounds.py BRAID -m MODEL --ids 100-30000 --peer "llama-server -m MODEL -c 16384 -np 1" -o table.md

Twenty turns over 8,000 tokens with `braid serve --cache-dir`. After turn 10 the eighth message is edited, after turn 11 the
server is started anew, after turn 13 the answer is made again, after turn 15 somebody goes on from turn 5. Then, for each prompt:

  new    tokens after the longest beginning that it shares with any prompt before and its answer. What was generated has no
         ids in the API, so answers count as their texts' ids, or as what the server says that it knows, whichever is longer
  rows   prompt_tokens - cached_tokens, what the server ran

The sum of rows may be 1.1 times that of new tokens, and a server that has seen nothing (`--cold restart`: started for each
prompt; `--cold keys`: an API key for each, whose caches are apart) must answer the same at temperature 0. Exit code 1 otherwise.

--peer CMD starts another server (--host and --port are put behind), which gets the ids of the same prompts one after the
other at /v1/completions, with its restart in the same place. One server runs at a time; times are to the first piece of an
answer. The prompts of a chat hold Braid's answers, which the peer did not write and has to read: compare with --ids.
Without --ids the conversation is a chat (/v1/chat/completions) and its prompts are rendered by the model's template;
with --ids FROM-TO it is made of such ids, for models whose texts make no sense.
"""

import argparse
import contextlib
import http.client
import json
import random
import shlex
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "server"))
from serving import Failure, Server

PATIENCE = 600  # seconds, for a start and for an answer
EDIT_AFTER, EDITED, RESTART_AFTER, AGAIN_AFTER, BRANCH_AFTER, BRANCH_FROM = 10, 8, 11, 13, 15, 5
TURNS = 20
WORDS = ("the river house light answer small garden never winter road bread old story under table morning friend "
         "letter stone water bridge again quiet market seven window paper green field song").split()


class Asked:
    """What is asked of a server on this machine, Braid's or another's."""

    port = key = None

    def headers(self):
        key = {"Authorization": "Bearer " + self.key} if self.key else {}
        return {"Content-Type": "application/json", **key}

    def call(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.request(method, path, None if body is None else json.dumps(body), self.headers())
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def post(self, path, body):
        status, text = self.call("POST", path, body)
        if status != 200:
            raise Failure(f"{path}: {status}: {text.decode(errors='replace')}")
        return json.loads(text)

    def answer(self, path, body):
        """A streamed answer: texts, what the server tells of it, and the time to its first piece."""
        body = dict(body, stream=True, stream_options={"include_usage": True})
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        began, first = time.monotonic(), None
        told = {"content": "", "reasoning": "", "usage": None, "braid": {}}
        connection.request("POST", path, json.dumps(body), self.headers())
        answer = connection.getresponse()
        if answer.status != 200:
            raise Failure(f"{path}: {answer.status}: {answer.read().decode(errors='replace')}")
        done = False
        for line in answer:
            if not line.startswith(b"data:"):
                continue
            data = line[5:].strip()
            if data == b"[DONE]":
                done = True
                break
            event = json.loads(data)
            if "error" in event:
                raise Failure(f"{path}: {event['error']}")
            for choice in event.get("choices", []):
                delta = choice.get("delta", choice)
                content = delta.get("content") or delta.get("text") or ""
                reasoning = delta.get("reasoning_content") or ""
                if (content or reasoning) and first is None:
                    first = time.monotonic() - began
                told["content"] += content
                told["reasoning"] += reasoning
            told["usage"] = event.get("usage") or told["usage"]
            told["braid"] = event.get("braid") or told["braid"]
        connection.close()
        if not done or told["usage"] is None:
            raise Failure(f"{path}: the stream ended early")
        told["first"] = first if first is not None else time.monotonic() - began
        return told


class Own(Asked, Server):
    def stop(self):
        self.end()
        self.errors.close()


class Peer(Asked):
    def __init__(self, command, folder):
        self.port, self.log_path = free_port(), folder / "peer.log"
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen([*shlex.split(command), "--host", "127.0.0.1", "--port", str(self.port)],
                                            stdout=log, stderr=log)
        try:
            self.wait_for_health()
        except BaseException:
            self.stop()
            raise

    def wait_for_health(self):
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end and self.process.poll() is None:
            with contextlib.suppress(OSError, http.client.HTTPException):
                if self.call("GET", "/health")[0] == 200:
                    return
            time.sleep(0.2)
        raise Failure(f"the peer did not start: {self.log_path.read_text(errors='replace')[-2000:]}")

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Chat:
    """Prompts as conversations, rendered by the server."""

    path = "/v1/chat/completions"

    def __init__(self, options):
        self.random = random.Random(options.seed)
        self.message_tokens = options.message_tokens

    def prepare(self, server):
        # Tokens of a word, so that messages are as long as they should be.
        text = " ".join(WORDS)
        self.per_word = len(server.post("/tokenize", {"content": text})["tokens"]) / len(WORDS)

    def begin(self):
        return []

    def message(self, said):
        words = max(1, round(self.message_tokens / self.per_word))
        return [*said, {"role": "user", "content": " ".join(self.random.choice(WORDS) for _ in range(words)) + "?"}]

    def answered(self, said, told):
        return [*said, {"role": "assistant", "content": told["content"]}]

    def before_message(self, said, number):
        return said[:2 * (number - 1)]

    def fields(self, said):
        return {"messages": said}

    def ids(self, server, said):
        text = server.post("/apply-template", {"messages": said})["prompt"]
        return server.post("/tokenize", {"content": text, "parse_special": True})["tokens"]

    def answer_ids(self, server, told):
        text = told["content"]
        if told["reasoning"]:
            text = told["reasoning"] + "\n</think>\n\n" + text
        return server.post("/tokenize", {"content": text})["tokens"]


class Ids:
    """Prompts of ids; answers in later prompts are made, for nobody tells the ids of real ones."""

    path = "/v1/completions"

    def __init__(self, options):
        self.random = random.Random(options.seed)
        self.range, self.message_tokens, self.answer_tokens = options.ids, options.message_tokens, options.answer_tokens

    def prepare(self, server):
        pass

    def begin(self):
        return []

    def some(self, n):
        return [self.random.randint(*self.range) for _ in range(n)]

    def message(self, said):
        return said + self.some(self.message_tokens)

    def answered(self, said, told):
        return said + self.some(self.answer_tokens)

    def before_message(self, said, number):
        return said[:(self.message_tokens + self.answer_tokens) * (number - 1)]

    def fields(self, said):
        return {"prompt": said}

    def ids(self, server, said):
        return said

    def answer_ids(self, server, told):
        return []


def common(a, b):
    n = min(len(a), len(b))
    return next((i for i in range(n) if a[i] != b[i]), n)


class Rounds:
    """The conversation with the server that keeps its caches."""

    def __init__(self, form, options, start):
        self.form, self.options, self.start = form, options, start
        self.known, self.asked = [], []

    def ask(self, server, said, what):
        fields = {**self.form.fields(said), "max_tokens": self.options.answer_tokens, "temperature": 0, "ignore_eos": True}
        told = server.answer(self.form.path, fields)
        ids = self.form.ids(server, said)
        usage = told["usage"]
        if usage["prompt_tokens"] != len(ids):
            raise Failure(f"{what}: the server counts {usage['prompt_tokens']} tokens, rendered they are {len(ids)}")
        shared = max([common(ids, other) for other in self.known] or [0])
        shared = max(shared, min(told["braid"].get("cache", {}).get("known_tokens", 0), len(ids)))
        cached = usage["prompt_tokens_details"]["cached_tokens"]
        self.known.append(ids + self.form.answer_ids(server, told))
        self.asked.append({"what": what, "fields": fields, "ids": ids, "told": told, "tokens": len(ids),
                           "new": len(ids) - shared, "rows": len(ids) - cached, "first": told["first"],
                           "missed": told["braid"].get("cache", {}).get("missed", "?")})
        return self.form.answered(said, told)

    def run(self):
        said, parted = self.form.begin(), None
        server = self.start()
        try:
            self.form.prepare(server)
            for turn in range(1, TURNS + 1):
                prompt = self.form.message(said)
                said = self.ask(server, prompt, f"turn {turn}")
                if turn == BRANCH_FROM:
                    parted = said
                if turn == EDIT_AFTER:
                    said = self.ask(server, self.form.message(self.form.before_message(said, EDITED)), "edited")
                if turn == AGAIN_AFTER:
                    said = self.ask(server, prompt, "again")
                if turn == BRANCH_AFTER:
                    self.ask(server, self.form.message(parted), "branch")
                if turn == RESTART_AFTER:
                    server.stop()
                    server = self.start()
                    self.asked[-1]["restart"] = True
        finally:
            server.stop()
        return self.asked


def free_port():
    with socket.socket() as any_port:
        any_port.bind(("127.0.0.1", 0))
        return any_port.getsockname()[1]


def parse(arguments):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("braid")
    parser.add_argument("-m", "--model", help="default: the demo model")
    parser.add_argument("--tokens", type=int, default=8500, help="of the last prompt, about")
    parser.add_argument("--answer-tokens", type=int, default=40)
    parser.add_argument("--ids", type=lambda text: tuple(int(n) for n in text.split("-")), metavar="FROM-TO")
    parser.add_argument("--cold", choices=["restart", "keys", "none"], default="restart")
    parser.add_argument("--peer", metavar="CMD")
    parser.add_argument("--options", default="", help="more options for braid serve")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("-o", "--output", type=Path, help="write the table as well")
    options = parser.parse_args(arguments)
    # The edit and what follows it make a conversation of TURNS - 2 messages.
    options.message_tokens = max(4, options.tokens // (TURNS - 2) - options.answer_tokens)
    return options


class Braid:
    def __init__(self, options):
        self.command = [options.braid, "-q", "-np", "2", "-c", str(max(1024, options.tokens * 3 // 2)), *shlex.split(options.options),
                        *(["-m", options.model] if options.model else [])]

    def start(self, *more, key=None):
        server = Own(*self.command, *more, patience=PATIENCE)
        server.key = key
        return server


def same_as_cold(options, braid, asked, folder):
    """Names of what a server without a past answers otherwise."""
    path = Ids.path if options.ids else Chat.path
    different = []

    def check(server, one):
        told = server.answer(path, one["fields"])
        cached = told["usage"]["prompt_tokens_details"]["cached_tokens"]
        if cached:
            raise Failure(f"{one['what']}: a cold server has {cached} tokens of it")
        one["cold"] = told["first"]
        if any(told[name] != one["told"][name] for name in ("content", "reasoning")):
            different.append(one["what"])

    if options.cold == "restart":
        for one in asked:
            with braid.start() as server:
                check(server, one)
    elif options.cold == "keys":
        keys = folder / "keys"
        keys.write_text("".join(f"key-{i}\n" for i in range(len(asked))))
        with braid.start("--api-key-file", str(keys), key="key-0") as server:
            for i, one in enumerate(asked):
                server.key = f"key-{i}"
                check(server, one)
    return different


def ask_peer(options, asked, folder):
    server = Peer(options.peer, folder)
    try:
        for one in asked:
            told = server.answer(Ids.path, {"prompt": one["ids"], "max_tokens": options.answer_tokens, "temperature": 0,
                                            "ignore_eos": True, "cache_prompt": True})
            one["peer"] = told["first"]
            one["peer_rows"] = one["tokens"] - (told["usage"].get("prompt_tokens_details") or {}).get("cached_tokens", 0)
            if one.get("restart"):
                server.stop()
                server = Peer(options.peer, folder)
    finally:
        server.stop()


def table(asked):
    columns = [("", "what", "{}"), ("prompt", "tokens", "{}"), ("new", "new", "{}"), ("rows", "rows", "{}"),
               ("missed", "missed", "{}"), ("first token, ms", "first", "{:.1f}"), ("cold, ms", "cold", "{:.1f}"),
               ("peer's rows", "peer_rows", "{}"), ("peer, ms", "peer", "{:.1f}")]
    columns = [column for column in columns if column[1] in asked[0]]
    lines = ["| " + " | ".join(name for name, _, _ in columns) + " |", "|" + "---|" * len(columns)]
    for one in asked:
        cells = [form.format(one[key] * 1000 if "ms" in name else one[key]) for name, key, form in columns]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def median(asked, key):
    """From the second turn on."""
    return statistics.median(one[key] for one in asked[1:]) * 1000


def main(arguments):
    options = parse(arguments)
    with tempfile.TemporaryDirectory(prefix="braid-rounds-") as name:
        folder = Path(name)
        braid = Braid(options)
        form = (Ids if options.ids else Chat)(options)
        asked = Rounds(form, options, lambda: braid.start("--cache-dir", str(folder / "cache"))).run()
        different = same_as_cold(options, braid, asked, folder)
        if options.peer:
            ask_peer(options, asked, folder)
    new, rows = sum(one["new"] for one in asked), sum(one["rows"] for one in asked)
    share = rows / new
    tokens = sum(one["tokens"] for one in asked)
    lines = [table(asked), "",
             f"{len(asked)} prompts, {tokens} tokens, the last of {asked[-1]['tokens']}; {new} new, {rows} rows: {share:.4f} rows a new token",
             f"time to first token from turn 2 on, median: {median(asked, 'first'):.1f} ms"]
    if options.cold != "none":
        lines.append(f"cold: {median(asked, 'cold'):.1f} ms; answers that differ: {', '.join(different) or 'none'}")
    if options.peer:
        lines.append(f"peer: {median(asked, 'peer'):.1f} ms; Braid takes {median(asked, 'first') / median(asked, 'peer'):.4f} of it")
    print("\n".join(lines))
    if options.output:
        options.output.write_text("\n".join(lines) + "\n")
    if share > 1.1:
        print(f"FAILED: {share:.4f} rows a new token, at most 1.1 should be")
    return 1 if share > 1.1 or different else 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except Failure as failure:
        sys.exit(f"conversation_rounds: {failure}")
