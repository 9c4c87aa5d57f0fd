"""GGUF twins of a golden checkpoint, written with the `gguf` package.

Owns the transforms from the tensors of a Hugging Face checkpoint to those of a GGUF: names, norms with their one added,
-exp(A_log), the tiled order of value heads, stacked experts. The names are compared with the table of the package.
"""
import gguf
import numpy as np

from golden_checkpoint import CONTEXT, EPS

BYTES_KEPT = [*range(33, 127), *range(161, 173), *range(174, 256)]
MERGES = ["\u0120 t", "h e"]
CONTROL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]


def byte_tokens():
    """One token a byte, spelt in the byte-level alphabet of GPT-2."""
    other = iter(range(256, 512))
    return [chr(b if b in BYTES_KEPT else next(other)) for b in range(256)]


FIRST_CONTROL = 256 + len(MERGES)


def add_vocabulary(writer, case):
    tokens = byte_tokens() + [m.replace(" ", "") for m in MERGES]
    types = [gguf.TokenType.NORMAL] * len(tokens) + [gguf.TokenType.CONTROL] * len(CONTROL)
    tokens += CONTROL
    padding = case.vocab - len(tokens)
    tokens += [f"[PAD{len(tokens) + i}]" for i in range(padding)]
    types += [gguf.TokenType.UNUSED] * padding
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2" if case.arch == "qwen3next" else "qwen35")
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    writer.add_token_merges(MERGES)
    writer.add_eos_token_id(tokens.index("<|im_end|>"))
    writer.add_pad_token_id(tokens.index("<|endoftext|>"))
    writer.add_add_bos_token(False)


def add_keys(writer, case, mtp):
    u32 = lambda key, value: writer.add_uint32(f"{case.arch}.{key}", value)
    u32("block_count", case.layers + int(mtp))
    if mtp:
        u32("nextn_predict_layers", 1)
    u32("context_length", CONTEXT)
    u32("embedding_length", case.hidden)
    u32("feed_forward_length", case.ff)
    u32("attention.head_count", case.q_heads)
    u32("attention.head_count_kv", case.kv_heads)
    u32("attention.key_length", case.head_dim)
    u32("attention.value_length", case.head_dim)
    writer.add_float32(f"{case.arch}.attention.layer_norm_rms_epsilon", EPS)
    writer.add_float32(f"{case.arch}.rope.freq_base", case.theta)
    u32("rope.dimension_count", case.rotary_dims)
    if case.arch != "qwen3next":
        writer.add_array(f"{case.arch}.rope.dimension_sections", case.mrope_sections + [0])
    if case.moe:
        u32("expert_count", case.experts)
        u32("expert_used_count", case.top_k)
        u32("expert_feed_forward_length", case.ff)
        u32("expert_shared_feed_forward_length", case.shared_ff or case.ff)
    u32("ssm.conv_kernel", 4)
    u32("ssm.state_size", case.gdn_dim)
    u32("ssm.group_count", case.k_heads)
    u32("ssm.time_step_rank", case.v_heads)
    u32("ssm.inner_size", case.v_heads * case.gdn_dim)
    u32("full_attention_interval", case.interval)


# Gated delta net -----------------------------------------------------------------------------------------------------

def tiled(value, case, axis=0, width=1):
    """Reorder value heads, `width` entries each along `axis`: head kh*r + m goes to m*k_heads + kh."""
    value = np.moveaxis(value, axis, 0)
    parts = value.reshape(case.k_heads, case.ratio, width, *value.shape[1:])
    return np.ascontiguousarray(np.moveaxis(parts.swapaxes(0, 1).reshape(value.shape), 0, axis))


def separate(qkvz, case):
    """Rows in groups of a key head [q | k | its v | its z] -> q, k, v, z, each in head order."""
    d, r = case.gdn_dim, case.ratio
    groups = qkvz.reshape(case.k_heads, 2 * d + 2 * r * d, -1)
    return [part.reshape(-1, qkvz.shape[-1]) for part in np.split(groups, [d, 2 * d, 2 * d + r * d], axis=1)]


def delta_net(hf, case, interleaved):
    """Tensors of one gated delta net; hf(name) gives the array below `linear_attn.`."""
    d, keys = case.gdn_dim, 2 * case.k_heads * case.gdn_dim
    conv = hf("conv1d.weight")[:, 0]
    a, dt, out = -np.exp(hf("A_log")), hf("dt_bias"), hf("out_proj.weight")
    if case.arch == "qwen3next":
        if interleaved:
            yield "ssm_in.weight", hf("in_proj_qkvz.weight")
        else:
            q, k, v, z = separate(hf("in_proj_qkvz.weight"), case)
            yield "attn_qkv.weight", np.concatenate([q, k, v])
            yield "attn_gate.weight", z
        yield "ssm_ba.weight", hf("in_proj_ba.weight")
    else:
        qkv = hf("in_proj_qkv.weight")
        yield "attn_qkv.weight", np.concatenate([qkv[:keys], tiled(qkv[keys:], case, width=d)])
        yield "attn_gate.weight", tiled(hf("in_proj_z.weight"), case, width=d)
        yield "ssm_beta.weight", tiled(hf("in_proj_b.weight"), case)
        yield "ssm_alpha.weight", tiled(hf("in_proj_a.weight"), case)
        conv = np.concatenate([conv[:keys], tiled(conv[keys:], case, width=d)])
        a, dt, out = tiled(a, case), tiled(dt, case), tiled(out, case, axis=1, width=d)
    yield "ssm_conv1d.weight", conv
    yield "ssm_a", a
    yield "ssm_dt.bias", dt
    yield "ssm_norm.weight", hf("norm.weight")
    yield "ssm_out.weight", out


def attention(hf, fused):
    if fused:
        yield "attn_qkv.weight", np.concatenate([hf(f"{p}_proj.weight") for p in "qkv"])
    else:
        for p in "qkv":
            yield f"attn_{p}.weight", hf(f"{p}_proj.weight")
    yield "attn_output.weight", hf("o_proj.weight")
    for p in "qk":
        yield f"attn_{p}_norm.weight", hf(f"{p}_norm.weight") + 1


def feed_forward(hf, case, merged):
    if not case.moe:
        for part in ("gate", "up", "down"):
            yield f"ffn_{part}.weight", hf(f"{part}_proj.weight")
        return
    stack = {p: np.stack([hf(f"experts.{e}.{p}_proj.weight") for e in range(case.experts)])
             for p in ("gate", "up", "down")}
    yield "ffn_gate_inp.weight", hf("gate.weight")
    if merged:
        yield "ffn_gate_up_exps.weight", np.concatenate([stack["gate"], stack["up"]], axis=1)
    else:
        yield "ffn_gate_exps.weight", stack["gate"]
        yield "ffn_up_exps.weight", stack["up"]
    yield "ffn_down_exps.weight", stack["down"]
    yield "ffn_gate_inp_shexp.weight", hf("shared_expert_gate.weight")[0]
    for part in ("gate", "up", "down"):
        yield f"ffn_{part}_shexp.weight", hf(f"shared_expert.{part}_proj.weight")


def blocks(tensors, case, mtp, interleaved, merged, fused_attention):
    """(layer, name, array) of all layers, the draft layer last."""
    for i in range(case.layers + int(mtp)):
        stem = f"model.layers.{i}." if i < case.layers else "mtp.layers.0."
        hf = lambda name, stem=stem: tensors[stem + name]
        below = lambda part: lambda name, stem=stem: tensors[f"{stem}{part}.{name}"]
        yield i, "attn_norm.weight", hf("input_layernorm.weight") + 1
        yield i, "post_attention_norm.weight", hf("post_attention_layernorm.weight") + 1
        mixer = (attention(below("self_attn"), fused_attention) if case.is_attention(i)
                 else delta_net(below("linear_attn"), case, interleaved))
        for name, value in (*mixer, *feed_forward(below("mlp"), case, merged)):
            yield i, name, value
    if mtp:
        i = case.layers
        yield i, "nextn.eh_proj.weight", tensors["mtp.fc.weight"]
        yield i, "nextn.enorm.weight", tensors["mtp.pre_fc_norm_embedding.weight"] + 1
        yield i, "nextn.hnorm.weight", tensors["mtp.pre_fc_norm_hidden.weight"] + 1
        yield i, "nextn.shared_head_norm.weight", tensors["mtp.norm.weight"] + 1


def known_names(count):
    """All names of tensors that the package has, for any architecture."""
    return {name.format(bid=i) for name in gguf.TENSOR_NAMES.values() for i in range(count)}


def as_bf16(value):
    raw = np.ascontiguousarray(value, np.float32).view(np.uint32)
    if (raw & 0xFFFF).any():
        raise SystemExit("a tensor to be written as BF16 is not made of BF16 numbers")
    return (raw >> 16).astype(np.uint16)


def write_gguf(path, case, tensors, *, mtp=False, interleaved=False, merged=False, fused_attention=False, bf16=False):
    """Write a twin. `tensors` are f32 torch tensors by their checkpoint name, one an expert.

    interleaved: one ssm_in as older qwen3next files have it. merged: gate and up of the experts in one tensor.
    fused_attention: q, k, v of the full-attention layers in one tensor. bf16: matrices in BF16 (weights must be so).
    """
    tensors = {name: value.float().numpy() for name, value in tensors.items()}
    writer = gguf.GGUFWriter(path, case.arch)
    writer.add_name(f"golden {case.name}")
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_BF16 if bf16 else gguf.LlamaFileType.ALL_F32)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    add_keys(writer, case, mtp)
    add_vocabulary(writer, case)
    known = known_names(case.layers + 1)

    def add(name, value):
        stem = name.removesuffix(".weight").removesuffix(".bias")
        if stem not in known:
            raise SystemExit(f"{path}: the gguf package does not know a tensor {name}")
        matrix = value.ndim > 1 and not stem.endswith(("ssm_conv1d", "ffn_gate_inp"))
        if bf16 and matrix:
            writer.add_tensor(name, as_bf16(value).view(np.uint8), raw_dtype=gguf.GGMLQuantizationType.BF16)
        else:
            writer.add_tensor(name, np.ascontiguousarray(value, np.float32))

    add("token_embd.weight", tensors["model.embed_tokens.weight"])
    add("output_norm.weight", tensors["model.norm.weight"] + 1)
    if not case.tied:
        add("output.weight", tensors["lm_head.weight"])
    for layer, name, value in blocks(tensors, case, mtp, interleaved, merged, fused_attention):
        add(f"blk.{layer}.{name}", value)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
