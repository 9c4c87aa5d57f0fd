#!/usr/bin/env python3
"""Makes tests/data/quant: blocks of every tensor type and the weights that they stand for.

usage: make_quant_vectors.py [FOLDER]

The weights are those of the `gguf` package of PyPI (needs it and numpy), a program that shares no
code with Braid. The result is the same on every run.

FOLDER/index.txt   a line per type: name, number of blocks, weights per block, bytes per block
FOLDER/NAME.bin    the blocks, then the weights as f32, both little endian
"""

import argparse
import warnings
from pathlib import Path

import gguf
import numpy as np

RANDOM = np.random.default_rng(20250817)

# Where a block has an f16 scale (bytes from its start). IQ1_M spreads it: set_scale.
SCALES = {
    "Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0],
    "Q2_K": [80, 82], "Q3_K": [108], "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208],
    "IQ2_XXS": [0], "IQ2_XS": [0], "IQ2_S": [0], "IQ3_XXS": [0], "IQ3_S": [0],
    "IQ1_S": [0], "IQ1_M": [], "IQ4_NL": [0], "IQ4_XS": [0], "MXFP4": [], "NVFP4": [],
}  # fmt: skip
# Entries of the grid that this type uses, and how many of them a block has room for. The blocks
# together name each entry once; IQ1_M shares the grid of IQ1_S, which does so.
GRIDS = {
    "IQ2_XXS": (256, 32), "IQ2_XS": (512, 32), "IQ2_S": (1024, 32),
    "IQ3_XXS": (256, 64), "IQ3_S": (512, 64), "IQ1_S": (2048, 32),
}  # fmt: skip
RANDOM_BLOCKS = 12


def f16(value):
    return np.float16(value).tobytes()


def random_scale():
    return f16(RANDOM.choice([-1, 1]) * 10 ** RANDOM.uniform(-4, 0))


def set_scale(name, block, scales):
    """Writes the f16 scales (bytes each) into a block; the second one is a minimum."""
    for offset, scale in zip(SCALES[name], scales):
        block[offset : offset + 2] = np.frombuffer(scale, np.uint8)
    if name == "IQ1_M":  # a nibble in the top of each of the last four 16-bit words, low one first
        bits = int.from_bytes(scales[0], "little")
        for i in range(4):
            block[49 + 2 * i] = (block[49 + 2 * i] & 15) | (bits >> 4 * i & 15) << 4


def set_grid_indices(name, block, indices):
    low = (indices & 255).astype(np.uint8)
    high = indices >> 8
    if name == "IQ2_XXS":
        for s in range(8):
            block[2 + 8 * s : 6 + 8 * s] = low[4 * s : 4 * s + 4]
    elif name == "IQ2_XS":
        block[2:66:2] = low
        block[3:66:2] = (block[3:66:2] & 0xFE) | high
    elif name == "IQ2_S":
        block[2:34] = low
        block[66:74] = [sum(int(high[4 * i + k]) << 2 * k for k in range(4)) for i in range(8)]
    elif name == "IQ3_XXS":
        block[2:66] = low
    elif name == "IQ3_S":
        block[2:66] = low
        block[66:74] = [sum(int(high[8 * i + k]) << k for k in range(8)) for i in range(8)]
    elif name == "IQ1_S":
        block[2:34] = low
        for i in range(8):
            word = sum(int(high[4 * i + k]) << 3 * k for k in range(4))
            block[34 + 2 * i] = word & 255
            block[35 + 2 * i] = (block[35 + 2 * i] & 0xF0) | word >> 8


def random_blocks(name, size, count):
    blocks = RANDOM.integers(0, 256, (count, size), dtype=np.uint8)
    for block in blocks:
        set_scale(name, block, [random_scale(), random_scale()])
        if name == "MXFP4":
            block[0] = RANDOM.integers(110, 130)
    if name in GRIDS:
        entries, per_block = GRIDS[name]
        assert count * per_block == entries
        for block, indices in zip(blocks, RANDOM.permutation(entries).reshape(count, per_block)):
            set_grid_indices(name, block, indices)
    return blocks


def edge_blocks(name, size):
    """All zeros, all ones, and scales at the ends of their range."""
    zeros, ones = np.zeros(size, np.uint8), np.full(size, 255, np.uint8)
    blocks = [zeros, ones]
    if name == "MXFP4":
        every_code = RANDOM.permutation(np.arange(16, dtype=np.uint8).repeat(2)).reshape(2, 16)
        for e in (0, 1, 2, 3, 127, 128, 251, 252, 253, 254, 255):
            blocks.append(np.concatenate([[e], every_code[0] | every_code[1] << 4]))
    elif name == "NVFP4":
        for e in range(0, 256, 4):
            payload = RANDOM.integers(0, 256, 32)
            blocks.append(np.concatenate([[e, e + 1, e + 2, e + 3], payload]))
    else:
        smallest, largest = b"\1\0", f16(65504)
        minus_zero, minus_smallest, minus_largest = b"\0\x80", b"\1\x80", f16(-65504)
        payload = RANDOM.integers(0, 256, size, dtype=np.uint8)
        for start, scales in [
            (zeros, [f16(1), f16(-1)]),
            (ones, [f16(1), f16(3)]),
            (payload, [minus_zero, minus_zero]),
            (payload, [smallest, minus_smallest]),
            (payload, [largest, minus_largest]),
        ]:
            blocks.append(start.copy())
            set_scale(name, blocks[-1], scales)
    return np.array(blocks, dtype=np.uint8)


def floats(name):
    """F32, F16, BF16: a block is one number."""
    if name == "F32":
        bits = RANDOM.integers(0, 2**32, 64, dtype=np.uint32)
        edges = [0, 0x80000000, 1, 0x807FFFFF, 0x7F7FFFFF, 0x7F800000, 0xFF800000, 0x7FC00000]
        return np.concatenate([bits, np.array(edges, np.uint32)]).view(np.uint8).reshape(-1, 4)
    bits = RANDOM.permutation(0x10000)[:512]
    edges = [0, 0x8000, 1, 0x8001, 0x3FF, 0x7F, 0x7BFF, 0x7C00, 0xFC00, 0x7F7F, 0x7F80, 0xFF80, 0x7FC0, 0x7E00]
    return np.concatenate([bits, edges]).astype(np.uint16).view(np.uint8).reshape(-1, 2)


def blocks_of(name, size):
    if name in ("F32", "F16", "BF16"):
        return floats(name)
    count = GRIDS[name][0] // GRIDS[name][1] if name in GRIDS else RANDOM_BLOCKS
    return np.concatenate([random_blocks(name, size, count), edge_blocks(name, size)])


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    home = Path(__file__).resolve().parents[1]
    parser.add_argument("folder", nargs="?", type=Path, default=home / "tests/data/quant")
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    warnings.filterwarnings("ignore", category=RuntimeWarning)  # infinities and NaNs are wanted

    index = ["# name, blocks, weights per block, bytes per block; from make_quant_vectors.py, gguf package\n"]
    for name in ["F32", "F16", "BF16", *SCALES]:
        block, size = gguf.GGML_QUANT_SIZES[gguf.GGMLQuantizationType[name]]
        blocks = blocks_of(name, size)
        weights = gguf.quants.dequantize(blocks.reshape(-1), gguf.GGMLQuantizationType[name])
        assert weights.dtype == np.float32 and weights.size == len(blocks) * block
        (folder / f"{name}.bin").write_bytes(blocks.tobytes() + weights.astype("<f4").tobytes())
        index.append(f"{name} {len(blocks)} {block} {size}\n")
    (folder / "index.txt").write_text("".join(index))


if __name__ == "__main__":
    main()
