#!/usr/bin/env python3
"""`braid load` and `braid chat --url` against `braid serve` on the demo model: the same answers alone and in
company, with texts, ids and chats, sampled or not; memory; Ctrl-C; the answers of a chat.

    client_test.py BRAID [TEST ...]
"""

import json
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import serving

BRAID = Path(sys.argv[1]).resolve()
PATIENCE = 120  # seconds; a loaded machine and sanitizers are slow
SIZES = ["--prompt-tokens", "16-200", "--answer-tokens", "4-24", "--message-tokens", "4-40", "--shared", "12",
         "--temperatures", "0,0.8"]


class Clients(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.env = serving.environment()
        cls.server = serving.Server(BRAID, "-c", "1024", "-np", "8", "-t", "2", "-q")
        cls.url = cls.server.address

    @classmethod
    def tearDownClass(cls):
        cls.server.__exit__()

    def load(self, *arguments):
        done = subprocess.run([str(BRAID), "load", "--url", self.url, *arguments], env=self.env, text=True,
                              capture_output=True, timeout=PATIENCE)
        return done.returncode, done.stdout, done.stderr

    def test_the_same_answers_alone_and_in_company(self):
        with tempfile.TemporaryDirectory() as folder:
            ids = ["--completions", "ids", "--ids", "3-500"]
            for form in ([], ["--completions", "text"], ids):
                alone = folder + "/alone"
                code, out, errors = self.load("--requests", "24", *SIZES, *form, "--answers", alone, "-o", "json")
                self.assertEqual(code, 0, errors + out)
                report = json.loads(out)
                self.assertEqual((report["answered"], report["failed"], report["uncounted_answers"]), (24, 0, 0))
                with open(alone) as file:
                    answers = [json.loads(line) for line in file]
                self.assertEqual([answer["number"] for answer in answers], list(range(24)))
                self.assertTrue(all(4 <= answer["answer_tokens"] <= 24 and answer["finish"] == "length"
                                    for answer in answers), answers)
                self.assertGreater(len({answer["text"] for answer in answers}), 3)
                code, out, errors = self.load("--requests", "24", *SIZES, *form, "--compare", alone, "--clients", "8")
                self.assertEqual(code, 0, errors + out)
                self.assertIn("24 answers as in", out)
                if form == ids:  # these prompts are as long as they were meant to be
                    trace = folder + "/trace"
                    self.load("--requests", "24", *SIZES, *form, "--write-trace", trace)
                    with open(trace) as file:
                        lengths = [len(json.loads(line)["prompt"]) for line in file]
                    self.assertEqual([answer["prompt_tokens"] for answer in answers], lengths)

    def test_what_was_answered_goes_on(self):
        code, out, errors = self.load("--requests", "20", *SIZES, "--real-answers", "--turns", "3", "--clients", "4")
        self.assertEqual(code, 0, errors + out)
        self.assertIn("20 answers in ", out)

    def chat(self, *arguments):
        done = subprocess.run([str(BRAID), "chat", "--temp", "0", *arguments], env=self.env, text=True,
                              capture_output=True, timeout=PATIENCE)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def test_a_chat_is_the_same_with_a_server(self):
        for message in ("Who are you?", "What is the capital of France?"):
            for more in ([], ["--show-thinking"], ["--show-thinking", "-n", "5"], ["--no-think"]):
                here = self.chat("-p", message, "-t", "1", *more)
                self.assertEqual(self.chat("--url", self.url, "-p", message, *more), here)
                self.assertTrue(here.strip())

    def answers(self):
        return self.server.gauge("braid_request_seconds_count")

    def test_ctrl_c_tells_what_there_is(self):
        before = self.answers()
        process = subprocess.Popen([str(BRAID), "load", "--url", self.url, "--duration", "600", "--clients", "4",
                                    "--prompt-tokens", "16-200", "--watch-pid", str(self.server.process.pid)],
                                   env=self.env, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        while self.answers() < before + 8:
            self.assertIsNone(process.poll())
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        began = time.monotonic()
        out, errors = process.communicate(timeout=PATIENCE)
        self.assertLess(time.monotonic() - began, PATIENCE / 4)
        self.assertEqual(process.returncode, 130, errors)
        self.assertRegex(out, r"^\d+ answers in [\d.]+ s from 4 clients, 0 failed, \d stopped")
        self.assertIn("time to first token", out)
        self.assertIn("resident memory: ", out)
        self.assertEqual(errors, "")

    def test_ctrl_c_ends_it_while_the_server_is_silent(self):
        with socket.create_server(("127.0.0.1", 0)) as silent:
            url = f"http://127.0.0.1:{silent.getsockname()[1]}"
            process = subprocess.Popen([str(BRAID), "load", "--url", url], env=self.env, text=True,
                                       stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            connection, _ = silent.accept()
            with connection:
                self.assertIn(b"/v1/models", connection.recv(4096))
                process.send_signal(signal.SIGINT)
                out, _ = process.communicate(timeout=PATIENCE)
            self.assertEqual((process.returncode, out), (-signal.SIGINT, ""))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1] + sys.argv[2:])
