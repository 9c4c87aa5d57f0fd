#!/usr/bin/env python3
"""Writes the trained demo model as one BF16 GGUF, with its tokenizer and chat template.

    export_gguf.py WORK/model WORK/tokenizer.json demo.gguf [--no-draft] [--f32]

--no-draft leaves the MTP layer out, for programs that refuse a qwen3next file with one; --f32 writes every tensor as
F32, for comparisons at full exactness. Needs the gguf package of PyPI. The transforms are those of golden_gguf.py.
"""

import argparse
import json
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]
import gguf
import numpy as np
import template
from golden_gguf import add_keys, as_bf16, blocks, known_names
from train import load_folder

LIMIT = 30_000_000


def add_tokenizer(writer, path, size):
    data = json.loads(path.read_text(encoding="utf-8"))
    vocab = data["model"]["vocab"] | {t["content"]: t["id"] for t in data["added_tokens"]}
    special = {
        t["content"]: gguf.TokenType.CONTROL if t["special"] else gguf.TokenType.USER_DEFINED
        for t in data["added_tokens"]
    }
    tokens = sorted(vocab, key=vocab.get)
    if [vocab[t] for t in tokens] != list(range(size)):
        raise SystemExit(f"{path}: {len(tokens)} tokens, the model has {size} rows")
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(tokens)
    writer.add_token_types([special.get(t, gguf.TokenType.NORMAL) for t in tokens])
    writer.add_token_merges([m if isinstance(m, str) else " ".join(m) for m in data["model"]["merges"]])
    writer.add_eos_token_id(vocab[template.STOP])
    writer.add_pad_token_id(vocab[template.END])
    writer.add_bos_token_id(vocab[template.END])
    writer.add_add_bos_token(False)
    writer.add_chat_template((HERE / "chat_template.jinja").read_text(encoding="utf-8"))


def write(path, case, named, tokenizer, draft=True, f32=False):
    named = {n: p.numpy() for n, p in named.items()}
    writer = gguf.GGUFWriter(path, case.arch)
    writer.add_name("Braid demo")
    writer.add_description("A very small language model of a made-up village, trained on text that a program wrote")
    writer.add_license("MIT")
    writer.add_file_type(gguf.LlamaFileType.ALL_F32 if f32 else gguf.LlamaFileType.MOSTLY_BF16)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    for key, value in (("temp", 0.7), ("top_p", 0.95)):
        writer.add_float32(f"general.sampling.{key}", value)
    writer.add_int32("general.sampling.top_k", 40)
    add_keys(writer, case, draft)
    add_tokenizer(writer, tokenizer, case.vocab)
    known = known_names(case.layers + 1)

    def add(name, value):
        stem = name.removesuffix(".weight").removesuffix(".bias")
        if stem not in known:
            raise SystemExit(f"{path}: the gguf package does not know a tensor {name}")
        if value.ndim > 1 and not f32 and not stem.endswith(("ssm_conv1d", "ffn_gate_inp")):
            writer.add_tensor(name, as_bf16(value).view(np.uint8), raw_dtype=gguf.GGMLQuantizationType.BF16)
        else:
            writer.add_tensor(name, np.ascontiguousarray(value, np.float32))

    add("token_embd.weight", named["model.embed_tokens.weight"])
    add("output_norm.weight", named["model.norm.weight"] + 1)
    for layer, name, value in blocks(named, case, draft, False, False, False):
        add(f"blk.{layer}.{name}", value)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("tokenizer", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--no-draft", action="store_true")
    parser.add_argument("--f32", action="store_true")
    o = parser.parse_args()
    case, named, progress = load_folder(o.model)
    write(o.out, case, named, o.tokenizer, not o.no_draft, o.f32)
    size = o.out.stat().st_size
    print(f"{o.out}: {size:,} bytes, step {progress['step']}")
    if size > LIMIT and not o.f32:
        raise SystemExit(f"{o.out}: {size:,} bytes, the limit is {LIMIT:,}")


if __name__ == "__main__":
    main()
