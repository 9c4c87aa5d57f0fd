#!/usr/bin/env python3
"""Drives `braid chat` in tmux and prints what the terminal shows: the screens of docs/chat.md.

    chat_screens.py BRAID MODEL [--write docs/chat.md]

Needs tmux. --write puts each screen into its place in the document, between <!-- screen NAME --> and the next
closing fence. Times and words differ from run to run and from model to model; what happens does not.
"""

import argparse
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path


class Tmux:
    """A tmux server of its own with one window."""

    running = []

    def __init__(self, command, columns=80, rows=24):
        self.socket = f"braid-screens-{time.time_ns()}"
        Tmux.running.append(self)
        self.run("-f", "/dev/null", "new-session", "-d", "-s", "chat", "-x", str(columns), "-y", str(rows), command)
        self.run("set-option", "-g", "status", "off")
        self.run("resize-window", "-t", "chat", "-x", str(columns), "-y", str(rows))

    def run(self, *arguments, text=None):
        return subprocess.run(["tmux", "-L", self.socket, *arguments], check=True, input=text, capture_output=True,
                              text=True).stdout

    def keys(self, *keys):
        self.run("send-keys", "-t", "chat", *keys)

    def type(self, text):
        self.run("send-keys", "-t", "chat", "-l", text)

    def paste(self, text):
        self.run("load-buffer", "-", text=text)
        self.run("paste-buffer", "-p", "-t", "chat")

    def screen(self):
        return self.run("capture-pane", "-p", "-t", "chat").rstrip()

    def wait(self, pattern, seconds=60):
        deadline = time.monotonic() + seconds
        while not re.search(pattern, self.screen(), re.M):
            if time.monotonic() > deadline:
                sys.exit(f"waited for {pattern!r}; the screen:\n{self.screen()}")
            time.sleep(0.05)

    def prompt(self, seconds=120):
        """Until the last line is an empty prompt."""
        self.wait(r"\n>>>\Z", seconds)

    def resize(self, columns, rows=24):
        self.run("resize-window", "-t", "chat", "-x", str(columns), "-y", str(rows))
        time.sleep(0.5)

    def end(self):
        subprocess.run(["tmux", "-L", self.socket, "kill-server"], check=False, capture_output=True)
        Tmux.running.remove(self)


def scenes(braid, model, folder):
    chat = f"env HOME={folder} XDG_DATA_HOME={folder} NO_COLOR= {braid} chat -m {model}"

    def start(arguments, **size):
        tmux = Tmux(f"{chat} {arguments}; echo \"exit code $?\"; exec cat", **size)
        tmux.wait(r"^>>>")
        return tmux

    tmux = start("--seed 1 -n 60 --no-think")
    tmux.type("Tell me a storry")
    tmux.keys("M-b", "C-f", "C-f", "C-f", "C-f", "DC")
    tmux.keys("C-e")
    tmux.type(" about a lighthouse.")
    tmux.keys("M-Enter")
    tmux.type("Make it short.")
    time.sleep(0.3)
    yield "editing", tmux.screen()
    tmux.keys("Enter")
    tmux.wait("tokens in")
    tmux.prompt()
    yield "answer", tmux.screen()

    tmux.type("What is 17 plus 25?")
    tmux.keys("Enter")
    time.sleep(0.3)
    tmux.prompt()
    tmux.keys("C-l")
    tmux.type("an unfinished dr")
    tmux.keys("Up", "Up")
    time.sleep(0.3)
    first = tmux.screen()
    tmux.keys("Down", "Down")
    tmux.type("aft")
    time.sleep(0.3)
    second = tmux.screen()
    tmux.keys("C-r")
    tmux.type("light")
    time.sleep(0.3)
    yield "history", f"{first}\n\n(Down, Down, and on with it)\n\n{second}\n\n(Ctrl-R light)\n\n{tmux.screen()}"
    tmux.end()

    tmux = start("--seed 1 --ignore-eos -c 32768")
    tmux.type("Tell me a very long story.")
    tmux.keys("Enter")
    time.sleep(2)
    tmux.keys("C-c")
    tmux.wait("Stopped")
    tmux.prompt()
    tmux.type("/tokens")
    tmux.keys("Enter")
    tmux.prompt()
    yield "stopped-answer", tmux.screen()
    tmux.end()

    words = "The harbour was quiet and the boats lay still.\n"
    Path(folder, "long.txt").write_text(words * 3000)
    tmux = start("--seed 1 -c 65536")
    tmux.type("/file ~/long.txt")
    tmux.keys("Enter")
    tmux.wait("tokens read")
    time.sleep(0.5)
    before = tmux.screen()
    tmux.keys("C-c")
    tmux.wait("Stopped before")
    tmux.wait("^>>> /file.*$")
    time.sleep(0.3)
    yield "stopped-prompt", before + "\n\n(Ctrl-C)\n\n" + tmux.screen()
    tmux.end()

    tmux = start("--seed 1 -n 20 --no-think")
    tmux.type("A message that is long enough to need more than one row once the window has become narrow.")
    time.sleep(0.3)
    wide = tmux.screen()
    tmux.resize(40)
    narrow = tmux.screen()
    tmux.resize(100)
    yield "resize", f"{wide}\n\n(40 columns)\n\n{narrow}\n\n(100 columns)\n\n{tmux.screen()}"
    tmux.end()

    tmux = start("--seed 1 -n 30 --no-think -c 16384", rows=16)
    tmux.paste("\n".join(f"{i}. The boat number {i} came home." for i in range(1, 501)))
    tmux.wait("^... 500. The")
    pasted = tmux.screen()
    tmux.keys("Enter")
    tmux.wait("tokens in", 300)
    tmux.prompt()
    yield "paste", f"{pasted}\n\n(Enter)\n\n{tmux.screen()}"
    tmux.end()

    tmux = start("--seed 1 --ignore-eos -n 80 -c 384 --no-think")
    for i in range(1, 5):
        if "d, n or e" in tmux.screen():
            break
        tmux.type(f"Tell me story number {i}, with a boat, a name, a storm and a reason.")
        tmux.keys("Enter")
        time.sleep(0.5)
        tmux.wait(r"\n>>>\Z|d, n or e")
    tmux.wait("d, n or e")
    time.sleep(0.3)
    asked = tmux.screen()
    tmux.type("d")
    tmux.keys("Enter")
    tmux.prompt()
    tmux.type("/tokens")
    tmux.keys("Enter")
    tmux.wait("turns")
    time.sleep(0.3)
    yield "context-full", f"{asked}\n\n(d, and /tokens)\n\n{tmux.screen()}"
    tmux.end()

    tmux = Tmux(f"env BRAID_MODEL={model} HOME={folder} PATH={braid.parent}:$PATH PS1='$ ' bash --norc --noprofile",
                rows=10)
    tmux.wait(r"^\$")
    tmux.type('echo "Tell me a long story." | braid chat --seed 1 --ignore-eos --show-thinking | head -c 120')
    tmux.type('; echo "[${PIPESTATUS[*]}]"')
    tmux.keys("Enter")
    tmux.wait(r"\[\d+ \d+ \d+\]")
    yield "closed-pipe", tmux.screen()
    tmux.end()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("braid", type=Path)
    parser.add_argument("model", type=Path)
    parser.add_argument("--write", type=Path, metavar="DOCUMENT")
    args = parser.parse_args()
    document = args.write.read_text() if args.write else ""
    with tempfile.TemporaryDirectory() as folder:
        try:
            for name, screen in scenes(args.braid.resolve(), args.model.resolve(), folder):
                print(f"--- {name}\n{screen}\n", flush=True)
                if not args.write:
                    continue
                place = re.compile(rf"(<!-- screen {name} -->\n```text\n).*?(```)", re.S)
                if not place.search(document):
                    sys.exit(f"{args.write}: has no place for the screen {name}")
                document = place.sub(lambda m, s=screen: m.group(1) + s + "\n" + m.group(2), document)
        finally:
            for tmux in list(Tmux.running):
                tmux.end()
    if args.write:
        args.write.write_text(document)


if __name__ == "__main__":
    main()
