#!/usr/bin/env python3
"""Write the seeds of the fuzzers: small files of each kind, each with other features.

    tests/fuzz/make_corpus.py [folder]

The folder is tests/fuzz/corpus unless given. The files are the same at every run.
"""
import argparse
import json
import pathlib
import struct

# Metadata types of GGUF.
U8, I8, U16, I16, U32, I32, F32, BOOL, STRING, ARRAY, U64, I64, F64 = range(13)
FORMATS = {U8: "B", I8: "b", U16: "H", I16: "h", U32: "I", I32: "i", F32: "f", BOOL: "?", U64: "Q", I64: "q", F64: "d"}

# Tensor types of GGUF: id -> (weights in a block, bytes of a block).
TYPES = {0: (1, 4), 1: (1, 2), 2: (32, 18), 3: (32, 20), 6: (32, 22), 7: (32, 24), 8: (32, 34), 10: (256, 84),
         11: (256, 110), 12: (256, 144), 13: (256, 176), 14: (256, 210), 16: (256, 66), 17: (256, 74),
         18: (256, 98), 19: (256, 50), 20: (32, 18), 21: (256, 110), 22: (256, 82), 23: (256, 136), 24: (1, 1),
         25: (1, 2), 26: (1, 4), 27: (1, 8), 28: (1, 8), 29: (256, 56), 30: (1, 2), 39: (32, 17), 40: (64, 36)}


def string(text):
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


def value(kind, x):
    return string(x) if kind == STRING else struct.pack("<" + FORMATS[kind], x)


def key(name, kind, x):
    return string(name) + struct.pack("<i", kind) + value(kind, x)


def array(name, kind, xs):
    return string(name) + struct.pack("<iiQ", ARRAY, kind, len(xs)) + b"".join(value(kind, x) for x in xs)


def gguf(keys, tensors, version=3, alignment=32):
    """tensors: (name, ne, type id); bytes come from a counter."""
    infos, data = b"", b""
    for name, ne, kind in tensors:
        block, size = TYPES[kind]
        n = 1
        for d in ne:
            n *= d
        infos += string(name) + struct.pack(f"<I{len(ne)}qiQ", len(ne), *ne, kind, len(data))
        data += bytes((37 * i + kind) & 255 for i in range(n // block * size))
        data += b"\0" * (-len(data) % alignment)
    head = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(keys)) + b"".join(keys) + infos
    return head + b"\0" * (-len(head) % alignment) + data


def gguf_seeds():
    yield "empty", gguf([], [])
    yield "kinds", gguf([key("u8", U8, 200), key("i8", I8, -1), key("u16", U16, 9), key("i16", I16, -9),
                         key("u32", U32, 1), key("i32", I32, -1), key("f32", F32, 1.5), key("b", BOOL, True),
                         key("s", STRING, "text"), key("u64", U64, 2**63), key("i64", I64, -1), key("f64", F64, .1)], [])
    yield "arrays", gguf([array("u8", U8, [1, 2]), array("i32", I32, [11, 11, 10, 0]), array("f32", F32, [1.0]),
                          array("b", BOOL, [True, False]), array("s", STRING, ["a", "", "bc"]),
                          array("u64", U64, [1]), array("none", STRING, [])], [])
    yield "model", gguf([key("general.architecture", STRING, "qwen3next"), key("general.alignment", U32, 32),
                         key("qwen3next.block_count", U32, 1),
                         array("tokenizer.ggml.tokens", STRING, ["<|endoftext|>", "\u0120the"])],
                        [("token_embd.weight", [4, 2], 0), ("output.weight", [32, 2], 8),
                         ("blk.0.ssm_conv1d.weight", [4, 3], 0)])
    yield "version2", gguf([key("general.alignment", U32, 8)], [("t", [3, 1, 1, 1], 1)], version=2, alignment=8)
    yield "split", gguf([key("split.no", U16, 0), key("split.count", U16, 2), key("split.tensors.count", I32, 2)],
                        [("t", [2], 0)])
    ids = sorted(TYPES)
    for part in range(4):
        yield f"types{part}", gguf([], [(f"t{i}", [TYPES[i][0]], i) for i in ids[part::4]])


def safetensors(tensors, metadata=None, padding=0, unused=0):
    """tensors: (name, dtype, bytes of an element, shape); `unused` bytes follow the last."""
    header, at = {}, 0
    if metadata is not None:
        header["__metadata__"] = metadata
    for name, dtype, size, shape in tensors:
        for d in shape:
            size *= d
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header, separators=(",", ":")).encode() + b" " * padding
    return struct.pack("<Q", len(text)) + text + bytes(i & 255 for i in range(at + unused))


def safetensors_seeds():
    yield "empty", safetensors([])
    yield "one", safetensors([("w", "F32", 4, [2, 2])])
    yield "metadata", safetensors([("w", "BF16", 2, [3])], {"format": "pt"}, padding=5)
    yield "shapes", safetensors([("scalar", "F32", 4, []), ("none", "F16", 2, [0, 3]), ("pair", "F16", 2, [2]),
                                 ("conv", "BF16", 2, [2, 4])], unused=12)
    kinds = [("F64", 8), ("F32", 4), ("F16", 2), ("BF16", 2), ("I64", 8), ("I32", 4), ("I16", 2), ("I8", 1)]
    yield "types", safetensors([(f"t.{name}", name, size, [2]) for name, size in kinds])
    yield "refused", safetensors([("w", "F8_E4M3", 1, [4]), ("s", "U8", 1, [4])])


def template_seeds():
    """The snippets of tests/data/jinja that render, eight a file."""
    snippets = pathlib.Path(__file__).resolve().parents[1] / "data/jinja/snippets.json"
    good = [case["template"] for case in json.loads(snippets.read_text())["cases"] if "output" in case]
    for i in range(0, len(good), 8):
        yield f"{i // 8:02}", "\n".join(good[i:i + 8]).encode()


def tokenizer_seeds():
    """A byte of options before each text."""
    texts = ["the he's aaaa 中é\u0301 \U0001f642\n\n  x", "<|im_end|><t>\n<t><|im_ <|im_<|im_end|>", " <l> \t<r>\u3000 <\u00e9><e\u0301>",
             "\u1100\u1161\u11a7\u11a8 \uac00\u11a8\u212b q\u0307\u0323\u0eba", "a" * 70 + " " * 60 + "abab" * 20]
    broken = [b"\x80\xc3\xe4\xb8 \xf0\x9f\x98\xed\xa0\x80\xff", b"the\xcc\x81\xcc <|im_end|\xe2"]
    for i, text in enumerate([t.encode() for t in texts] + broken):
        for options in (8 + i % 2, 14 + i % 2):
            yield f"{i}-{options}", bytes([options]) + text


def tokenizer_json_seeds():
    """Small files; the fuzzer puts the missing bytes into their vocabularies."""
    expression = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
                  r"|\s*[\r\n]+|\s+(?!\S)|\s+")
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False, "use_regex": False}
    split = {"type": "Split", "pattern": {"Regex": expression}, "behavior": "Isolated", "invert": False}
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    file = {"added_tokens": [{"id": 7, "content": "<|im_end|>", "special": True, **flags},
                             {"id": 8, "content": "<think>", "special": False, **flags}],
            "normalizer": {"type": "NFC"}, "pre_tokenizer": {"type": "Sequence", "pretokenizers": [split, byte_level]},
            "post_processor": byte_level,
            "model": {"type": "BPE", "vocab": {"t": 0, "h": 1, "e": 2, "he": 3, "the": 4, "\u0120": 5, "\u0120the": 6},
                      "merges": ["h e", "t he", "\u0120 the"]}}
    yield "plain", file
    template = {"type": "TemplateProcessing",
                "single": [{"SpecialToken": {"id": "<think>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
                "special_tokens": {"<think>": {"id": "<think>", "ids": [8], "tokens": ["<think>"]}}}
    more = file | {"normalizer": {"type": "Sequence", "normalizers": []},
                   "post_processor": {"type": "Sequence", "processors": [byte_level, template]}}
    yield "template", more
    for token in more["added_tokens"]:
        token.update(lstrip=True, rstrip=True, normalized=True)
    yield "flags", file | {"model": file["model"] | {"merges": [["h", "e"], ["t", "he"]], "dropout": None}}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=pathlib.Path, default=pathlib.Path(__file__).parent / "corpus")
    folder = parser.parse_args().folder
    as_json = ((name, json.dumps(file).encode()) for name, file in tokenizer_json_seeds())
    for kind, seeds in (("gguf", gguf_seeds()), ("safetensors", safetensors_seeds()), ("template", template_seeds()),
                        ("tokenizer", tokenizer_seeds()), ("tokenizer_json", as_json)):
        (folder / kind).mkdir(parents=True, exist_ok=True)
        for name, data in seeds:
            (folder / kind / f"{name}.{kind}").write_bytes(data)


if __name__ == "__main__":
    main()
