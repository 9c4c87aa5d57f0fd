#!/usr/bin/env python3
"""Checks that code compiled once per instruction set cannot leak into the rest of the program.

usage: check_symbols.py BUILD_FOLDER [--root ROOT] [--nm NM] [--elsewhere KERNEL...]

An inline function that such an object shares with others (a weak symbol) may be kept by the linker
in the version of the best instruction set, and then crashes an older machine. So every object compiled with
-DBRAID_ISA=<isa> (compile_commands.json tells) may export fill_* functions of braid::<isa> and
nothing else, holds no weak symbol, and needs no C++ function from outside. Prints one line per
violation; exits with 1 when there is one, when such an object is missing, and when src/device/cpu
has kernels that are not compiled that way, or are although they are named as those of another processor.
"""

import argparse
import json
import re
import subprocess
import sys
from pathlib import Path

KERNEL_FOLDERS = ("src/device/cpu/kernels", "src/device/cpu/special")


def isa_objects(build):
    """(isa, object, source) of everything that this build compiles for one instruction set."""
    commands = json.loads((build / "compile_commands.json").read_text())
    for entry in commands:
        if isa := re.search(r"-DBRAID_ISA=(\w+)", entry["command"]):
            name = re.search(r" -o (\S+)", entry["command"]).group(1)
            yield isa.group(1), Path(entry["directory"], name), Path(entry["file"])


def check_object(isa, path, nm):
    """Violations of one object."""
    listing = subprocess.run([nm, "--format=posix", str(path)], check=True, capture_output=True, text=True).stdout
    for line in listing.splitlines():
        symbol, kind = line.split()[:2]
        # _ZN5braid<isa>N...: braid::<isa>::fill_<name>(...)
        fill = re.match(rf"_ZN5braid{len(isa)}{re.escape(isa)}\d+fill_\w+E", symbol)
        if kind in "WwVvu":
            yield f"{path.name} ({isa}): weak symbol {symbol}: make it always_inline with internal linkage"
        elif kind == "U":
            if symbol.startswith("_Z"):
                yield f"{path.name} ({isa}): needs the C++ function {symbol} from outside"
        elif kind.isupper() and kind not in "N" and not fill:
            yield f"{path.name} ({isa}): exports {symbol}; only braid::{isa}::fill_* may be seen"


def check(root, build, nm, elsewhere=()):
    bad, sources, objects = [], set(), 0
    for isa, path, source in isa_objects(build):
        objects += 1
        sources.add(source.resolve())
        if path.is_file():
            bad += check_object(isa, path, nm)
        else:
            bad.append(f"{path} is missing: build it first")
    for folder in KERNEL_FOLDERS:
        for kernel in sorted((root / folder).glob("*.cc")):
            if (kernel.resolve() in sources) == (kernel.name in elsewhere):
                what = "belongs to another processor" if kernel.name in elsewhere else "is not compiled with -DBRAID_ISA=<isa>"
                bad.append(f"{kernel.relative_to(root)} {what}")
    return bad, objects


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=Path)
    parser.add_argument("--root", type=Path, default=Path(__file__).resolve().parents[2])
    parser.add_argument("--nm", default="nm")
    parser.add_argument("--elsewhere", nargs="*", default=[])
    options = parser.parse_args()
    bad, objects = check(options.root, options.build, options.nm, options.elsewhere)
    print("\n".join(bad) if bad else f"symbols: {objects} objects are as they should be")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
