"""What an error would do to the golden logits: is every tensor felt, is every planted error seen.

Both are questions to the data, asked of transformers once when the data is made. The test of the engine plants the
errors again, into the engine's own tensors.
"""
import contextlib

import numpy as np
import torch

from golden_checkpoint import load_folder, make_models
from golden_gguf import tiled

# Both relative to the largest logit; the tolerance of the test is 1e-4.
FELT = 1e-3  # every tensor, changed by a tenth of its spread, must move some logit by more than this
SEEN = 1e-2  # every planted error must


@contextlib.contextmanager
def changed(parameter, value):
    """The parameter with another value, for the time of the context."""
    before = parameter.detach().clone()
    with torch.no_grad():
        parameter.copy_(value)
    try:
        yield
    finally:
        with torch.no_grad():
            parameter.copy_(before)


@contextlib.contextmanager
def all_changed(pairs):
    with contextlib.ExitStack() as stack:
        for parameter, value in pairs:
            stack.enter_context(changed(parameter, value))
        yield


def tile_rows(value, case, width, axis=0):
    return torch.from_numpy(tiled(value.detach().numpy(), case, axis, width))


def tiled_groups(value, case, parts):
    """qwen3next's rows in groups of a key head, their parts that belong to value heads put in tiled order.

    parts: of a group, (rows, rows a value head or 0 for the key head's own).
    """
    groups = value.detach().reshape(case.k_heads, -1, value.shape[-1])
    pieces = torch.split(groups, [rows for rows, _ in parts], dim=1)
    out = [piece if width == 0 else tile_rows(piece.reshape(-1, value.shape[-1]), case, width).reshape(piece.shape)
           for piece, (_, width) in zip(pieces, parts)]
    return torch.cat(out, dim=1).reshape(value.shape)


def wrong_head_order(net, case):
    """Pairs that turn a gated delta net into one whose value heads read the other order's key heads."""
    d, r, keys = case.gdn_dim, case.ratio, 2 * case.k_heads * case.gdn_dim
    below_keys = lambda value: torch.cat([value[:keys], tile_rows(value[keys:], case, d)])
    if case.arch == "qwen3next":
        yield net.in_proj_qkvz.weight, tiled_groups(
            net.in_proj_qkvz.weight, case, [(d, 0), (d, 0), (r * d, d), (r * d, d)])
        yield net.in_proj_ba.weight, tiled_groups(net.in_proj_ba.weight, case, [(r, 1), (r, 1)])
    else:
        yield net.in_proj_qkv.weight, below_keys(net.in_proj_qkv.weight.detach())
        yield net.in_proj_z.weight, tile_rows(net.in_proj_z.weight, case, d)
        yield net.in_proj_b.weight, tile_rows(net.in_proj_b.weight, case, 1)
        yield net.in_proj_a.weight, tile_rows(net.in_proj_a.weight, case, 1)
    yield net.conv1d.weight, below_keys(net.conv1d.weight.detach())
    yield net.A_log, tile_rows(net.A_log, case, 1)
    yield net.dt_bias, tile_rows(net.dt_bias, case, 1)
    yield net.out_proj.weight, tile_rows(net.out_proj.weight, case, d, axis=1)


def all_q_then_all_gate(q_proj, case):
    """Rows such that the per-head reading sees what a reading as [all q | all gate] would."""
    rows = q_proj.weight.detach().reshape(2, case.q_heads, case.head_dim, -1)
    return q_proj.weight, rows.transpose(0, 1).reshape(q_proj.weight.shape)


def planted(model, draft, case):
    """(name of the error, touches the draft layer only, pairs of parameters and wrong values)."""
    owners = [("trunk", model)] + ([("mtp", draft)] if draft is not None else [])
    modules = [(where, name.removeprefix("model."), module)
               for where, owner in owners for name, module in owner.named_modules()]
    nets = [module for _, name, module in modules if name.endswith("linear_attn")]
    if case.ratio > 1:
        yield "head order, all layers", False, [p for net in nets for p in wrong_head_order(net, case)]
        yield "head order, first layer", False, list(wrong_head_order(nets[0], case))
    for i, net in enumerate(nets):
        yield f"conv taps reversed, delta net {i}", False, [(net.conv1d.weight, net.conv1d.weight.detach().flip(-1))]
    for where, name, module in modules:
        if name.endswith("self_attn"):
            yield f"q/gate, {where} {name}", where == "mtp", [all_q_then_all_gate(module.q_proj, case)]
        if type(module).__name__.endswith("RMSNorm"):
            yield f"+1 missing, {where} {name}", where == "mtp", [(module.weight, module.weight.detach() - 1)]
        if type(module).__name__.endswith("RMSNormGated"):
            yield f"+1 too much, {where} {name}", False, [(module.weight, module.weight.detach() + 1)]
    if draft is not None:
        embedding, hidden = draft.fc.weight.detach().chunk(2, dim=1)
        yield "mtp: hidden before embedding", True, [(draft.fc.weight, torch.cat([hidden, embedding], dim=1))]


def perturbed(model, draft, case, rng):
    """(name, parameter, its value with a tenth of its spread as noise) of every tensor, of every expert on its own."""
    named = [*model.named_parameters(), *((f"mtp.{n}", p) for n, p in (draft.named_parameters() if draft else ()))]
    for name, parameter in named:
        slices = [(f"{name}[{e}]", e) for e in range(case.experts)] if ".experts." in name else [(name, ...)]
        for label, which in slices:
            value = parameter.detach().clone()
            noise = torch.from_numpy(rng.standard_normal(tuple(value[which].shape)).astype(np.float32))
            value[which] += 0.1 * value[which].std() * noise
            yield label, parameter, value


def check(case, out, entry, run, draft_run):
    """Print what each tensor and each planted error does; exit when one does too little."""
    model = load_folder(out / entry["folders"][0]["path"], case)
    draft = make_models(case, entry["seed"])[1]
    prompts = [p["ids"] for p in entry["prompts"]]
    largest, following = entry["largest"], entry["greedy"]["ids"][0]

    def logits():
        """Of the prompts, then of the draft layer."""
        rows = [run(model, ids)[0] for ids in prompts]
        if draft is not None:
            rows.append(draft_run(model, draft, prompts[1], following, 0)[0])
        return rows

    before = logits()

    def moved():
        return [((a - b).abs().max() / largest).item() for a, b in zip(logits(), before)]

    felt, seen = [], []
    for label, parameter, value in perturbed(model, draft, case, np.random.Generator(np.random.PCG64(1))):
        with changed(parameter, value):
            by_prompt = moved()
        felt.append((by_prompt[3] if label.startswith("mtp.") else max(by_prompt[:3]), label))
    felt.sort()
    print(f"  {len(felt)} tensors, each changed by 0.1 of its spread; felt least: "
          + ", ".join(f"{name} {x:.1e}" for x, name in felt[:4]))
    for label, only_draft, pairs in planted(model, draft, case):
        with all_changed(pairs):
            by_prompt = moved()
        seen.append((by_prompt[3] if only_draft else max(by_prompt[:3]), label))
        print(f"  {label}: " + " ".join(f"{x:.1e}" for x in by_prompt))
    if draft is not None:
        rows = draft_run(model, draft, prompts[1], following, 0, first_position=1)[0]
        print(f"  mtp positions shifted by one: {((rows - before[3]).abs().max() / largest).item():.1e} (harmless)")
    print(f"  {len(seen)} planted errors; seen least: {min(seen)[1]} {min(seen)[0]:.1e}", flush=True)
    if felt[0][0] < FELT or min(seen)[0] < SEEN:
        raise SystemExit(f"{case.name}: {felt[0]} or {min(seen)} is too little")
