"""Tiny random checkpoints of the three Qwen hybrids, built from transformers' own classes.

Owns the table of shapes, the random weights and the layout of a Hugging Face folder (names, config.json, shards).
Knows nothing of GGUF (golden_gguf.py) nor of what is computed from a checkpoint (make_goldens.py).
"""
import copy
import dataclasses
import importlib
import json
import math
import shutil
import tempfile
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file

EPS = 1e-6
CONTEXT = 4096


@dataclasses.dataclass(frozen=True)
class Case:
    """One checkpoint. `ratio` in the index is v_heads / k_heads."""
    name: str
    arch: str              # GGUF architecture; transformers' module and classes follow from it
    seed: int
    hidden: int
    layers: int
    q_heads: int
    kv_heads: int
    head_dim: int
    rotary: float          # part of head_dim that is rotated
    theta: float
    k_heads: int           # gated delta net
    v_heads: int
    gdn_dim: int           # head size of its keys and of its values
    ff: int                # dense feed-forward size, or size of an expert
    vocab: int
    interval: int = 4      # every interval-th layer is full attention
    experts: int = 0
    top_k: int = 0
    tied: bool = False
    mtp: bool = False
    bf16: bool = False     # weights are bf16 numbers, stored as such in the folder
    shared_ff: int = 0     # size of the shared expert where it is not `ff`

    @property
    def moe(self):
        return self.experts > 0

    @property
    def ratio(self):
        return self.v_heads // self.k_heads

    @property
    def rotary_dims(self):
        return int(self.head_dim * self.rotary)

    @property
    def mrope_sections(self):
        """Pairs of the time, height and width grids; text positions are the same in all three."""
        pairs = self.rotary_dims // 2
        return [pairs - 2 * (pairs // 3), pairs // 3, pairs // 3]

    def is_attention(self, layer):
        return layer >= self.layers or (layer + 1) % self.interval == 0


HF = {  # architecture: transformers' package, class prefix
    "qwen3next": ("qwen3_next", "Qwen3Next"),
    "qwen35": ("qwen3_5", "Qwen3_5"),
    "qwen35moe": ("qwen3_5_moe", "Qwen3_5Moe"),
}


def modeling(arch):
    package = HF[arch][0]
    return importlib.import_module(f"transformers.models.{package}.modeling_{package}")


def hf_class(arch, suffix):
    return getattr(modeling(arch), HF[arch][1] + suffix)


def make_config(case):
    package, prefix = HF[case.arch]
    module = importlib.import_module(f"transformers.models.{package}.configuration_{package}")
    config_class = getattr(module, prefix + ("Config" if case.arch == "qwen3next" else "TextConfig"))
    rope = {"rope_type": "default", "rope_theta": case.theta, "partial_rotary_factor": case.rotary}
    ffn = {"intermediate_size": case.ff} if not case.moe else {
        "num_experts": case.experts, "num_experts_per_tok": case.top_k,
        "moe_intermediate_size": case.ff, "shared_expert_intermediate_size": case.shared_ff or case.ff}
    return config_class(
        vocab_size=case.vocab, hidden_size=case.hidden, num_hidden_layers=case.layers,
        num_attention_heads=case.q_heads, num_key_value_heads=case.kv_heads, head_dim=case.head_dim,
        linear_key_head_dim=case.gdn_dim, linear_value_head_dim=case.gdn_dim,
        linear_num_key_heads=case.k_heads, linear_num_value_heads=case.v_heads,
        full_attention_interval=case.interval, rms_norm_eps=EPS, max_position_embeddings=CONTEXT,
        rope_parameters=rope, tie_word_embeddings=case.tied, **ffn)


class Draft(torch.nn.Module):
    """The multi-token-prediction layer, under the names of a checkpoint without their `mtp.`.

    transformers ignores these tensors. The layer is its own decoder layer, of which a trunk layer is another instance;
    ours is the glue: the two norms, the projection of [embedding ; hidden] and the final norm.
    """

    def __init__(self, case, config):
        super().__init__()
        norm = hf_class(case.arch, "RMSNorm")
        config = copy.deepcopy(config)
        config.num_hidden_layers += 1
        config.layer_types = config.layer_types + ["full_attention"]
        config._attn_implementation = "eager"
        config._experts_implementation = "eager"
        self.fc = torch.nn.Linear(2 * case.hidden, case.hidden, bias=False)
        self.pre_fc_norm_embedding = norm(case.hidden, eps=EPS)
        self.pre_fc_norm_hidden = norm(case.hidden, eps=EPS)
        self.layers = torch.nn.ModuleList([hf_class(case.arch, "DecoderLayer")(config, case.layers)])
        self.norm = norm(case.hidden, eps=EPS)

    def forward(self, embedding, hidden, rotary, first_position=0):
        """embedding [time, D] of token p+1, hidden [time, D] after the trunk's final norm at p -> normed hidden."""
        joined = torch.cat([self.pre_fc_norm_embedding(embedding), self.pre_fc_norm_hidden(hidden)], dim=-1)
        x = self.fc(joined)[None]
        time = x.shape[1]
        positions = torch.arange(first_position, first_position + time)[None]
        mask = torch.full((time, time), -math.inf, dtype=x.dtype).triu(1)[None, None]
        x = self.layers[0](x, position_embeddings=rotary(x, positions), attention_mask=mask)
        return self.norm(x)[0]


def sample(name, shape, rng, tied):
    """Random values of a tensor, such that every tensor matters and logits spread by about 2."""
    fan_in = shape[-1]
    normal = lambda sigma, mean=0.0: mean + sigma * rng.standard_normal(shape)
    if name.endswith("A_log"):
        return rng.uniform(math.log(0.01), math.log(1.5), shape)
    if name.endswith("dt_bias"):
        return rng.uniform(-3, 3, shape)
    if name.endswith("conv1d.weight"):
        return normal(0.5)
    if name.endswith("linear_attn.norm.weight"):
        return normal(0.2, 1.0)
    if name.endswith(("q_norm.weight", "k_norm.weight")):
        return normal(0.2, 0.3)
    if "norm" in name:
        return normal(0.2)
    if name.endswith("embed_tokens.weight"):
        return normal(2 / math.sqrt(fan_in) if tied else 1.0)
    if name.endswith(("lm_head.weight", "mlp.gate.weight", "o_proj.weight", "out_proj.weight", "down_proj.weight",
                      "down_proj")):
        return normal(2 / math.sqrt(fan_in))
    if name.endswith(("shared_expert_gate.weight", "in_proj_a.weight", "in_proj_b.weight", "in_proj_ba.weight")):
        return normal(1.5 / math.sqrt(fan_in))
    return normal(1 / math.sqrt(fan_in))


KEPT_F32 = ("A_log", "linear_attn.norm.weight")  # as the released bf16 checkpoints have them


@torch.no_grad()
def randomise(module, case, rng):
    tied_head = lambda name: case.tied and name == "lm_head.weight"
    for name, parameter in sorted(module.named_parameters()):
        if tied_head(name):
            continue
        value = torch.from_numpy(np.asarray(sample(name, tuple(parameter.shape), rng, case.tied), np.float32))
        if case.bf16 and not name.endswith(KEPT_F32):
            value = value.bfloat16().float()
        parameter.copy_(value)


def make_models(case, seed):
    """(causal language model, draft module or None), with random weights."""
    rng = np.random.Generator(np.random.PCG64([seed, case.hidden, case.layers]))
    config = make_config(case)
    model = hf_class(case.arch, "ForCausalLM")._from_config(
        config, attn_implementation="eager", experts_implementation="eager").float().eval()
    model.tie_weights()
    randomise(model, case, rng)
    draft = None
    if case.mtp:
        draft = Draft(case, config).float().eval()
        randomise(draft, case, rng)
    return model, draft


# Folders -------------------------------------------------------------------------------------------------------------

def split_experts(tensors):
    """Fused expert tensors -> one tensor an expert and matrix, as in `mlp.experts.3.up_proj.weight`."""
    out = {}
    for name, value in tensors.items():
        stem, _, last = name.rpartition(".")
        if not stem.endswith("mlp.experts"):
            out[name] = value
            continue
        for e, matrix in enumerate(value):
            parts = {"down_proj": matrix} if last == "down_proj" else dict(
                zip(("gate_proj", "up_proj"), matrix.chunk(2, dim=0)))
            out.update({f"{stem}.{e}.{part}.weight": m.clone() for part, m in parts.items()})
    return out


def fuse_experts(tensors, experts):
    """The inverse, for the trunk: MTP layers of released checkpoints stay one tensor an expert."""
    out = {name: value for name, value in tensors.items() if ".mlp.experts." not in name or name.startswith("mtp.")}
    stems = sorted({name[:name.index(".mlp.experts.")] for name in tensors if name not in out})
    for stem in stems:
        part = lambda e, kind: tensors[f"{stem}.mlp.experts.{e}.{kind}_proj.weight"]
        out[f"{stem}.mlp.experts.gate_up_proj"] = torch.stack(
            [torch.cat([part(e, "gate"), part(e, "up")]) for e in range(experts)])
        out[f"{stem}.mlp.experts.down_proj"] = torch.stack([part(e, "down") for e in range(experts)])
    return out


def saved_tensors(case, model, draft):
    """(tensors by name, config) as transformers' save_pretrained writes them, with `mtp.*` added."""
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        tensors = load_file(Path(folder) / "model.safetensors")
        config = json.loads((Path(folder) / "config.json").read_text())
    tensors = split_experts(tensors)
    if draft is not None:
        tensors.update(split_experts({"mtp." + name: value for name, value in draft.state_dict().items()}))
    return {name: value.clone().contiguous() for name, value in sorted(tensors.items())}, config


def released_config(case, config):
    """The configuration in the layout of the released checkpoints; transformers reads it as the same one."""
    config = dict(config)
    rope = config.pop("rope_parameters")
    if case.arch == "qwen3next":
        config.pop("layer_types")
        return config | {"rope_theta": rope["rope_theta"], "partial_rotary_factor": rope["partial_rotary_factor"],
                         "rope_scaling": None, "full_attention_interval": case.interval}
    package, prefix = HF[case.arch]
    architectures, version = [prefix + "ForConditionalGeneration"], config.pop("transformers_version")
    config.pop("architectures")
    text = config | {"full_attention_interval": case.interval, "mamba_ssm_dtype": "float32",
                     "mtp_num_hidden_layers": int(case.mtp), "mtp_use_dedicated_embeddings": False,
                     "rope_parameters": rope | {"mrope_section": case.mrope_sections, "mrope_interleaved": True}}
    vision = {"model_type": package, "depth": 0, "hidden_size": case.hidden,
              "num_heads": 2, "out_hidden_size": case.hidden}
    return {"architectures": architectures, "model_type": package, "text_config": text, "vision_config": vision,
            "tie_word_embeddings": case.tied, "transformers_version": version}


def save_shard(tensors, path):
    save_file(tensors, path, metadata={"format": "pt"})
    path.chmod(0o644)


def write_folder(folder, case, tensors, config, *, released=False, nested=False, fused=False, shards=1):
    """Write config.json and the safetensors file(s).

    released: config.json as in released checkpoints, otherwise as transformers saved it. nested: names and config of
    a model with a vision tower, of which one tensor stands in for all. fused: experts of a layer in one tensor.
    """
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    config = dict(config)
    if fused:
        tensors = fuse_experts(tensors, case.experts)
    if nested:
        tensors = {name.replace("model.", "model.language_model.", 1) if name.startswith("model.") else name: value
                   for name, value in tensors.items()}
        tensors["model.visual.merger.norm.bias"] = torch.zeros(case.hidden)
    if case.bf16:
        config["dtype"] = "bfloat16"
        tensors = {name: value if name.endswith(KEPT_F32) else value.bfloat16() for name, value in tensors.items()}
    if released:
        config = released_config(case, config)
    (folder / "config.json").write_text(json.dumps(config, indent=1, sort_keys=True) + "\n")
    if shards == 1:
        save_shard(tensors, folder / "model.safetensors")
        return
    parts = [{} for _ in range(shards)]
    for i, name in enumerate(sorted(tensors)):
        parts[i * shards // len(tensors)][name] = tensors[name]
    weight_map = {}
    for i, part in enumerate(parts):
        file = f"model-{i + 1:05d}-of-{shards:05d}.safetensors"
        save_shard(part, folder / file)
        weight_map.update({name: file for name in part})
    total = sum(value.numel() * value.element_size() for value in tensors.values())
    index = {"metadata": {"total_size": total}, "weight_map": dict(sorted(weight_map.items()))}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=1) + "\n")


def load_folder(folder, case):
    """transformers' model from a folder, in f32; complains unless exactly the trunk was loaded."""
    model, info = hf_class(case.arch, "ForCausalLM").from_pretrained(
        folder, dtype=torch.float32, attn_implementation="eager", output_loading_info=True)
    model.config._experts_implementation = "eager"
    missing = [k for k in info["missing_keys"] if not (case.tied and k == "lm_head.weight")]
    stray = [k for k in info["unexpected_keys"] if not k.startswith(("mtp.", "model.visual."))]
    if missing or stray or info["mismatched_keys"]:
        raise SystemExit(f"{folder}: missing {missing}, unexpected {stray}, mismatched {info['mismatched_keys']}")
    return model.eval()
