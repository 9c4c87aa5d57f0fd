#!/usr/bin/env python3
"""Checks that clang-format would change nothing.

usage: check_format.py [ROOT] [--fix]

Uses clang-format-14, the version that everybody formats with. With --fix it changes the files.
Names the files that differ, and exits with 1 when there is one.
"""

import argparse
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import sources

PROGRAM = "clang-format-14"


def differs(root, path):
    text = (root / path).read_bytes()
    done = subprocess.run([PROGRAM, f"--assume-filename={root / path}"], input=text, capture_output=True, check=True)
    return done.stdout != text


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", nargs="?", type=Path, default=Path(__file__).resolve().parents[2])
    parser.add_argument("--fix", action="store_true")
    options = parser.parse_args()
    root = options.root.resolve()
    paths = sources.code_files(root)
    with ThreadPoolExecutor() as pool:
        bad = [str(p) for p, d in zip(paths, pool.map(lambda p: differs(root, p), paths)) if d]
    if bad and options.fix:
        subprocess.run([PROGRAM, "-i", *bad], cwd=root, check=True)
        print(f"formatted {len(bad)} files")
        return 0
    if bad:
        print("\n".join(f"{p}: not as .clang-format says" for p in bad))
        print("to mend them: tests/arch/check_format.py --fix")
        return 1
    print(f"format: {len(paths)} files are as they should be")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except FileNotFoundError:
        print(f"{PROGRAM} is not installed; scripts/install-deps test installs it")
        sys.exit(1)
