#!/usr/bin/env python3
"""Prints src/quant/iq_grids.cpp.

usage: make_iq_grids.py > src/quant/iq_grids.cpp

The grids are part of the GGUF formats IQ1_* to IQ3_*. They are taken from the `gguf` package of
PyPI (needs it and numpy) and packed as src/quant/iq_grids.h says.
"""

import argparse

import gguf.quants as source

GRIDS = [
    # name in Braid, class in gguf.quants, bits per code, values of the codes
    ("kIq2XxsGrid", source.IQ2_XXS, 2, [8, 25, 43]),
    ("kIq2XsGrid", source.IQ2_XS, 2, [8, 25, 43]),
    ("kIq2SGrid", source.IQ2_S, 2, [8, 25, 43]),
    ("kIq3XxsGrid", source.IQ3_XXS, 3, [4, 12, 20, 28, 36, 44, 52, 62]),
    ("kIq3SGrid", source.IQ3_S, 3, [1, 3, 5, 7, 9, 11, 13, 15]),
    ("kIq1Grid", source.IQ1_S, 2, [-1, 0, 1]),
]
PER_LINE = 12

HEAD = """\
// Made by scripts/make_iq_grids.py from the `gguf` package of PyPI; do not edit.
#include "quant/iq_grids.h"

namespace braid {
"""


def main():
    argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    ).parse_args()
    print(HEAD)
    for name, cls, bits, values in GRIDS:
        cls.init_grid()
        rows = cls.grid.reshape(cls.grid_shape).astype(int).tolist()
        entries = [sum(values.index(v) << bits * i for i, v in enumerate(row)) for row in rows]
        print(f"const uint16_t {name}[{len(entries)}] = {{")
        for i in range(0, len(entries), PER_LINE):
            print("    " + ", ".join(f"0x{e:04x}" for e in entries[i : i + PER_LINE]) + ",")
        print("};\n")
    print("}  // namespace braid")


if __name__ == "__main__":
    main()
