#!/usr/bin/env python3
"""Drives `braid chat` in a pseudo-terminal and in pipes, with a tiny model of random weights.

    chat_test.py BRAID GOLDEN_FOLDER [TEST ...]

What is checked is what a person would see (a small terminal, screen.py, reads the bytes), what /save wrote, and
what is left behind: modes of the terminal, exit codes, the history file.
"""

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from screen import Screen

BRAID = Path(sys.argv[1]).resolve()
GOLDEN = Path(sys.argv[2]).resolve()
TEMPLATE = ("{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
            "<|im_start|>assistant\n")
PATIENCE = 60  # seconds; a loaded machine and sanitizers are slow
UP, DOWN, LEFT, RIGHT = b"\x1b[A", b"\x1b[B", b"\x1b[D", b"\x1b[C"
CTRL_C, CTRL_D, CTRL_R, CTRL_W, CTRL_Z = b"\x03", b"\x04", b"\x12", b"\x17", b"\x1a"


class Chat:
    """A braid chat in a pseudo-terminal of its own."""

    def __init__(self, folder, *arguments, columns=80, rows=24, **environment):
        self.screen = Screen(columns, rows)
        self.master, self.slave = pty.openpty()
        self.resize(columns, rows)
        self.found = termios.tcgetattr(self.slave)
        env = {"HOME": str(folder), "PATH": os.environ["PATH"], "TERM": "xterm-256color"}
        env.update({name: value for name, value in os.environ.items() if name.endswith("SAN_OPTIONS")})
        env.update(environment)

        def own_terminal():
            os.setsid()
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        self.process = subprocess.Popen([str(BRAID), "chat", *model(folder), *arguments], stdin=self.slave,
                                        stdout=self.slave, stderr=self.slave, env=env, preexec_fn=own_terminal,
                                        cwd=folder)
        self.wait_for(">>>")

    def resize(self, columns, rows):
        self.screen.resize(columns, rows)
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read(self, seconds):
        ready, _, _ = select.select([self.master], [], [], seconds)
        if not ready:
            return False
        try:
            data = os.read(self.master, 65536)
        except OSError:
            return False
        self.screen.feed(data)
        return bool(data)

    def settle(self):
        """Until nothing has come for a while."""
        while self.read(0.3):
            pass

    def wait_until(self, seen, what):
        deadline = time.monotonic() + PATIENCE
        while not seen():
            if time.monotonic() > deadline:
                raise AssertionError(f"waited for {what!r}; the screen:\n{self.screen.shown()}")
            self.read(0.1)

    def wait_for(self, text):
        self.wait_until(lambda: text in self.screen.text(), text)

    def wait_for_prompt(self):
        self.wait_until(lambda: self.screen.cursor_line().startswith(">>>"), "the prompt")

    def type(self, data):
        data = data.encode() if isinstance(data, str) else data
        while data:  # the terminal's queue is short
            _, ready, _ = select.select([], [self.master], [], 0.1)
            if ready:
                data = data[os.write(self.master, data[:512]):]
            self.read(0)

    def send(self, text):
        """A line with an answer or a result, until the next prompt."""
        before = self.screen.text().count("\n>>>")
        self.type(text + "\r")
        self.wait_until(lambda: self.screen.text().count("\n>>>") > before, "the next prompt")
        self.wait_for_prompt()

    def messages(self):
        self.wait_for_prompt()
        path = Path(tempfile.mktemp(suffix=".json"))
        self.send(f"/save {path}")
        messages = json.loads(path.read_text())["messages"]
        path.unlink()
        return messages

    def modes(self):
        return termios.tcgetattr(self.slave)

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self.master)
        os.close(self.slave)

    def wait_end(self):
        deadline = time.monotonic() + PATIENCE
        while self.process.poll() is None and time.monotonic() < deadline:
            self.read(0.1)
        while self.read(0):  # what it wrote before it went
            pass
        return self.process.wait(1)


def model(folder):
    template = Path(folder) / "template.jinja"
    template.write_text(TEMPLATE)
    return ["-m", str(GOLDEN / "qwen3next/split.gguf"), "--chat-template-file", str(template), "-t", "1", "--temp", "0"]


class Terminal(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.chat = None

    def tearDown(self):
        if self.chat:
            self.chat.end()
        self.folder.cleanup()

    def start(self, *arguments, **more):
        if self.chat:
            self.chat.end()
        self.chat = Chat(self.folder.name, *arguments, **more)
        return self.chat

    def users(self):
        return [m["content"] for m in self.chat.messages() if m["role"] == "user"]

    def test_editing(self):
        chat = self.start("-n", "3")
        chat.type("wrld, hello" + "x")
        chat.type(b"\x7f" + CTRL_W + b"\x01hello \x1b[C")  # Backspace, Ctrl-W, Ctrl-A, Right
        chat.type("o\x05\x7f\x7f")
        chat.settle()
        self.assertEqual(chat.screen.cursor_line(), ">>> hello world")
        chat.send(" \u00e9\u6f22e\u0301" + "\x02\x02\x02!")
        chat.send("one\\\rtwo\x1b\rthree\nfour")
        chat.send('"""a\r\rb"""')
        chat.type("thrown away" + "\x03")
        chat.settle()
        self.assertEqual(self.users(),
                         ["hello world !\u00e9\u6f22e\u0301", "one\ntwo\nthree\nfour", "a\n\nb"])

    def test_history(self):
        chat = self.start("-n", "2")
        chat.send("first message")
        chat.send("second\\\rof two lines")
        chat.type("draft" + "\x1b[A" * 3)
        chat.wait_for(">>> first message")
        chat.type(b"\x1b[B" * 3)
        self.assertTrue(chat_line(chat, ">>> draft"))
        chat.type(CTRL_C)
        chat.type(CTRL_D)
        self.assertEqual(chat.wait_end(), 0)
        path = Path(self.folder.name, ".local/share/braid/history")
        self.assertEqual(path.stat().st_mode & 0o777, 0o600)
        self.assertEqual(path.read_text(), "first message\nsecond\\nof two lines\n")

        chat = self.start("-n", "2")
        chat.type(CTRL_R + b"first")
        chat.wait_for("search back: first")
        self.assertTrue(chat_line(chat, ">>> first message"))
        chat.send("")
        self.assertEqual(self.users(), ["first message"])

    def test_stopping_an_answer(self):
        chat = self.start("--ignore-eos", "-c", "200000")
        for round_ in range(2):
            chat.type(f"message {round_}\r")
            before = len(chat.screen.text())
            chat.wait_until(lambda: len(chat.screen.text()) > before + 200, "an answer")
            started = time.monotonic()
            chat.type(CTRL_C)
            chat.wait_for_prompt()
            self.assertLess(time.monotonic() - started, 10)
        self.assertIn("Stopped; what was said stays.", chat.screen.text())
        messages = chat.messages()
        self.assertEqual([m["role"] for m in messages], ["user", "assistant"] * 2)
        for message in messages[1::2]:
            self.assertGreater(len(message["content"]), 50)

    def test_stopping_a_prompt(self):
        text = "a long text\n" * 20000
        Path(self.folder.name, "long.txt").write_text(text)
        chat = self.start("-c", "300000", "-ub", "64")
        chat.type("/file long.txt\r")
        chat.wait_for("tokens read")
        started = time.monotonic()
        chat.type(CTRL_C)
        chat.wait_for("Stopped before the answer began")
        self.assertLess(time.monotonic() - started, 10)
        self.assertTrue(chat_line(chat, ">>> /file long.txt"))  # there again
        chat.type(CTRL_C)
        chat.settle()
        self.assertNotIn("tokens read", chat.screen.text())
        self.assertEqual(chat.messages(), [])

    def test_resize(self):
        chat = self.start("-n", "2")
        chat.type("one two three four five six seven eight nine ten eleven twelve")
        chat.settle()
        above = chat.screen.text().split("\n>>>")[0]
        chat.resize(30, 24)
        os.kill(chat.process.pid, signal.SIGWINCH)
        chat.settle()
        self.assertIn("\n>>> one two three four five si\nx seven eight nine ten eleven\ntwelve",
                      "\n" + chat.screen.shown())
        self.assertEqual(chat.screen.text().count("one two three"), 1)
        chat.resize(100, 24)
        os.kill(chat.process.pid, signal.SIGWINCH)
        chat.settle()
        self.assertEqual(chat.screen.text().count("one two three"), 1)
        self.assertTrue(chat.screen.text().startswith(above[:30]), chat.screen.text())
        chat.send(" thirteen")
        self.assertEqual(self.users(), ["one two three four five six seven eight nine ten eleven twelve thirteen"])

    def test_paste(self):
        chat = self.start("-n", "2", "-c", "30000")
        lines = [f"line {i} of the paste" for i in range(500)]
        chat.type(b"\x1b[200~" + "\r".join(lines).encode() + b"\x1b[201~")
        chat.wait_for("... line 499 of the paste")
        self.assertNotIn("tokens in", chat.screen.text())
        chat.send(" and typed")
        self.assertIn("more lines", chat.screen.text())
        self.assertEqual(self.users(), ["\n".join(lines) + " and typed"])

    def test_type_ahead(self):
        chat = self.start("--ignore-eos", "-n", "3000", "-c", "30000")
        chat.type("first\r")
        chat.wait_for("first")
        chat.type("second\r")
        chat.wait_until(lambda: chat.screen.text().count("tokens in") == 2, "two answers")
        self.assertEqual(self.users(), ["first", "second"])

    def test_context_full(self):
        chat = self.start("--ignore-eos", "-n", "40", "-c", "256")
        for i in range(2):
            chat.send(f"message {i} " + "x" * 40)
        chat.type("message 2 " + "x" * 40 + "\r")
        chat.wait_for("d, n or e?")
        chat.type("e\r")
        chat.wait_for_prompt()
        self.assertTrue(chat_line(chat, ">>> message 2"))
        before = chat.screen.text().count("d, n or e?")
        chat.type("\r")
        chat.wait_until(lambda: chat.screen.text().count("d, n or e?") > before, "the question again")
        dropped = int(re.findall(r"drop the oldest turns \((\d) of 2\)", chat.screen.text())[-1])
        chat.send("d")
        self.assertEqual([u[:9] for u in self.users()], [f"message {i}" for i in range(dropped, 3)])

    def test_answer_meets_the_end(self):
        chat = self.start("--ignore-eos", "-c", "128")
        chat.type("a message\r")
        chat.wait_for("n or k?")
        self.assertIn("The answer met the end of the context", chat.screen.text())
        chat.send("k")
        self.assertGreater(len(chat.messages()[1]["content"]), 20)
        chat.send("/clear")
        self.assertEqual(chat.messages(), [])

    def test_commands(self):
        chat = self.start("-n", "2")
        chat.send("/system be brief")
        chat.send("hello")
        chat.send("/undo")
        chat.send("/undo")
        chat.wait_for("nothing to take back")
        chat.send("/set top_p 2")
        chat.wait_for("top_p")
        chat.send("/histroy")
        chat.wait_for("did you mean /history?")
        chat.send("/set seed 7")
        chat.send("again")
        chat.type("/edit\r")
        chat.wait_for(">>> again")
        chat.settle()
        chat.send("!")
        chat.type("/unknown\t\x15/mul\t")
        self.assertTrue(chat_line(chat, ">>> /multiline"))
        chat.send("\x15/tokens")
        self.assertEqual(chat.messages()[0], {"role": "system", "content": "be brief"})
        self.assertEqual(self.users(), ["again!"])
        chat.type("/bye\r")
        self.assertEqual(chat.wait_end(), 0)

    def test_modes_are_put_back(self):
        chat = self.start("--ignore-eos", "-c", "200000")
        self.assertNotEqual(chat.modes(), chat.found)
        self.assertIn("?2004", chat.screen.modes)
        self.assertFalse(chat.modes()[3] & (termios.ECHO | termios.ISIG))
        chat.type("hello\r")
        chat.wait_until(lambda: chat.modes()[3] & termios.ISIG, "an answer")
        self.assertFalse(chat.modes()[3] & termios.ECHO)
        chat.type(CTRL_C)
        chat.wait_for("Stopped")
        chat.settle()
        chat.type(CTRL_C)  # where the answer had not begun the message is there again
        chat.settle()
        chat.type(CTRL_C)
        chat.wait_for("Ctrl-D or /bye leaves.")
        chat.type(CTRL_D)
        self.assertEqual(chat.wait_end(), 0)
        self.assertEqual(chat.modes(), chat.found)
        self.assertNotIn("?2004", chat.screen.modes)
        for wanted in (signal.SIGTERM, signal.SIGSEGV, signal.SIGHUP):
            for answering in (False, True):
                chat = self.start("--ignore-eos", "-c", "200000")
                if answering:
                    chat.type("hello\r")
                    chat.read(1)
                os.kill(chat.process.pid, wanted)
                code = chat.wait_end()
                self.assertIn(code, (-wanted, 1))  # 1: a sanitizer reports it
                self.assertEqual(chat.modes(), chat.found, (wanted, answering))

    def test_suspend(self):
        chat = self.start("-n", "2")
        chat.type("half a mess")
        chat.settle()
        chat.type(CTRL_Z)
        _, status = os.waitpid(chat.process.pid, os.WUNTRACED)
        self.assertTrue(os.WIFSTOPPED(status))
        self.assertEqual(chat.modes(), chat.found)
        os.kill(chat.process.pid, signal.SIGCONT)
        chat.wait_until(lambda: chat.screen.text().count(">>> half a mess") == 2, "the line again")
        self.assertNotEqual(chat.modes(), chat.found)
        chat.send("age")
        self.assertEqual(self.users(), ["half a message"])

    def test_plain_terminals(self):
        chat = self.start("-n", "2", TERM="dumb")
        chat.type("one\\\rtwo\r")
        chat.wait_for("tokens in")
        chat.type('"""a\rb"""\r')
        chat.wait_until(lambda: chat.screen.text().count("tokens in") == 2, "the second answer")
        chat.type(CTRL_C)
        chat.wait_for("leaves")
        self.assertEqual(chat.screen.modes, set())
        path = Path(self.folder.name, "plain.json")
        chat.type(f"/save {path}\r")
        chat.wait_for("saved")
        users = [m["content"] for m in json.loads(path.read_text())["messages"] if m["role"] == "user"]
        self.assertEqual(users, ["one\ntwo", "a\nb"])
        chat.type(CTRL_D)
        self.assertEqual(chat.wait_end(), 0)

    def test_colours(self):
        for variables, dimmed in (({}, True), ({"NO_COLOR": "1"}, False)):
            chat = self.start("-n", "2", **variables)
            seen = []
            feed = chat.screen.feed
            chat.screen.feed = lambda data, feed=feed: (seen.append(data), feed(data))
            chat.send("hello")
            self.assertEqual(b"\x1b[2m" in b"".join(seen), dimmed)


def chat_line(chat, text):
    """The line in which the cursor is, once it begins like this."""
    chat.wait_until(lambda: chat.screen.cursor_line().startswith(text), text)
    return chat.screen.cursor_line()


class Pipes(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()

    def tearDown(self):
        self.folder.cleanup()

    def run_chat(self, *arguments, text=b"hello\n"):
        return subprocess.run([str(BRAID), "chat", *model(self.folder.name), *arguments], input=text,
                              capture_output=True, timeout=PATIENCE, env=self.environment(), check=False)

    def environment(self):
        return dict(os.environ, HOME=self.folder.name, XDG_DATA_HOME=self.folder.name)

    def test_a_message_in_an_answer_out(self):
        result = self.run_chat("-n", "20")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(result.stderr, b"")
        self.assertGreater(len(result.stdout), 5)
        self.assertNotIn(b"\x1b[", result.stdout)
        self.assertNotIn(b">>>", result.stdout)
        self.assertEqual(result.stdout, self.run_chat("-n", "20", "-p", "hello").stdout)
        self.assertFalse(Path(self.folder.name, "braid").exists(), "no history of pipes")

    def test_mistakes_are_one_line(self):
        for arguments, text, part in (
                ([], b"", b"there is no message"),
                (["-c", "64"], b"x" * 100, b"-c "),
                (["--top-p", "7"], b"x", b"top_p"),
                (["-f", "no-such-file"], b"x", b"no-such-file")):
            result = self.run_chat(*arguments, text=text)
            self.assertEqual(result.returncode, 1, result.stderr)
            self.assertEqual(result.stdout, b"")
            self.assertTrue(result.stderr.startswith(b"braid: "), result.stderr)
            self.assertEqual(result.stderr.count(b"\n"), 1, result.stderr)
            self.assertIn(part, result.stderr)

    def test_output_closed_early(self):
        for ignored in (False, True):
            process = subprocess.Popen(
                [str(BRAID), "chat", *model(self.folder.name), "--ignore-eos", "-c", "200000", "-p", "hello"],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=self.environment(),
                preexec_fn=lambda ignored=ignored: signal.signal(signal.SIGPIPE, signal.SIG_IGN if ignored
                                                                 else signal.SIG_DFL), restore_signals=False)
            process.stdout.read(10)
            process.stdout.close()
            self.assertEqual(process.wait(PATIENCE), 141 if ignored else -signal.SIGPIPE)
            self.assertEqual(process.stderr.read(), b"")
            process.stderr.close()

    def test_interrupt(self):
        process = subprocess.Popen(
            [str(BRAID), "chat", *model(self.folder.name), "--ignore-eos", "-c", "200000", "-p", "hello"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=self.environment())
        process.stdout.read(10)
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=PATIENCE)
        self.assertEqual((process.returncode, errors), (130, b""))
        self.assertGreater(len(output), 0)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]], verbosity=2)
