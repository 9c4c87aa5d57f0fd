#!/usr/bin/env python3
"""How long a program takes from its start to its first byte of output, and the memory that it takes meanwhile.

    scripts/measure_load.py --runs 5 -- build/braid run -m MODEL -c 4096 -n 1 -p Hi --temp 0
    scripts/measure_load.py --evict MODEL --peak -- build/braid run -m MODEL -c 4096 -n 1 -p Hi --temp 0

--evict FILE takes a file's pages out of memory before each run (repeatable; what others have mapped stays). --peak runs the
program in a control group of its own and reports the most memory that the group held, files and all; that needs the right
to make a group below one's own, which root has. Output before the first token, as some programs have it, counts as a byte:
compare the whole run too.
"""

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path


def own_group():
    """The folder of this process's memory control group, and the name of the file with the peak."""
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if "memory" in controllers.split(","):
            return Path("/sys/fs/cgroup/memory" + path), "memory.max_usage_in_bytes"
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        number, _, path = line.split(":", 2)
        if number == "0":
            return Path("/sys/fs/cgroup" + path), "memory.peak"
    sys.exit("measure_load: no memory control group found: leave out --peak")


class Group:
    """A group for one run; with none the run stays where it is."""

    def __init__(self, wanted):
        self.folder = None
        if not wanted:
            return
        parent, self.peak_file = own_group()
        self.folder = parent / f"braid-load.{os.getpid()}"
        try:
            self.folder.mkdir()
        except OSError as error:
            sys.exit(f"measure_load: {self.folder}: {error.strerror}: leave out --peak, or be root")

    def enter(self):
        if self.folder:
            (self.folder / "cgroup.procs").write_text(str(os.getpid()))

    def peak(self):
        return int((self.folder / self.peak_file).read_text()) if self.folder else None

    def remove(self):
        for _ in range(100):
            if not self.folder:
                return
            try:
                self.folder.rmdir()
                return
            except OSError:
                time.sleep(0.05)


def evict(paths):
    for path in paths:
        with open(path, "rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def run(command, peak):
    group = Group(peak)
    try:
        start = time.monotonic()
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=group.enter) as process:
            os.read(process.stdout.fileno(), 1)
            first = time.monotonic() - start
            _, errors = process.communicate()
        if process.returncode != 0:
            sys.exit(f"measure_load: the program ended with {process.returncode}: {errors.decode(errors='replace')}")
        return first, time.monotonic() - start, group.peak()
    finally:
        group.remove()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--evict", action="append", default=[], metavar="FILE")
    parser.add_argument("--peak", action="store_true")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    arguments = parser.parse_args()
    command = arguments.command[1:] if arguments.command[:1] == ["--"] else arguments.command
    if not command:
        parser.error("name a program behind --")
    for _ in range(arguments.runs):
        evict(arguments.evict)
        first, whole, peak = run(command, arguments.peak)
        line = f"first byte after {first:.2f} s, end after {whole:.2f} s"
        if peak is not None:
            line += f", peak {peak / 1e9:.3f} GB"
        print(line, flush=True)


if __name__ == "__main__":
    main()
