#!/usr/bin/env python3
"""Make the golden checkpoints and logits of tests/golden/data with Hugging Face transformers.

    python3.11 -m venv venv
    venv/bin/pip install torch==2.15.0 transformers==5.23.0 safetensors==0.8.0 gguf==0.19.0 numpy==2.4.6
    venv/bin/python scripts/make_goldens.py                    all cases, into tests/golden/data
    venv/bin/python scripts/make_goldens.py --only qwen35-r3   one case (the index keeps the others)
    venv/bin/python scripts/make_goldens.py --check            also: does every tensor matter, are planted errors seen
    venv/bin/python scripts/make_goldens.py --search 50        print seeds that satisfy the conditions below

A case is a tiny random checkpoint as one or two Hugging Face folders and one or two GGUF files of the same weights, the
f32 logits of transformers (eager attention, its own torch delta rule) at every position of three prompts, 64 greedy
tokens and, where there is an MTP layer, its draft logits. tests/golden/README.md tells what is in the files.

A seed is good when rounding cannot change a decision: the gap between the last expert taken and the first one left is
above MIN_ROUTER_GAP at every token and layer, and the two best logits of every greedy step differ by more than
MIN_MARGIN of the largest logit.
"""
import argparse
import contextlib
import importlib.metadata
import json
import platform
import sys
from pathlib import Path

import numpy as np
import safetensors
import torch
import transformers

import golden_checks
from golden_checkpoint import Case, load_folder, make_models, modeling, saved_tensors, write_folder
from golden_gguf import FIRST_CONTROL, write_gguf

PROMPT_LENGTHS = (1, 67, 300)
GREEDY_PROMPT = 1          # index of the prompt that is continued
GREEDY_TOKENS = 64
CHAINED_DRAFTS = 2         # drafts after the one that the trunk's last hidden state gives
MIN_ROUTER_GAP = 5e-4      # in router logits
MIN_MARGIN = 1e-3          # of the largest logit
MIN_DISTINCT = 12          # different tokens among the greedy ones

CASES = [
    Case("qwen3next", "qwen3next", seed=17, hidden=32, layers=4, q_heads=4, kv_heads=2, head_dim=32, rotary=0.25,
         theta=5e6, k_heads=2, v_heads=4, gdn_dim=16, ff=16, vocab=264, experts=8, top_k=3, mtp=True),
    Case("qwen35-tied", "qwen35", seed=22, hidden=32, layers=4, q_heads=4, kv_heads=2, head_dim=32, rotary=0.25,
         theta=1e7, k_heads=2, v_heads=4, gdn_dim=32, ff=64, vocab=264, tied=True, mtp=True, bf16=True),
    Case("qwen35-r3", "qwen35", seed=7, hidden=32, layers=5, q_heads=6, kv_heads=2, head_dim=16, rotary=0.5,
         theta=1e4, k_heads=2, v_heads=6, gdn_dim=16, ff=64, vocab=261, bf16=True),
    Case("qwen35-r1", "qwen35", seed=33, hidden=64, layers=4, interval=2, q_heads=2, kv_heads=1, head_dim=32,
         rotary=0.5, theta=1e7, k_heads=2, v_heads=2, gdn_dim=16, ff=48, vocab=264, bf16=True),
    Case("qwen35moe", "qwen35moe", seed=1, hidden=32, layers=4, q_heads=4, kv_heads=2, head_dim=32, rotary=0.5,
         theta=1e7, k_heads=4, v_heads=8, gdn_dim=16, ff=16, vocab=264, experts=8, top_k=3, mtp=True, bf16=True),
]

# Of each case: Hugging Face folders (options of write_folder) and GGUF files (options of write_gguf). The first folder
# is the one that transformers reads for the golden logits. `mtp` is left out where a file goes without the MTP layer.
FOLDERS = {
    "qwen3next": {"hf": dict(mtp=True, released=True)},
    "qwen35-tied": {"hf": dict(mtp=True, released=True, nested=True)},
    "qwen35-r3": {"hf": dict()},
    "qwen35-r1": {"hf": dict()},
    "qwen35moe": {"hf": dict(mtp=True, released=True, nested=True, fused=True), "hf-experts": dict(shards=3)},
}
GGUFS = {
    "qwen3next": {"split.gguf": dict(mtp=True), "ssm_in.gguf": dict(interleaved=True)},
    "qwen35-tied": {"tied.gguf": dict(mtp=True)},
    "qwen35-r3": {"fused_attention.gguf": dict(fused_attention=True, bf16=True)},
    "qwen35-r1": {"plain.gguf": dict(bf16=True)},
    "qwen35moe": {"merged.gguf": dict(mtp=True, merged=True, bf16=True)},
}

DEFAULT_OUT = Path(__file__).resolve().parent.parent / "tests" / "golden" / "data"


# Running transformers ------------------------------------------------------------------------------------------------

@torch.no_grad()
def run(model, ids):
    """(logits [time, vocabulary], hidden after the final norm [time, D]) of one sequence, without a cache."""
    hidden = model.model(input_ids=torch.tensor([ids]), use_cache=False).last_hidden_state[0]
    return model.lm_head(hidden), hidden


@contextlib.contextmanager
def in_double(arch):
    """Make transformers' module compute in f64 where it insists on f32."""
    module, to_float = modeling(arch), torch.Tensor.float

    class Double:
        float32 = float = torch.float64

        def __getattr__(self, name):
            return getattr(torch, name)

    module.torch, torch.Tensor.float = Double(), torch.Tensor.double
    try:
        yield
    finally:
        module.torch, torch.Tensor.float = torch, to_float


@contextlib.contextmanager
def router_gaps(*models):
    """Collects, a call of a router, the smallest gap between the logits of the last expert taken and the next."""
    gaps, handles = [], []

    def hook(module, _, output):
        ranked = output[0].reshape(-1, module.num_experts).sort(dim=-1, descending=True).values
        gaps.append((ranked[:, module.top_k - 1] - ranked[:, module.top_k]).min().item())

    for model in models:
        for module in model.modules() if model is not None else ():
            if type(module).__name__.endswith("TopKRouter"):
                handles.append(module.register_forward_hook(hook))
    try:
        yield gaps
    finally:
        for handle in handles:
            handle.remove()


def margin(row, largest):
    best = row.topk(2).values
    return ((best[0] - best[1]) / largest).item()


@torch.no_grad()
def greedy(model, ids, count, largest):
    """(continuation, smallest margin), every step from an empty state."""
    ids, margins, start = list(ids), [], len(ids)
    for _ in range(count):
        row = run(model, ids)[0][-1]
        margins.append(margin(row, largest))
        ids.append(int(row.argmax()))
    return ids[start:], min(margins)


@torch.no_grad()
def greedy_cached(model, ids, count):
    """The same by transformers' decode path, from its cache: another order of the same sums."""
    out, cache, step = [], transformers.DynamicCache(config=model.config), torch.tensor([ids])
    for _ in range(count):
        result = model(input_ids=step, past_key_values=cache, use_cache=True)
        out.append(int(result.logits[0, -1].argmax()))
        step = torch.tensor([out[-1:]])
    return out


@torch.no_grad()
def draft_run(model, draft, ids, following, chained, first_position=0):
    """Draft logits [time, V] of the pairs (hidden at p, token p+1), then `chained` rows that feed on drafts.

    Row p predicts token p+2. Returns (rows, chained rows, tokens fed to the chained rows).
    """
    hidden = run(model, ids)[1]
    tokens, fed, rows = ids[1:] + [following], [], []
    for step in range(chained + 1):
        normed = draft(model.model.embed_tokens(torch.tensor(tokens)), hidden, model.model.rotary_emb, first_position)
        logits = model.lm_head(normed)
        rows.append(logits if step == 0 else logits[-1:])
        fed.append(int(logits[-1].argmax()))
        tokens, hidden = tokens + fed[-1:], torch.cat([hidden, normed[-1:]])
    return rows[0], torch.cat([logits[:0], *rows[1:]]), fed[:-1]


# Goldens -------------------------------------------------------------------------------------------------------------

def make_prompts(case, seed):
    rng = np.random.Generator(np.random.PCG64([seed, 1000]))
    return [rng.integers(0, case.vocab, n).tolist() for n in PROMPT_LENGTHS]


def compute(case, model, draft, prompts):
    """Everything that the index tells about numbers, and the arrays to be stored."""
    out = {}
    with router_gaps(model, draft) as gaps:
        out["logits"] = [run(model, ids)[0] for ids in prompts]
        largest = max(x.abs().max().item() for x in out["logits"])
        out["largest"], ids = largest, prompts[GREEDY_PROMPT]
        out["greedy"], out["margin"] = greedy(model, ids, GREEDY_TOKENS, largest)
        if draft is not None:
            out["draft"], out["chain"], out["fed"] = draft_run(model, draft, ids, out["greedy"][0], CHAINED_DRAFTS)
            out["margin"] = min(out["margin"], margin(out["draft"][-1], largest), margin(out["chain"][0], largest))
    out["gap"] = min(gaps, default=None)
    return out


def good(case, result):
    return (result["margin"] > MIN_MARGIN and (result["gap"] is None or result["gap"] > MIN_ROUTER_GAP)
            and len(set(result["greedy"])) >= MIN_DISTINCT and max(result["greedy"]) < FIRST_CONTROL)


def relative(a, b, largest):
    return ((a.double() - b.double()).abs().max() / largest).item()


def noise(case, model, draft, prompts, result):
    """Largest difference between the f32 and f64 logits, relative to the largest logit."""
    model, draft = model.double(), draft.double() if draft is not None else None
    with in_double(case.arch):
        differences = [relative(run(model, ids)[0], x, result["largest"]) for ids, x in zip(prompts, result["logits"])]
        if draft is not None:
            rows, chain, _ = draft_run(model, draft, prompts[GREEDY_PROMPT], result["greedy"][0], CHAINED_DRAFTS)
            differences.append(relative(rows, result["draft"], result["largest"]))
            differences.append(relative(chain, result["chain"], result["largest"]))
    assert run(model, [0])[0].dtype == torch.float64
    return max(differences)


def store(path, tensor):
    path.write_bytes(tensor.numpy().astype("<f4").tobytes())
    return {"file": f"{path.parent.name}/{path.name}", "rows": tensor.shape[0], "columns": tensor.shape[1]}


def write_case(case, out, seed):
    folder = out / case.name
    model, draft = make_models(case, seed)
    tensors, config = saved_tensors(case, model, draft)
    trunk = {name: value for name, value in tensors.items() if not name.startswith("mtp.")}
    for name, options in FOLDERS[case.name].items():
        options = dict(options)
        write_folder(folder / name, case, tensors if options.pop("mtp", False) else trunk, config, **options)
    for name, options in GGUFS[case.name].items():
        write_gguf(folder / name, case, tensors, **options)

    # What is stored is what transformers makes of the folder, not of the model in memory.
    prompts = make_prompts(case, seed)
    first, *others = [load_folder(folder / name, case) for name in FOLDERS[case.name]]
    result = compute(case, first, draft, prompts)
    if not good(case, result):
        raise SystemExit(f"{case.name}: seed {seed} does not satisfy the conditions; see --search")
    for other in [model, *others]:
        for ids, expected in zip(prompts, result["logits"]):
            if relative(run(other, ids)[0], expected, result["largest"]) > 1e-6:
                raise SystemExit(f"{case.name}: the folders, read by transformers, differ from the model")
    if greedy_cached(first, prompts[GREEDY_PROMPT], GREEDY_TOKENS) != result["greedy"]:
        raise SystemExit(f"{case.name}: transformers decodes other tokens than it computes from scratch")

    entry = {
        "name": case.name, "arch": case.arch, "moe": case.moe, "ratio": case.ratio, "tied": case.tied, "mtp": case.mtp,
        "seed": seed, "largest": result["largest"],
        "shape": {"layers": case.layers, "hidden": case.hidden, "vocab": case.vocab, "interval": case.interval,
                  "q_heads": case.q_heads, "kv_heads": case.kv_heads, "head_dim": case.head_dim,
                  "rotary_dims": case.rotary_dims, "k_heads": case.k_heads, "v_heads": case.v_heads,
                  "gdn_dim": case.gdn_dim, "ff": case.ff, "experts": case.experts, "top_k": case.top_k},
        "folders": [{"path": f"{case.name}/{name}", "mtp": o.get("mtp", False), "nested": o.get("nested", False),
                     "fused_experts": o.get("fused", False), "shards": o.get("shards", 1),
                     "type": "BF16" if case.bf16 else "F32", "tiled": False}
                    for name, o in FOLDERS[case.name].items()],
        "ggufs": [{"path": f"{case.name}/{name}", "mtp": o.get("mtp", False), "ssm_in": o.get("interleaved", False),
                   "merged_experts": o.get("merged", False), "fused_attention": o.get("fused_attention", False),
                   "type": "BF16" if o.get("bf16") else "F32", "tiled": case.arch != "qwen3next"}
                  for name, o in GGUFS[case.name].items()],
        "prompts": [{"ids": ids, "logits": store(folder / f"prompt{len(ids)}.f32", x)}
                    for ids, x in zip(prompts, result["logits"])],
        "greedy": {"prompt": GREEDY_PROMPT, "ids": result["greedy"], "smallest_margin": result["margin"]},
        "smallest_router_gap": result["gap"],
    }
    if draft is not None:
        entry["draft"] = {"prompt": GREEDY_PROMPT, "following": result["greedy"][0],
                          "logits": store(folder / "draft.f32", result["draft"]),
                          "chained_ids": result["fed"], "chained_logits": store(folder / "chain.f32", result["chain"])}
    entry["f32_noise"] = noise(case, first, draft, prompts, result)
    return entry


def report(case, out, entry):
    size = sum(f.stat().st_size for f in (out / case.name).rglob("*") if f.is_file())
    gap = entry["smallest_router_gap"]
    print(f"{case.name}: largest {entry['largest']:.3f}, f32 against f64 {entry['f32_noise']:.1e}, "
          f"margin {entry['greedy']['smallest_margin']:.1e}, router gap {'-' if gap is None else f'{gap:.1e}'}, "
          f"{len(set(entry['greedy']['ids']))} different greedy tokens, {size / 1e3:.0f} kB", flush=True)


def search(cases, count):
    for case in cases:
        for seed in range(count):
            model, draft = make_models(case, seed)
            result = compute(case, model, draft, make_prompts(case, seed))
            if good(case, result):
                gap = "-" if result["gap"] is None else f"{result['gap']:.1e}"
                print(f"{case.name}: seed {seed}, margin {result['margin']:.1e}, router gap {gap}, logits spread by "
                      f"{torch.cat(result['logits']).std().item():.2f}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=DEFAULT_OUT)
    parser.add_argument("--only", choices=[case.name for case in CASES])
    parser.add_argument("--check", action="store_true", help="measure what errors would do to the logits")
    parser.add_argument("--search", type=int, metavar="N", help="try seeds 0 to N-1 and print the good ones")
    args = parser.parse_args()
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    torch.manual_seed(0)
    torch.set_num_threads(1)
    cases = [case for case in CASES if args.only in (None, case.name)]
    if args.search:
        return search(cases, args.search)
    args.out.mkdir(parents=True, exist_ok=True)
    index_path = args.out / "index.json"
    entries = {e["name"]: e for e in json.loads(index_path.read_text())["cases"]} if index_path.exists() else {}
    for case in cases:
        entries[case.name] = write_case(case, args.out, case.seed)
        report(case, args.out, entries[case.name])
        if args.check:
            golden_checks.check(case, args.out, entries[case.name], run, draft_run)
    versions = {m.__name__: m.__version__ for m in (torch, transformers, safetensors, np)}
    versions |= {"gguf": importlib.metadata.version("gguf"), "python": platform.python_version()}
    ordered = [entries[case.name] for case in CASES if case.name in entries]
    index_path.write_text(to_json({"made_with": versions, "cases": ordered}) + "\n")
    return 0


def to_json(value):
    """JSON with one key a line, lists of numbers on one line."""
    def lines(v, pad):
        if isinstance(v, dict) and any(isinstance(x, (dict, list)) for x in v.values()):
            body = ",\n".join(f"{pad} {json.dumps(k)}: {lines(x, pad + ' ')}" for k, x in v.items())
            return "{\n" + body + f"\n{pad}}}"
        if isinstance(v, list) and v and isinstance(v[0], dict):
            return "[\n" + ",\n".join(f"{pad} {lines(x, pad + ' ')}" for x in v) + f"\n{pad}]"
        return json.dumps(v)
    return lines(value, "")


if __name__ == "__main__":
    sys.exit(main())
