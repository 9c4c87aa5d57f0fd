#!/usr/bin/env python3
"""Kills `braid serve --cache-dir` at random moments, while clients talk to it, and starts it again.

    crash_test.py BRAID [--kills N] [--seed S]
    crash_test.py BRAID --full-disk

Every answer must be that of a server that never had a cache; every file with a name must be whole; and what the files
say, read here by other code, must be reused by the next start. To show that it would notice, damage of several kinds
is planted. --full-disk does it once with a disk that has no more room, which takes a file system of its own.
"""

import argparse
import collections
import http.client
import json
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import disk_files
import serving

CLIENTS = 3
CONVERSATIONS, TURNS = 6, 5
WORTH_READING = 64  # tokens: less is not read from the disk (src/engine/scheduler_disk.cpp)
PLACES = "harbour lighthouse bakery mill orchard chapel market ferry school quarry meadow library".split()
PEOPLE = "miller fisher baker teacher smith weaver potter sailor farmer painter".split()


class Server(serving.Server):
    def __init__(self, braid, folder, *more, before=()):
        cache = ["--cache-dir", str(folder)] if folder else []
        super().__init__(braid, "-c", "2048", "-t", "1", "-q", *cache, *more, before=before)

    def end(self, number):
        return super().end(number)[0]

    def post(self, path, body):
        return self.ask("POST", path, body)[:2]

    def disk(self, name):
        return self.gauge("braid_disk_" + name)


def chat(messages):
    return {"messages": messages, "enable_thinking": False}


class Talks:
    """Conversations as they go with a server that has no cache: (talk, turn) -> messages, tokens, answer."""

    def __init__(self, braid, seed):
        self.turns = {}
        dice = random.Random(seed)
        with Server(braid, None) as server:
            for talk in range(CONVERSATIONS):
                messages = [{"role": "system", "content": f"You live in village {talk}. " + " ".join(
                    f"The {dice.choice(PEOPLE)} walks from the {dice.choice(PLACES)} to the {dice.choice(PLACES)}."
                    for _ in range(12 + 30 * (talk % 2)))}]  # some are longer than a run of the disk
                for turn in range(TURNS):
                    messages = [*messages, {"role": "user", "content":
                                f"What does the {dice.choice(PEOPLE)} do at the {dice.choice(PLACES)}?"}]
                    text = json.loads(server.post("/apply-template", chat(messages))[1])["prompt"]
                    tokens = json.loads(server.post("/tokenize", {"content": text})[1])["tokens"]
                    answer = self.answer(server, messages)
                    self.turns[talk, turn] = (messages, tokens, answer["choices"])
                    messages = [*messages, answer["choices"][0]["message"]]
                    messages[-1] = {key: messages[-1][key] for key in ("role", "content")}

    @staticmethod
    def answer(server, messages):
        status, text = server.post("/v1/chat/completions", {**chat(messages), "max_tokens": 16, "temperature": 0})
        if status != 200:
            raise ValueError(f"status {status}: {text}")
        return json.loads(text)

    def check(self, server, key):
        """What is wrong with the answer, and how many tokens of its prompt did not run."""
        messages, tokens, choices = self.turns[key]
        answer = self.answer(server, messages)
        if answer["usage"]["prompt_tokens"] != len(tokens):
            return f"{key}: {answer['usage']['prompt_tokens']} tokens, not {len(tokens)}", 0
        wrong = f"{key}: {answer['choices']}, not {choices}" if answer["choices"] != choices else None
        return wrong, answer["braid"]["cached_tokens"]


class Test:
    def __init__(self, options):
        self.braid, self.dice = options.braid, random.Random(options.seed)
        self.talks = Talks(options.braid, options.seed)
        self.counts = collections.Counter()

    def client(self, server, seed, over, trouble):
        dice = random.Random(seed)
        try:
            while not over.is_set():
                talk = dice.randrange(CONVERSATIONS)
                for turn in range(dice.randrange(TURNS), TURNS):
                    wrong, _ = self.talks.check(server, (talk, turn))
                    self.counts["answers under load"] += 1
                    if wrong:
                        return trouble.append(wrong)
        except (OSError, http.client.HTTPException, ValueError) as error:
            if not over.is_set():
                trouble.append(f"under load: {error!r}")

    def load(self, server, seconds, folder):
        """Talks to it until it is killed, after so many seconds; every other time then when a file is being written."""
        over, trouble = threading.Event(), []
        clients = [threading.Thread(target=self.client, args=(server, self.dice.random(), over, trouble))
                   for _ in range(CLIENTS)]
        for client in clients:
            client.start()
        time.sleep(seconds)
        until = time.monotonic() + self.dice.choice([0, 1])
        while time.monotonic() < until and not any(folder.glob("*/*.part")):
            pass
        over.set()
        if server.end(signal.SIGKILL) != -signal.SIGKILL:
            trouble.append(f"it ended by itself: {server.log()}")
        for client in clients:
            client.join()
        return trouble

    def probe(self, server, states, most):
        """Whether it reuses what is whole: the turns for which the states are worth most."""
        worth = {key: disk_files.usable(states, tokens)[0] for key, (_, tokens, _) in self.talks.turns.items()}
        self.dice.shuffle(keys := [key for key in worth if worth[key] >= WORTH_READING])
        trouble = []
        for key in keys[:most]:
            wrong, cached = self.talks.check(server, key)
            self.counts["answers after a start"] += 1
            self.counts["tokens that the files had"] += worth[key]
            self.counts["tokens reused"] += cached
            if wrong:
                trouble.append(wrong)
            if cached <= worth[key] - WORTH_READING:  # an earlier answer may have brought almost as much
                trouble.append(f"{key}: {cached} tokens were reused, the files have {worth[key]}")
        if keys and server.disk("loaded_total") == 0:
            trouble.append("nothing was read from the disk")
        return trouble

    def life(self, folder, seconds, bounded, harm=lambda states: None, expect=""):
        """From one start to the next kill. `harm` comes before the start, `expect` is a word of the log."""
        self.counts["files on their way"] += len(list(folder.glob("*/*.part")))
        states, trouble = disk_files.lines(folder)
        self.counts["states found whole"] += len(states)
        self.counts["starts with states"] += bool(states)
        harm(states)
        # Where there is room for a few, an answer may cost the next one its state.
        more = ("--cache-disk", "24M") if bounded else ()
        with Server(self.braid, folder, *more) as server:
            if not bounded:
                trouble += self.probe(server, states, 4)
            damaged, log = server.disk("damaged_total"), server.log()
            if expect and expect not in log:
                trouble.append(f"nothing was said of {expect!r}: {log!r}")
            if bool(expect) != (damaged > 0) or (log and not expect):
                trouble.append(f"{damaged} damaged files: {log}")
            return trouble + self.load(server, seconds, folder)

    # ---- Planted: that Braid finds it, or that this test does

    def planted(self, folder):
        def best(states):
            found = {key: disk_files.usable(states, tokens) for key, (_, tokens, _) in self.talks.turns.items()}
            return max(found.values(), key=lambda pair: pair[0])[1].path

        def flip(states):
            for _, state in states:
                data = bytearray(state.path.read_bytes())
                data[len(data) * 2 // 3] ^= 16
                state.path.write_bytes(data)

        def cut(states):
            path = best(states)
            path.write_bytes(path.read_bytes()[:-100])

        def forge(states):
            for _, state in states:
                state.forge()

        def empty(_):
            for path in folder.glob("*/*.state"):
                path.unlink()

        def orphan():
            for path in folder.glob("*/*.run"):
                path.unlink()

        def half():
            next(folder.glob("*/*.state")).with_name("00000000000000ab.state").write_bytes(b"BRAIDDSK" + bytes(200))

        def wrong_references():
            for key, (messages, tokens, _) in self.talks.turns.items():
                self.talks.turns[key] = (messages, tokens, "another answer")

        def has(text, trouble):
            return [line for line in trouble if text in line]

        # Full folders and no load: on a slow machine little is written before the next kill.
        yield "a cut file is reported", not self.life(folder, 0, False, cut, "deleted")
        self.fill(folder)
        flipped = self.life(folder, 0, False, flip, "damaged behind its header")
        yield "flipped bytes are reported, answers stay right", \
            flipped and all("were reused" in line or "nothing was read" in line for line in flipped)
        self.fill(folder)
        yield "states lost on the way", has("were reused", self.life(folder, 0, False, empty))
        self.fill(folder)
        yield "states written wrong", has("not [", self.life(folder, 0, False, forge))
        self.fill(folder)
        half()
        yield "a name before the file is whole", has("is not whole", self.life(folder, 0, False, expect="deleted"))
        self.fill(folder)
        orphan()
        yield "a name before what it builds on", has("has its name before", disk_files.lines(folder)[1])
        self.fill(folder)
        wrong_references()
        yield "a wrong answer", has("another answer", self.life(folder, 0, False))

    def fill(self, folder):
        """A folder that has all conversations."""
        shutil.rmtree(folder)
        with Server(self.braid, folder) as server:
            for talk in range(CONVERSATIONS):
                for turn in range(TURNS):
                    self.talks.check(server, (talk, turn))
            server.end(signal.SIGTERM)


def kills(options):
    started, trouble = time.monotonic(), []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "cache"
        test = Test(options)
        folder.mkdir()
        for number in range(options.kills):
            found = test.life(folder, test.dice.uniform(0.02, 0.8), number % 5 == 4)
            trouble += [f"kill {number}: {line}" for line in found]
        trouble += disk_files.lines(folder)[1]
        text = ", ".join(f"{count} {what}" for what, count in test.counts.items())
        print(f"{options.kills} kills in {time.monotonic() - started:.0f} s: {text}")
        for line in trouble[:20]:
            print("TROUBLE:", line)
        test.fill(folder)
        planted = list(test.planted(folder))
    for what, found in planted:
        print(f"planted: {what}: {'found' if found else 'NOT FOUND'}")
    reused = test.counts["starts with states"] > 0 and test.counts["tokens reused"] > 0
    return 0 if not trouble and reused and all(found for _, found in planted) else 1


def own_disk(size):
    """A command before another that gives it a small file system at the folder $1; None where that is not allowed."""
    script = f'mount -t tmpfs -o size={size} none "$1" && shift && exec "$@"'
    for unshare in (["unshare", "-rm"], ["unshare", "-m"]):
        with tempfile.TemporaryDirectory() as folder:
            try:
                if subprocess.run([*unshare, "sh", "-c", script, "sh", folder, "true"], capture_output=True).returncode == 0:
                    return [*unshare, "sh", "-c", script, "sh"]
            except OSError:
                pass  # no such program
    return None


def full_disk(options):
    before = own_disk("6m")
    if before is None:
        print("[  SKIPPED ] no file system of its own: neither user namespaces nor root's rights to mount")
        return 0
    test, trouble = Test(options), []
    with tempfile.TemporaryDirectory() as folder, Server(options.braid, folder, before=(*before, folder)) as server:
        for key in [*test.talks.turns] * 2:
            wrong, _ = test.talks.check(server, key)
            trouble += [wrong] if wrong else []
        while server.disk("failed_total") == 0 and not trouble and test.counts["waits"] < 100:
            time.sleep(0.1)
            test.counts["waits"] += 1
        log, states, failed = server.log(), server.disk("states"), server.disk("failed_total")
        if log.count("No space left on device") != 1 or failed == 0:
            trouble.append(f"{failed} failures, and the log says: {log!r}")
        inside = Path(f"/proc/{server.process.pid}/root{folder}")
        whole, more = disk_files.lines(inside)
        trouble += more
        if not 0 < len(whole) == states:
            trouble.append(f"{len(whole)} whole states, {states} are told of")
        if left := list(inside.glob("*/*.part")):
            trouble.append(f"left behind: {left}")
        for talk in range(CONVERSATIONS):  # it still serves
            wrong, _ = test.talks.check(server, (talk, TURNS - 1))
            trouble += [wrong] if wrong else []
        if server.end(signal.SIGTERM) != 0:
            trouble.append(f"it ended with {server.process.returncode}")
    print(f"a full disk: {states} states fitted, reported once: {log.strip()}")
    for line in trouble[:20]:
        print("TROUBLE:", line)
    return 1 if trouble else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("braid")
    parser.add_argument("--kills", type=int, default=6)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--full-disk", action="store_true")
    options = parser.parse_args()
    return full_disk(options) if options.full_disk else kills(options)


if __name__ == "__main__":
    sys.exit(main())
