#!/usr/bin/env python3
"""Takes a demo model's GGUF apart again, to train on from it: the inverse of export_gguf.py.

    import_gguf.py assets/braid-demo.gguf WORK       writes WORK/from (weights) and WORK/tokenizer.json
    train.py WORK --from WORK/from --minutes 90 --batch 2 --bf16 --compile

Writes the GGUF once more from what it read and fails when a byte differs. Needs the gguf and tokenizers packages.
"""

import argparse
import dataclasses
import json
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]
import gguf
import numpy as np
import template
import torch
from export_gguf import write
from golden_checkpoint import KEPT_F32, save_shard
from model import CASE, size
from tokenizers import models
from train_tokenizer import add_special, bare


def read_tensors(reader):
    out = {}
    for t in reader.tensors:
        value = t.data
        if t.tensor_type == gguf.GGMLQuantizationType.BF16:
            value = (value.view(np.uint16).astype(np.uint32) << 16).view(np.float32)
        out[t.name] = np.array(value, np.float32).reshape([int(n) for n in t.shape[::-1]])
    return out


def logarithm(value):
    """The float32 numbers whose np.exp is exactly this, where the rounded logarithm is off by a bit."""
    near = np.log(value.astype(np.float64)).astype(np.float32)
    steps = np.stack([near + n * np.spacing(near) for n in (0, -1, 1, -2, 2)])
    return np.take_along_axis(steps, (np.exp(steps) == value).argmax(0)[None], 0)[0]


def mixer(block, attends):
    """(name below the layer, array) of one layer's mixer."""
    if attends:
        for p in "qkv":
            yield f"self_attn.{p}_proj.weight", block(f"attn_{p}.weight")
        yield "self_attn.o_proj.weight", block("attn_output.weight")
        for p in "qk":
            yield f"self_attn.{p}_norm.weight", block(f"attn_{p}_norm.weight") - 1
        return
    d, r, heads = CASE.gdn_dim, CASE.v_heads // CASE.k_heads, CASE.k_heads
    keys = heads * d
    q, k, v = np.split(block("attn_qkv.weight"), [keys, 2 * keys])
    grouped = [part.reshape(heads, -1, CASE.hidden) for part in (q, k, v, block("attn_gate.weight"))]
    yield "linear_attn.in_proj_qkvz.weight", np.concatenate(grouped, 1).reshape(2 * (1 + r) * keys, CASE.hidden)
    yield "linear_attn.in_proj_ba.weight", block("ssm_ba.weight")
    yield "linear_attn.conv1d.weight", block("ssm_conv1d.weight")[:, None]
    yield "linear_attn.A_log", logarithm(-block("ssm_a"))
    yield "linear_attn.dt_bias", block("ssm_dt.bias")
    yield "linear_attn.norm.weight", block("ssm_norm.weight")
    yield "linear_attn.out_proj.weight", block("ssm_out.weight")


def layer(block, attends):
    yield "input_layernorm.weight", block("attn_norm.weight") - 1
    yield "post_attention_layernorm.weight", block("post_attention_norm.weight") - 1
    yield from mixer(block, attends)
    yield "mlp.gate.weight", block("ffn_gate_inp.weight")
    yield "mlp.shared_expert_gate.weight", block("ffn_gate_inp_shexp.weight")[None]
    for part in ("gate", "up", "down"):
        yield f"mlp.shared_expert.{part}_proj.weight", block(f"ffn_{part}_shexp.weight")
        for e, matrix in enumerate(block(f"ffn_{part}_exps.weight")):
            yield f"mlp.experts.{e}.{part}_proj.weight", matrix


def checkpoint(tensors):
    """The tensors by their checkpoint name."""
    out = {"model.embed_tokens.weight": tensors["token_embd.weight"], "model.norm.weight": tensors["output_norm.weight"] - 1}
    for i in range(CASE.layers + 1):
        block = lambda name, i=i: tensors[f"blk.{i}.{name}"]
        stem = f"model.layers.{i}." if i < CASE.layers else "mtp.layers.0."
        out.update({stem + name: value for name, value in layer(block, CASE.is_attention(i))})
    block = lambda name: tensors[f"blk.{CASE.layers}.nextn.{name}.weight"]
    out["mtp.fc.weight"] = block("eh_proj")
    for name, stored in (("pre_fc_norm_embedding", "enorm"), ("pre_fc_norm_hidden", "hnorm"), ("norm", "shared_head_norm")):
        out[f"mtp.{name}.weight"] = block(stored) - 1
    return {name: torch.from_numpy(np.ascontiguousarray(value)) for name, value in sorted(out.items())}


def read_tokenizer(reader):
    texts = lambda key: [bytes(reader.fields[key].parts[i]).decode() for i in reader.fields[key].data]
    special = set(template.CONTROL + template.MARKS)
    vocab = {t: i for i, t in enumerate(texts("tokenizer.ggml.tokens")) if t not in special}
    merges = [tuple(m.split(" ")) for m in texts("tokenizer.ggml.merges")]
    tokenizer = bare(models.BPE(vocab=vocab, merges=merges, byte_fallback=False))
    add_special(tokenizer)
    return tokenizer


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("work", type=Path)
    o = parser.parse_args()
    reader = gguf.GGUFReader(o.file)
    named = checkpoint(read_tensors(reader))
    tokenizer = o.work / "tokenizer.json"
    o.work.mkdir(parents=True, exist_ok=True)
    read_tokenizer(reader).save(str(tokenizer))
    with tempfile.TemporaryDirectory() as folder:
        again = Path(folder) / "again.gguf"
        write(again, CASE, named, tokenizer)
        if again.read_bytes() != o.file.read_bytes():
            raise SystemExit(f"{o.file}: does not come out of what was read as it went in: is it another shape?")
    start = o.work / "from"
    start.mkdir(exist_ok=True)
    half = {n: p if n.endswith(KEPT_F32) else p.bfloat16() for n, p in named.items()}
    save_shard(half, start / "model-00001-of-00001.safetensors")
    about = {"case": dataclasses.asdict(CASE), "step": 0, "seconds": 0.0, "tokens": 0, "losses": []}
    (start / "training.json").write_text(json.dumps(about, indent=1) + "\n")
    print(f"{start}: {size(CASE)[0]:,} parameters; {tokenizer}")


if __name__ == "__main__":
    main()
