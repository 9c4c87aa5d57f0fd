#!/usr/bin/env python3
"""Checks that the kernels of each instruction set use the instruction that the set is for.

usage: check_dots.py BUILD_FOLDER [--objdump OBJDUMP]

Every product of packed strips (product<type, rows>, ready_block<type, rows> or product_many<type> of
special/packed_*.cc) must hold the dot instruction of its set, but for a product_many that calls ready_block,
and so must the attention of sets that have one for words: a compiler that finds another way, or a kernel that
falls back on plain code, is seen here and not in a measurement months later. Prints one line per violation;
exits with 1 when there is one, or when a set has no such kernel at all.
"""

import argparse
import re
import subprocess
import sys
from pathlib import Path

import check_symbols

# What a product of `rows` rows must hold.
PRODUCTS = {
    "avx2": lambda rows: r"\bvpmaddubsw .*%ymm",
    "avxvnni": lambda rows: r"\{vex\} vpdpbusd .*%ymm",
    "avx512vnni": lambda rows: r"\bvpdpbusd .*%zmm",
    "neon": lambda rows: r"\bsmlal2?\s+v\d+\.8h",
    "dotprod": lambda rows: r"\b[su]dot\s+v\d+\.4s",
    "i8mm": lambda rows: r"\b[su]dot\s+v\d+\.4s" if rows == 1 else r"\b(s|us|u)mmla\s+v\d+\.4s",
}
WORDS = {
    "avxvnni": r"\{vex\} vpdpwssd .*%ymm",
    "avx512vnni": r"\bvpdpwssd .*%zmm",
}
# braid::<isa>::(anonymous namespace)::product<(braid::PackedType)T, N>(...), ready_block<T, N>(...),
# or product_many<T>(...)
PRODUCT = re.compile(r"\d(product|ready_block|product_many)ILNS_10PackedTypeE(\d+)E(?:Li(\d+)E)?EE")


# All that is left of a function that is equal to another: types may differ in nothing but their names.
JUMP = re.compile(r"\s*[0-9a-f]+:\s+(?:jmp|b)\s+[0-9a-f]+ <([^>+]+)>")


def functions(text):
    """{symbol: instructions} of what objdump says."""
    parts = re.split(r"^[0-9a-f]+ <([^>]+)>:$", text, flags=re.M)
    code = dict(zip(parts[1::2], parts[2::2]))
    for symbol, body in code.items():
        if jump := JUMP.match(body):
            code[symbol] = code.get(jump[1], body)
    return code


def check_object(isa, name, text):
    """(violations, products seen) of one disassembled object."""
    bad, seen = [], 0
    if name.startswith("packed_") and isa in PRODUCTS:
        for symbol, code in functions(text).items():
            if (found := PRODUCT.search(symbol)) and not symbol.endswith(".cold"):
                kind, rows = int(found[2]), int(found[3] or 12)
                if found[1] == "product_many" and re.search(rf"call.*ready_blockILNS_10PackedTypeE{kind}E", code):
                    continue
                seen += 1
                if not re.search(PRODUCTS[isa](rows), code):
                    bad.append(f"{name} ({isa}): the product of type {kind} and {rows} rows has no "
                               f"{PRODUCTS[isa](rows)}")
    if name.startswith("attention.") and isa in WORDS and not re.search(WORDS[isa], text):
        bad.append(f"{name} ({isa}): no {WORDS[isa]}")
    return bad, seen


def check(build, objdump):
    bad, seen = [], {}
    for isa, path, source in check_symbols.isa_objects(build):
        # packed.cc has the products of weights that are not quantised.
        if isa not in PRODUCTS or not source.name.startswith(("packed_", "attention.")):
            continue
        if not path.is_file():
            bad.append(f"{path} is missing: build it first")
            continue
        command = [objdump, "-d", "--no-show-raw-insn", str(path)]
        text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        violations, products = check_object(isa, source.name, text)
        bad += violations
        seen[isa] = seen.get(isa, 0) + products
    bad += [f"{isa}: no product of packed strips was found" for isa, products in seen.items() if products == 0]
    return bad, seen


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=Path)
    parser.add_argument("--objdump", default="objdump")
    options = parser.parse_args()
    bad, seen = check(options.build, options.objdump)
    if not seen:
        bad.append("no instruction set with a dot instruction was found")
    print("\n".join(bad) if bad else "dots: " + ", ".join(f"{isa} {n}" for isa, n in seen.items()) + " products")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
