#!/usr/bin/env python3
"""Write a GGUF of a hybrid Gated-DeltaNet model with random weights and real layer shapes.

Nobody needs to download weights for them: speed is measured on files of the
real layer shapes (fewer layers, smaller vocabulary), numerics on tiny ones.

    make_gguf.py --arch qwen3next --layers 8 --vocab 32768 --type iq4_xs out.gguf
    make_gguf.py --arch qwen35moe --tiny --type f32 --seed 7 out.gguf

Needs numpy alone.
"""
import argparse, struct, sys
import numpy as np

U8, I8, U16, I16, U32, I32, F32, BOOL, STR, ARR, U64, I64, F64 = range(13)
# name: (ggml type id, weights a block, bytes a block)
TYPES = {"f32": (0, 1, 4), "f16": (1, 1, 2), "bf16": (30, 1, 2), "q8_0": (8, 32, 34), "q4_0": (2, 32, 18),
         "q4_k": (12, 256, 144), "q5_k": (13, 256, 176), "q6_k": (14, 256, 210), "iq4_nl": (20, 32, 18), "iq4_xs": (23, 256, 136)}
IQ4 = np.array([-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113], np.float32)
IQ4_RMS = float(np.sqrt((IQ4 ** 2).mean()))


def f16bytes(x):
    x = np.asarray(x, np.float16)
    return x.view(np.uint8).reshape(*x.shape[:-1], 2 * x.shape[-1])


def signs(nblocks, rng):
    """A random sign a block, as a column pair: without it a skewed codebook gives every row the same bias."""
    return rng.choice(np.float32([-1, 1]), (nblocks, 1))


def random_blocks(kind, nblocks, sigma, rng):
    """nblocks quantised blocks whose decoded weights have about standard deviation sigma."""
    _, per, size = TYPES[kind]
    out = np.empty((nblocks, size), np.uint8)
    if kind == "q8_0":
        out[:, 0:2] = f16bytes([sigma / 73.3])
        out[:, 2:] = rng.integers(-127, 128, (nblocks, 32), np.int8).view(np.uint8)
    elif kind == "q4_0":
        out[:, 0:2] = f16bytes(sigma / 4.6 * signs(nblocks, rng))
        out[:, 2:] = rng.integers(0, 256, (nblocks, 16), np.uint8)
    elif kind == "iq4_nl":
        out[:, 0:2] = f16bytes(sigma / IQ4_RMS * signs(nblocks, rng))
        out[:, 2:] = rng.integers(0, 256, (nblocks, 16), np.uint8)
    elif kind == "iq4_xs":  # sub-block scale = d * (ls - 32); both signs, for the codebook's mean is not zero
        ls = rng.integers(1, 16, (nblocks, 8), np.int16)
        ls = (32 + np.where(rng.integers(0, 2, ls.shape, np.int8) > 0, ls, -ls)).astype(np.uint16)
        out[:, 0:2] = f16bytes([sigma / IQ4_RMS / 8.9])
        hi = np.zeros(nblocks, np.uint16)
        for i in range(8):
            hi |= ((ls[:, i] >> 4) & 3) << (2 * i)
        out[:, 2:4] = hi.view(np.uint8).reshape(-1, 2)
        lo = (ls & 15).astype(np.uint8)
        out[:, 4:8] = lo[:, 0::2] | (lo[:, 1::2] << 4)
        out[:, 8:] = rng.integers(0, 256, (nblocks, 128), np.uint8)
    elif kind in ("q4_k", "q5_k"):
        levels = 16 if kind == "q4_k" else 32  # x = d*sc*q - dmin*m; sc = m = 32+: mean about zero
        d = sigma / (levels / 3.46) / 40
        out[:, 0:2] = f16bytes([d])
        out[:, 2:4] = f16bytes([d * (levels - 1) / 2])
        sc = rng.integers(32, 48, (nblocks, 8), np.uint8)
        m = sc  # 6-bit scales and mins, packed as K-quants pack them
        out[:, 4:8] = (sc[:, 0:4] & 63) | ((sc[:, 4:8] >> 4) << 6)
        out[:, 8:12] = (m[:, 0:4] & 63) | ((m[:, 4:8] >> 4) << 6)
        out[:, 12:16] = (sc[:, 4:8] & 15) | ((m[:, 4:8] & 15) << 4)
        out[:, 16:] = rng.integers(0, 256, (nblocks, size - 16), np.uint8)
    elif kind == "q6_k":
        out[:, :192] = rng.integers(0, 256, (nblocks, 192), np.uint8)
        out[:, 192:208] = rng.integers(24, 48, (nblocks, 16), np.int8).view(np.uint8)
        out[:, 208:210] = f16bytes([sigma / 18.5 / 36])
    else:
        raise SystemExit(f"no random blocks for {kind}")
    return out


class Writer:
    def __init__(self, path):
        self.path, self.kv, self.tensors = path, [], []

    def add(self, key, kind, value, elem=None):
        self.kv.append((key, kind, value, elem))

    def tensor(self, name, ne, kind, make):
        self.tensors.append((name, list(ne), kind, make))

    @staticmethod
    def s(x):
        b = x.encode() if isinstance(x, str) else x
        return struct.pack("<Q", len(b)) + b

    def value(self, kind, v, elem):
        fmt = {U8: "<B", U16: "<H", U32: "<I", I32: "<i", F32: "<f", BOOL: "<?", U64: "<Q"}
        if kind == STR:
            return self.s(v)
        if kind == ARR:
            return struct.pack("<IQ", elem, len(v)) + b"".join(self.value(elem, x, None) for x in v)
        return struct.pack(fmt[kind], v)

    def write(self):
        align = 32
        head = b"GGUF" + struct.pack("<IQQ", 3, len(self.tensors), len(self.kv))
        for key, kind, v, elem in self.kv:
            head += self.s(key) + struct.pack("<I", kind) + self.value(kind, v, elem)
        off, offs = 0, []
        for name, ne, kind, _ in self.tensors:
            tid, per, size = TYPES[kind]
            n = int(np.prod(ne))
            assert ne[0] % per == 0, (name, ne, kind)
            offs.append(off)
            head += self.s(name) + struct.pack("<I", len(ne)) + struct.pack(f"<{len(ne)}Q", *ne) + struct.pack("<IQ", tid, off)
            off += (n // per * size + align - 1) // align * align
        with open(self.path, "wb") as f:
            f.write(head)
            f.write(b"\0" * (-len(head) % align))
            base = f.tell()
            for (name, ne, kind, make), o in zip(self.tensors, offs):
                f.seek(base + o)
                for chunk in make():
                    f.write(chunk)
            f.seek(base + off - 1)
            f.write(b"\0")


def bytes_to_unicode():
    keep = list(range(33, 127)) + list(range(161, 173)) + list(range(174, 256))
    m, n = {}, 0
    for b in range(256):
        if b in keep:
            m[b] = chr(b)
        else:
            m[b] = chr(256 + n)
            n += 1
    return m


CHAT = ("{%- for m in messages %}{{- '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' }}{%- endfor %}"
        "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}")


def vocab(n, w, pre):
    bu = bytes_to_unicode()
    tokens = [bu[b] for b in range(256)]
    merges, seen = [], set(tokens)
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    letters = [bu[ord(c)] for c in "etaoinsrhldcumfpgwybvkxjqz"]
    level = letters + [bu[32]]
    pool = list(level)
    i = 0
    while len(tokens) < n - len(special):  # every pair of what there is so far, in order
        left = pool[i // len(level) % len(pool)]
        right = level[i % len(level)]
        i += 1
        t = left + right
        if t in seen or len(t) > 12:
            continue
        seen.add(t)
        tokens.append(t)
        merges.append(left + " " + right)
        pool.append(t)
    tokens += special
    types = [1] * (n - len(special)) + [3] * len(special)
    w.add("tokenizer.ggml.model", STR, "gpt2")
    w.add("tokenizer.ggml.pre", STR, pre)
    w.add("tokenizer.ggml.tokens", ARR, tokens, STR)
    w.add("tokenizer.ggml.token_type", ARR, types, I32)
    w.add("tokenizer.ggml.merges", ARR, merges, STR)
    w.add("tokenizer.ggml.eos_token_id", U32, n - 1)
    w.add("tokenizer.ggml.padding_token_id", U32, n - 3)
    w.add("tokenizer.ggml.add_bos_token", BOOL, False)
    w.add("tokenizer.chat_template", STR, CHAT)


# layer shapes of the released checkpoints
REAL = {
    "qwen3next": dict(embd=2048, heads=16, kv=2, hd=256, kh=16, vh=32, dk=128, dv=128, experts=512, topk=10, ff=512, shff=512, theta=1e7, ffd=5120),
    "qwen35moe": dict(embd=2048, heads=16, kv=2, hd=256, kh=16, vh=32, dk=128, dv=128, experts=256, topk=8, ff=512, shff=512, theta=1e7, ffd=0),
    "qwen35": dict(embd=2560, heads=16, kv=4, hd=256, kh=16, vh=32, dk=128, dv=128, experts=0, topk=0, ff=0, shff=0, theta=1e7, ffd=9216),
}
TINY = dict(embd=256, heads=4, kv=2, hd=256, kh=2, vh=4, dk=128, dv=128, experts=16, topk=4, ff=256, shff=256, theta=1e7, ffd=512)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("out")
    p.add_argument("--arch", default="qwen3next", choices=REAL)
    p.add_argument("--layers", type=int, default=8)
    p.add_argument("--vocab", type=int, default=32768)
    p.add_argument("--type", default="iq4_xs", choices=TYPES)
    p.add_argument("--head-type", default=None)
    p.add_argument("--experts", type=int)
    p.add_argument("--tiny", action="store_true")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--old-layout", action="store_true", help="qwen3next: one interleaved ssm_in as older files have it")
    p.add_argument("--tied", action="store_true", help="no output.weight: the head is token_embd")
    a = p.parse_args()
    c = dict(REAL[a.arch])
    if a.tiny:
        c.update(TINY)
        if a.arch == "qwen35":
            c.update(experts=0, topk=0)
    if a.experts and c["experts"]:
        c["experts"] = a.experts
    A, E, L = a.arch, c["embd"], a.layers
    rng = np.random.Generator(np.random.SFC64(a.seed))
    w = Writer(a.out)
    w.add("general.architecture", STR, A)
    w.add("general.name", STR, f"random {A} {L} layers")
    w.add("general.file_type", U32, {"f32": 0, "f16": 1, "q8_0": 7, "q4_0": 2, "q4_k": 15, "q5_k": 17, "q6_k": 18, "iq4_nl": 25, "iq4_xs": 30, "bf16": 32}[a.type])
    w.add("general.quantization_version", U32, 2)
    K = lambda k, t, v, e=None: w.add(f"{A}.{k}", t, v, e)
    K("block_count", U32, L)
    K("context_length", U32, 262144)
    K("embedding_length", U32, E)
    K("feed_forward_length", U32, c["ffd"] or c["ff"])
    K("attention.head_count", U32, c["heads"])
    K("attention.head_count_kv", U32, c["kv"])
    K("attention.key_length", U32, c["hd"])
    K("attention.value_length", U32, c["hd"])
    K("attention.layer_norm_rms_epsilon", F32, 1e-6)
    K("rope.freq_base", F32, c["theta"])
    K("rope.dimension_count", U32, c["hd"] // 4)
    if A != "qwen3next":
        K("rope.dimension_sections", ARR, [11, 11, 10, 0], I32)
    K("full_attention_interval", U32, 4)
    if c["experts"]:
        K("expert_count", U32, c["experts"])
        K("expert_used_count", U32, c["topk"])
        K("expert_feed_forward_length", U32, c["ff"])
        K("expert_shared_feed_forward_length", U32, c["shff"])
    K("ssm.conv_kernel", U32, 4)
    K("ssm.state_size", U32, c["dk"])
    K("ssm.group_count", U32, c["kh"])
    K("ssm.time_step_rank", U32, c["vh"])
    K("ssm.inner_size", U32, c["vh"] * c["dv"])
    vocab(a.vocab, w, "qwen2" if A == "qwen3next" else "qwen35")

    def mat(name, *ne, kind=None, sigma=None):
        kind = kind or a.type
        sigma = sigma or 1.0 / np.sqrt(ne[0])
        def make():
            n = int(np.prod(ne))
            _, per, _ = TYPES[kind]
            step = 1 << 24
            for at in range(0, n, step):
                m = min(step, n - at)
                if kind in ("f32", "f16", "bf16"):
                    x = (rng.standard_normal(m, np.float32) * sigma).astype(np.float32)
                    if kind == "f32":
                        yield x.tobytes()
                    elif kind == "f16":
                        yield x.astype(np.float16).tobytes()
                    else:
                        yield (x.view(np.uint32) >> 16).astype(np.uint16).tobytes()
                else:
                    yield random_blocks(kind, m // per, sigma, rng).tobytes()
        w.tensor(name, ne, kind, make)

    def vec(name, *ne, mean=1.0, sigma=0.1, lo=None, hi=None):
        def make():
            n = int(np.prod(ne))
            x = rng.uniform(lo, hi, n) if lo is not None else mean + sigma * rng.standard_normal(n)
            yield x.astype(np.float32).tobytes()
        w.tensor(name, ne, "f32", make)

    mat("token_embd.weight", E, a.vocab, sigma=1.0 if not a.tied else None)
    vec("output_norm.weight", E)
    head = None if a.tied else a.head_type or ("q6_k" if a.type in ("iq4_xs", "q4_k", "q5_k", "q4_0", "iq4_nl") else a.type)
    if head:
        mat("output.weight", E, a.vocab, kind=head)
    key, val = c["dk"] * c["kh"], c["dv"] * c["vh"]
    for i in range(L):
        b = f"blk.{i}."
        vec(b + "attn_norm.weight", E)
        if (i + 1) % 4 == 0:
            mat(b + "attn_q.weight", E, 2 * c["hd"] * c["heads"])
            mat(b + "attn_k.weight", E, c["hd"] * c["kv"])
            mat(b + "attn_v.weight", E, c["hd"] * c["kv"])
            mat(b + "attn_output.weight", c["hd"] * c["heads"], E)
            vec(b + "attn_q_norm.weight", c["hd"])
            vec(b + "attn_k_norm.weight", c["hd"])
        else:
            if a.old_layout:  # rows in k-head groups: q, k, then the group's v heads, then their z
                mat(b + "ssm_in.weight", E, 2 * key + 2 * val)
            else:
                mat(b + "attn_qkv.weight", E, 2 * key + val)
                mat(b + "attn_gate.weight", E, val)
            vec(b + "ssm_conv1d.weight", 4, 2 * key + val, mean=0, sigma=0.5)
            vec(b + "ssm_dt.bias", c["vh"], lo=-4, hi=1)
            vec(b + "ssm_a", c["vh"], lo=-4, hi=-0.2)
            if A == "qwen3next":
                mat(b + "ssm_ba.weight", E, 2 * c["vh"], kind="f32" if a.tiny else "q8_0" if a.type != "f32" else "f32")
            else:
                for t in ("beta", "alpha"):
                    mat(b + f"ssm_{t}.weight", E, c["vh"], kind="f32" if a.tiny else "q8_0" if a.type != "f32" else "f32")
            vec(b + "ssm_norm.weight", c["dv"])
            mat(b + "ssm_out.weight", val, E)
        vec(b + "post_attention_norm.weight", E)
        if c["experts"]:
            mat(b + "ffn_gate_inp.weight", E, c["experts"], kind="f32", sigma=2.0 / np.sqrt(E))
            mat(b + "ffn_gate_exps.weight", E, c["ff"], c["experts"])
            mat(b + "ffn_up_exps.weight", E, c["ff"], c["experts"])
            mat(b + "ffn_down_exps.weight", c["ff"], E, c["experts"])
            mat(b + "ffn_gate_inp_shexp.weight", E, kind="f32")
            mat(b + "ffn_gate_shexp.weight", E, c["shff"])
            mat(b + "ffn_up_shexp.weight", E, c["shff"])
            mat(b + "ffn_down_shexp.weight", c["shff"], E)
        else:
            mat(b + "ffn_gate.weight", E, c["ffd"])
            mat(b + "ffn_up.weight", E, c["ffd"])
            mat(b + "ffn_down.weight", c["ffd"], E)
    w.write()
    print(a.out)


if __name__ == "__main__":
    main()
