#!/usr/bin/env python3
"""Fires bad requests (hostile.py) at `braid serve` from many clients, beside one that behaves well.

    hostile_test.py BRAID [--requests N] [--seed S] [--lasting N] [--sanitized]

Beside them are clients that take their time: a byte a second, half a head and then nothing, nothing at
all, an answer that is not read. None may bring a crash, a hang, a leak or a status that is not right for it, and the neighbour gets
the same answer every time. To show that it would notice, the same is run with a server that is
killed, one that is stopped, one that is let grow and one that asks for keys.
"""

import argparse
import collections
import http.client
import json
import os
import queue
import re
import select
import signal
import socket
import struct
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import hostile
import serving

CLIENTS = 8
PATIENCE = 30  # seconds for any answer
LASTING = 25  # seconds until the server has ended with who takes its time: 15 for a head
GROWTH = 16 << 20  # bytes that memory may grow by after the first third: the allocator's habits


class Server(serving.Server):
    def __init__(self, braid, *more):
        # Small caches: what they may hold is reached early, and what grows later is a leak.
        super().__init__(braid, "-c", "512", "-t", "1", "-q", "--max-body", "100K", "--kv-memory", "8M",
                         "--snapshot-memory", "4M", *more, patience=PATIENCE)

    def memory(self):
        with open(f"/proc/{self.process.pid}/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))


class Trouble(Exception):
    pass


def fire(port, shot):
    """The status of the first answer; None when the connection ended without one. Raises Trouble for a hang."""
    client = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
    try:
        for step in shot.steps:
            if isinstance(step, float):
                time.sleep(step)
            elif step == "close":
                return None
            elif step == "reset":
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                return None
            elif step == "half":
                client.shutdown(socket.SHUT_WR)
            else:
                client.sendall(step)
        if shot.half_close:
            client.shutdown(socket.SHUT_WR)
        seen = b""
        while b"\r\n" not in seen or seen.startswith(b"HTTP/1.1 100"):
            part = client.recv(4096)
            if not part:
                return None
            seen += part
        found = re.match(rb"HTTP/1\.1 (\d{3}) ", seen)
        if not found:
            raise Trouble(f"{shot.kind}: the answer begins with {seen[:60]!r}")
        return int(found.group(1))
    except socket.timeout:
        raise Trouble(f"{shot.kind}: no answer within {PATIENCE} s to {shot.steps[0][:200]!r}") from None
    except OSError:
        return None  # the server may cut the line of who goes on sending
    finally:
        client.close()


class Patient:
    """One of hostile.lasting() at work; step() a few times a second."""

    def __init__(self, port, script):
        self.script, self.slowly, self.seen, self.status, self.over = script, script.slowly, b"", None, False
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        self.socket.sendall(script.at_once)
        self.started = self.sent = time.monotonic()

    def end(self):
        self.over = True
        self.socket.close()

    def step(self):
        now = time.monotonic()
        try:
            if self.slowly and now - self.sent >= 1:
                self.socket.sendall(self.slowly[:1])
                self.slowly, self.sent = self.slowly[1:], now
            # Who reads nothing looks once, at the end.
            if (self.script.reads or now - self.started > LASTING - 8) and select.select([self.socket], [], [], 0)[0]:
                part = self.socket.recv(4096)
                self.seen += part
                found = re.match(rb"HTTP/1\.1 (\d{3}) ", self.seen)
                if found:
                    self.status = int(found.group(1))
                if found or not part:
                    self.end()
        except OSError:
            self.end()


class Run:
    def __init__(self, server, shots, weigh, lasting=0):
        self.lasting = hostile.lasting() * lasting
        self.server, self.weigh, self.trouble, self.counts = server, weigh, [], collections.Counter()
        self.waiting = queue.SimpleQueue()
        for shot in shots:
            self.waiting.put(shot)
        self.count, self.memory_early, self.memory_late, self.over = len(shots), 0, 0, threading.Event()
        self.neighbour_answers = 0

    def note(self, text):
        self.trouble.append(text)
        self.over.set()

    def client(self):
        while not self.over.is_set():
            try:
                shot = self.waiting.get_nowait()
            except queue.Empty:
                return
            try:
                status = fire(self.server.port, shot)
            except (Trouble, OSError) as error:
                return self.note(str(error))
            self.counts[(shot.kind, status)] += 1
            if status not in shot.statuses:
                return self.note(f"{shot.kind}: status {status}, right are {shot.statuses}: {shot.steps[0][:300]!r}")
            if self.memory_early == 0 and self.waiting.qsize() < self.count * 2 // 3:
                self.memory_early = self.server.memory()

    def neighbour(self):
        first, body = None, {"prompt": "The harbour was quiet when", "max_tokens": 8, "temperature": 0}
        while not self.over.is_set():
            try:
                status, text, _ = self.server.ask("POST", "/v1/completions", body)
            except (OSError, http.client.HTTPException) as error:
                return self.note(f"the neighbour: {error!r}")
            if status != 200:
                return self.note(f"the neighbour: status {status}: {text}")
            answer = json.loads(text)["choices"]
            first = first or answer
            if answer != first:
                return self.note(f"the neighbour: {answer} after {first}")
            self.neighbour_answers += 1

    def patients(self):
        patients = [Patient(self.server.port, script) for script in self.lasting]
        while not all(one.over for one in patients):
            for one in patients:
                if not one.over:
                    one.step()
                if not one.over and time.monotonic() - one.started > LASTING:
                    one.end()
                    self.note(f"{one.script.kind}: nothing came of it within {LASTING} s")
            time.sleep(0.1)
        for one in patients:
            self.counts[(one.script.kind, one.status)] += 1
            if one.status not in one.script.statuses and not self.trouble:
                self.note(f"{one.script.kind}: status {one.status}, right are {one.script.statuses}: {one.seen[:100]!r}")

    def go(self, during=lambda run: None):
        """What went wrong; an empty list when nothing did."""
        descriptors = self.server.descriptors()
        well = threading.Thread(target=self.neighbour)
        clients = [threading.Thread(target=self.client) for _ in range(CLIENTS)] + [threading.Thread(target=self.patients)]
        for thread in [well, *clients]:
            thread.start()
        during(self)
        for thread in clients:
            thread.join()
        self.over.set()
        well.join()
        try:
            return self.trouble or self.after(descriptors)
        except (OSError, http.client.HTTPException) as error:  # who crashes closes its port before it has ended
            return [f"afterwards: {error!r}"]

    def after(self, descriptors):
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            left = [self.server.gauge(f"braid_requests_{what}") for what in ("running", "waiting")]
            if left == [0, 0] and self.server.descriptors() <= descriptors + 2:
                break
            time.sleep(0.2)
        else:
            return [f"after all {left} requests run and wait, {self.server.descriptors()} descriptors after {descriptors}"]
        self.memory_late = self.server.memory()
        grown = self.memory_late - self.memory_early
        if self.weigh and grown > GROWTH:
            return [f"memory grew by {grown >> 20} MiB in the last two thirds"]
        if self.neighbour_answers < 3:
            return [f"the neighbour got {self.neighbour_answers} answers"]
        return []


def run(options, shots, *more, during=lambda run: None, lasting=0):
    with Server(options.braid, *more) as server:
        one = Run(server, shots, not options.sanitized, lasting)
        trouble = one.go(during)
        if server.process.poll() is not None:
            trouble.insert(0, f"it ended with {server.process.returncode}")
        if not trouble:
            server.process.send_signal(signal.SIGTERM)
            if server.process.wait(PATIENCE) != 0:
                trouble = [f"it ended with {server.process.returncode}"]
        return trouble + ([server.log()[:6000]] if trouble else []), one


def signal_later(number):
    def send(run):
        while run.waiting.qsize() > run.count // 2 and not run.over.is_set():
            time.sleep(0.01)
        run.server.process.send_signal(number)
    return send


def growing(seed, count):
    """Prompts that are all new: with large budgets for the past, memory grows as if it leaked."""
    return [hostile.Shot("grows", [hostile.post("/v1/completions", json.dumps(
        {"prompt": f"{seed} {i} " + "day " * 300, "max_tokens": 1}).encode())], {200}) for i in range(count)]


def main():
    global PATIENCE
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("braid")
    parser.add_argument("--requests", type=int, default=600)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--lasting", type=int, default=2, help="clients of each kind that take their time")
    parser.add_argument("--sanitized", action="store_true", help="memory is not weighed: a sanitizer keeps what was freed")
    options = parser.parse_args()
    started = time.monotonic()
    trouble, one = run(options, hostile.shots(options.seed, options.requests), lasting=options.lasting)
    print(f"{sum(one.counts.values())} requests in {time.monotonic() - started:.0f} s, "
          f"{one.neighbour_answers} answers of the neighbour, memory {one.memory_early >> 10} KiB early, {one.memory_late >> 10} at the end")
    for (kind, status), count in sorted(one.counts.items(), key=str):
        print(f"  {kind:16} {status or 'closed':>6} {count:6}")
    for line in trouble:
        print("TROUBLE:", line)
    PATIENCE = 5
    few = hostile.shots(options.seed + 1, 150)
    planted = {
        "a crash": run(options, few, during=signal_later(signal.SIGSEGV))[0],
        "a hang": run(options, few, during=signal_later(signal.SIGSTOP))[0],
        "wrong statuses": run(options, few, "--api-key", "k")[0],
    }
    if not options.sanitized:
        planted["a leak"] = run(options, growing(options.seed, 250), "--kv-memory", "1G", "--snapshot-memory", "4G")[0]
    for what, found in planted.items():
        print(f"planted {what}: {found[0][:150] if found else 'NOT FOUND'}")
    return 0 if not trouble and all(planted.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
