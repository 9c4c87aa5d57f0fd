#!/usr/bin/env python3
"""Compare braid's perplexity with a peer's on small random models, and print a Markdown table.

    compare_perplexity.py --peer PATH/llama-perplexity --ours build/braid
    compare_perplexity.py --peer PATH/llama-perplexity --quantize PATH/llama-quantize --ours build/braid

The peer is ik_llama.cpp or llama.cpp. Every model is made by make_gguf.py beside this script, measured by both programs
with the same options on the same text, and removed.

f32 models (every architecture, the older qwen3next layout, tied heads, several seeds) must agree within 1e-5 relative:
what is left is the order of sums. Peers round the activations of quantised models, each in its own way, so those are
compared twice: braid --device ref with the peer on the same file dequantised to F32 (needs --quantize; within 1e-5), and
braid on the CPU with the peer on the file itself (within 1%).

Exit code 1 when a difference is larger. Needs numpy (for make_gguf.py); PYTHON is the one that runs this script.
"""
import argparse
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ARCHITECTURES = ["qwen3next", "qwen35", "qwen35moe"]
TYPES = ["q8_0", "q4_0", "q4_k", "q5_k", "q6_k", "iq4_nl", "iq4_xs"]
COMMON = ["-c", "512", "-b", "512", "-ub", "512", "--chunks", "4", "-ctk", "f16", "-ctv", "f16"]
F32_LIMIT, QUANT_LIMIT = 1e-5, 1e-2


def output(command, cwd=None):
    """Standard output; a program that fails ends the comparison with what it said."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, cwd=cwd)
    if done.returncode:
        tail = "\n".join((done.stdout + done.stderr).splitlines()[-5:])
        sys.exit(f"{shlex.join(map(str, command))}: exit {done.returncode}\n{tail}")
    return done.stdout


def figure(text, command):
    """The most exact perplexity that the output has: (value, closing line)."""
    closing = re.search(r"^Final estimate: PPL.*= ([\d.]+(?:e[+-]?\d+)?) \+/- .*$", text, re.MULTILINE)
    if not closing:
        sys.exit(f"{shlex.join(map(str, command))}: no closing line")
    exact = re.search(r"^Exact: PPL = (\S+),", text, re.MULTILINE)
    return float((exact or closing).group(1)), closing.group(0)


class Comparison:
    def __init__(self, options, folder):
        self.o, self.folder = options, folder
        self.failed = 0
        self.example = None

    def make(self, arch, dtype, seed=1, *extra):
        path = self.folder / "model.gguf"
        output([sys.executable, HERE / "make_gguf.py", "--tiny", "--vocab", self.o.vocab, "--type", dtype,
                "--arch", arch, "--seed", seed, *extra, path])
        return path

    def ours(self, model, *extra):
        command = [self.o.ours, "perplexity", "-m", model, "-f", self.o.text, *COMMON, "-t", self.o.threads, *extra]
        return figure(output(command), command) + (command,)

    def peer(self, model):
        command = [self.o.peer, "-m", model, "-f", self.o.text, *COMMON, *shlex.split(self.o.peer_fa), "-t", self.o.threads]
        return figure(output(command, self.folder), command) + (command,)  # it leaves a log where it runs

    def row(self, name, ours, peer, limit):
        difference = abs(ours[0] - peer[0]) / peer[0]
        good = difference <= limit
        self.failed += not good
        print(f"| {name} | {ours[0]:.6f} | {peer[0]:.4f} | {difference:.1e} | {limit:.0e} | {'yes' if good else '**NO**'} |",
              flush=True)
        self.example = self.example or (ours, peer)

    def f32(self):
        heading("F32 models, braid and the peer on the same file")
        for arch in self.o.arch:
            for seed in range(1, self.o.seeds + 1):
                layouts = [(), ("--tied",)] + [("--old-layout",), ("--old-layout", "--tied")] * (arch == "qwen3next")
                for extra in layouts:
                    model = self.make(arch, "f32", seed, *extra)
                    self.row(f"{arch}, seed {seed}{''.join(f', {e[2:]}' for e in extra)}", self.ours(model), self.peer(model),
                             F32_LIMIT)

    def quantised(self):
        if self.o.quantize:
            heading("Quantised models, braid --device ref and the peer on the file dequantised to F32")
        own = []
        for arch in self.o.arch:
            for dtype in self.o.types:
                model = self.make(arch, dtype)
                own.append((f"{arch}, {dtype}", self.ours(model), self.peer(model), QUANT_LIMIT))
                if self.o.quantize:
                    whole = self.folder / "f32.gguf"
                    output([self.o.quantize, "--allow-requantize", model, whole, "F32"], self.folder)
                    self.row(f"{arch}, {dtype}", self.ours(model, "--device", "ref"), self.peer(whole), F32_LIMIT)
        heading("Quantised models, braid and the peer on the same file")
        for row in own:
            self.row(*row)


def absolute(path):
    return Path(path).resolve()


def heading(text):
    print(f"\n{text}:\n\n| model | braid | peer | relative difference | limit | within |\n|---|---|---|---|---|---|", flush=True)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--peer", required=True, type=absolute, help="the peer's llama-perplexity")
    p.add_argument("--quantize", type=absolute, help="the peer's llama-quantize; without it the comparison with F32 is left out")
    p.add_argument("--ours", type=absolute, default="build/braid")
    p.add_argument("--text", type=absolute, default=HERE.parent / "tests/data/text/story.txt")
    p.add_argument("--peer-fa", default="-fa off", help="how the peer's flash attention is turned off")
    p.add_argument("--arch", nargs="+", default=ARCHITECTURES, choices=ARCHITECTURES)
    p.add_argument("--types", nargs="*", default=TYPES, choices=TYPES)
    p.add_argument("--seeds", type=int, default=3, help="f32 models of each kind")
    p.add_argument("--vocab", type=int, default=8192)
    p.add_argument("-t", "--threads", type=int, default=2)
    with tempfile.TemporaryDirectory() as folder:
        comparison = Comparison(p.parse_args(), Path(folder))
        comparison.f32()
        if comparison.o.types:
            comparison.quantised()
    if comparison.example:
        print("\nThe commands of the first row and their closing lines:\n")
        for value, closing, command in comparison.example:
            shown = [Path(part).name if "/" in str(part) else str(part) for part in command]
            print(f"    {shlex.join(shown)}\n    {closing}")
    sys.exit(f"{comparison.failed} differences above the limit" if comparison.failed else 0)


if __name__ == "__main__":
    main()
