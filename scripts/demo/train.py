#!/usr/bin/env python3
"""Trains the demo model on packed rows of generate.py.

    train.py WORK --minutes 20 [--stop-after 500]     on a GPU: the schedule follows the time spent in steps
    train.py WORK --minutes 90 --batch 2 --bf16 --compile             on a CPU, 2,000 tokens a second and core
    train.py WORK --case tiny --steps 200 --length 256 --batch 4      a trial on a CPU

WORK holds tokenizer.json, train-*.bin (u16 rows of 4,096 ids; files that appear later are used too) and held.bin; it
gets state.pt (weights, moments and progress in float32, every minute and at the end), log.jsonl, and `model/`, a
Hugging Face folder in bf16 in parts below 15 MiB. A run goes on from state.pt if there is one; --stop-after ends it
early. Where only `model/` was kept (state.pt is 180 MB), --from MODEL starts from those weights with fresh moments
and its progress.

Muon turns the matrices of the layers, AdamW the rest; the rate rises over the first 1%, stays, and falls linearly
over the last 45%. --mode: eager, or graph (one step is recorded as a CUDA graph and replayed: the loop over the
chunks of the delta rule is thousands of small kernels that the host cannot feed one by one); probe measures both and
keeps the faster.
"""

import argparse
import dataclasses
import json
import math
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import model as demo
import numpy as np
import template
import torch
from golden_checkpoint import KEPT_F32, released_config, save_shard
from safetensors.torch import load_file
from tokenizers import Tokenizer

ROW = 4096


class Muon(torch.optim.Optimizer):
    """Momentum whose step is made orthogonal by Newton-Schulz, matrices of one shape at a time."""

    def __init__(self, params, lr, half, momentum=0.95, decay=0.01):
        self.half = half  # products in bf16
        super().__init__(params, dict(lr=lr, momentum=momentum, decay=decay))

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            shapes = {}
            for p in group["params"]:
                shapes.setdefault(p.shape[-2:], []).append(p)
            for shape, params in shapes.items():
                updates = []
                for p in params:
                    m = self.state[p].setdefault("m", torch.zeros_like(p))
                    m.lerp_(p.grad, 1 - group["momentum"])
                    updates.append(p.grad.lerp(m, group["momentum"]).reshape(-1, *shape))
                turned = self.orthogonal(torch.cat(updates), self.half) * max(1, shape[0] / shape[1]) ** 0.5
                at = 0
                for p, update in zip(params, updates):
                    p.mul_(1 - group["lr"] * group["decay"])
                    p.add_(turned[at : at + len(update)].reshape(p.shape).to(p.dtype), alpha=-group["lr"])
                    at += len(update)

    @staticmethod
    def orthogonal(x, half):
        """Towards the nearest orthogonal matrix: five steps of the quintic iteration with Jordan's coefficients."""
        x = x.bfloat16() if half else x.clone()
        tall = x.shape[-2] > x.shape[-1]
        x = x.mT if tall else x
        x = x / (x.float().norm(dim=(-2, -1), keepdim=True) + 1e-7).to(x.dtype)
        for _ in range(5):
            a = x @ x.mT
            x = 3.4445 * x + (-4.7750 * a + 2.0315 * (a @ a)) @ x
        return x.mT if tall else x


def optimizers(trainee, o):
    """Muon for the matrices of the layers, AdamW without decay for embedding, norms, taps, decays and small gates."""
    small = ("conv1d.weight", "gate.weight", "in_proj_ba.weight")
    named = [(n, p) for n, p in trainee.named_parameters()]
    matrices = [p for n, p in named if p.ndim > 1 and "embed" not in n and "lm_head" not in n and not n.endswith(small)]
    chosen = set(map(id, matrices))
    rest = [p for _, p in named if id(p) not in chosen]
    fused = next(trainee.parameters()).is_cuda
    return [
        Muon(matrices, o.rate, half=o.bf16),
        torch.optim.AdamW(rest, lr=o.rate_small, betas=(0.9, 0.95), weight_decay=0.0, fused=fused),
    ]


def rate(progress, warm=0.01, fall=0.45):
    return min(1, (progress + 1e-3) / warm, max(0.0, (1 - progress) / fall))


class Rows:
    """Endless batches: the files in turn, each in random order; files that appear later are found."""

    def __init__(self, work, o):
        self.work, self.o = work, o

    def __iter__(self):
        turn = self.o.skip_files
        while True:
            files = sorted(self.work.glob("train-*.bin"))
            if not files:
                raise SystemExit(f"{self.work}: no train-*.bin; make it with generate.py pack")
            ids = np.memmap(files[turn % len(files)], np.uint16, "r").reshape(-1, ROW)
            per = ROW // self.o.length
            order = np.random.Generator(np.random.PCG64([self.o.seed, turn])).permutation(len(ids) * per)
            for at in range(0, len(order) - self.o.batch + 1, self.o.batch):
                chosen = np.sort(order[at : at + self.o.batch])
                yield np.stack([ids[i // per, i % per * self.o.length :][: self.o.length] for i in chosen]).astype(
                    np.int64
                )
            turn += 1


class Stepper:
    """One step's forward and backward, eager or as a recorded graph. Returns a tensor (loss, draft, balance)."""

    def __init__(self, trainee, device, o, mode):
        self.trainee, self.device, self.graph = trainee, device, None
        self.ids = torch.zeros(o.batch, o.length, dtype=torch.int64, device=device)
        self.half = o.bf16
        if mode == "graph":
            self.record()

    def once(self):
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.half, cache_enabled=False):
            loss, draft, balance = self.trainee.losses(self.ids)
            (loss + demo.DRAFT_WEIGHT * draft + demo.AUX * balance).backward()
        return torch.stack([loss.detach(), draft.detach(), balance.detach()])

    def record(self):
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(2):
                self.once()
        torch.cuda.current_stream().wait_stream(side)
        self.trainee.zero_grad(set_to_none=False)
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph):
            self.out = self.once()
        self.trainee.zero_grad(set_to_none=False)

    def __call__(self, ids):
        source = torch.from_numpy(ids)
        self.ids.copy_(source.pin_memory() if self.ids.is_cuda else source, non_blocking=True)
        self.trainee.zero_grad(set_to_none=False)
        if self.graph is None:
            return self.once()
        self.graph.replay()
        return self.out.clone()


def probe(trainee, device, o, rows):
    """The faster mode; a graph that cannot be recorded is no error."""
    best, chosen = 0.0, "eager"
    for mode in ("eager", "graph"):
        try:
            stepper = Stepper(trainee, device, o, mode)
            for i in range(7):
                if i == 2:
                    torch.cuda.synchronize()
                    start = time.time()
                stepper(next(rows))
            torch.cuda.synchronize()
            speed = 5 * o.batch * o.length / (time.time() - start)
            print(
                f"probe {mode}: {speed:,.0f} tokens/s, {torch.cuda.max_memory_allocated() / 2**30:.0f} GiB", flush=True
            )
            if speed > best:
                best, chosen = speed, mode
        except RuntimeError as error:
            print(f"probe {mode}: {str(error).splitlines()[0]}", flush=True)
        stepper = None
        torch.cuda.empty_cache()
    return chosen


@torch.no_grad()
def held_loss(trainee, device, work, o, batches):
    """Mean losses (next token, draft) on held-out rows."""
    ids = np.memmap(work / "held.bin", np.uint16, "r").reshape(-1, ROW)[:, : o.length]
    sums, count = torch.zeros(2, dtype=torch.float64), 0
    for at in range(0, min(len(ids), batches * o.batch) - o.batch + 1, o.batch):
        batch = torch.from_numpy(ids[at : at + o.batch].astype(np.int64)).to(device)
        with torch.autocast(device.type, torch.bfloat16, enabled=o.bf16):
            loss, draft, _ = trainee.losses(batch)
        sums += torch.tensor([loss.item(), draft.item()], dtype=torch.float64)
        count += 1
    return (sums / max(count, 1)).tolist()


def save_folder(folder, trainee, progress):
    """A Hugging Face folder in bf16 whose parts are below 15 MiB, so that they travel singly."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("model-*.safetensors"):
        old.unlink()
    named, parts, size = demo.tensors(trainee), [{}], 0
    for name, value in named.items():
        value = value if name.endswith(KEPT_F32) else value.bfloat16()
        if size + value.numel() * value.element_size() > 15 * 2**20 - 65536:
            parts.append({})
            size = 0
        parts[-1][name] = value
        size += value.numel() * value.element_size()
    weight_map = {}
    for i, part in enumerate(parts):
        file = f"model-{i + 1:05d}-of-{len(parts):05d}.safetensors"
        save_shard(part, folder / file)
        weight_map.update({name: file for name in part})
    (folder / "model.safetensors.index.json").write_text(
        json.dumps({"metadata": {}, "weight_map": weight_map}, indent=1) + "\n"
    )
    config = released_config(trainee.case, trainee.model.config.to_dict()) | {"dtype": "bfloat16"}
    (folder / "config.json").write_text(json.dumps(config, indent=1, sort_keys=True, default=str) + "\n")
    (folder / "training.json").write_text(
        json.dumps({"case": dataclasses.asdict(trainee.case), **progress}, indent=1) + "\n"
    )


def load_folder(folder):
    """(case, tensors by name in float32, progress) of a folder that save_folder() wrote."""
    about = json.loads((folder / "training.json").read_text())
    named = {}
    for file in sorted(folder.glob("model-*.safetensors")):
        named.update({n: p.float() for n, p in load_file(file).items()})
    return demo.Case(**about.pop("case")), named, about


def save_state(path, trainee, opts, progress):
    new = path.with_suffix(".new")
    torch.save({"model": trainee.state_dict(), "opts": [opt.state_dict() for opt in opts], "progress": progress}, new)
    new.replace(path)


def options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path)
    parser.add_argument("--case", choices=list(demo.CASES), default="demo")
    length = parser.add_mutually_exclusive_group(required=True)
    length.add_argument("--minutes", type=float, help="time spent in steps, all runs together")
    length.add_argument("--steps", type=int)
    parser.add_argument("--stop-after", type=float, default=math.inf, help="seconds of this run")
    parser.add_argument("--from", dest="start", type=Path, help="folder of weights to start from")
    parser.add_argument("--batch", type=int, default=16, help="rows a step")
    parser.add_argument("--length", type=int, default=ROW)
    parser.add_argument("--rate", type=float, default=0.02, help="of Muon")
    parser.add_argument("--rate-small", type=float, default=0.004, help="of AdamW")
    parser.add_argument("--clip", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--skip-files", type=int, default=0)
    parser.add_argument("--mode", choices=["eager", "graph", "probe"], default="eager")
    parser.add_argument("--bf16", action="store_true", help="on a CPU: products in bf16, if it has instructions for them")
    parser.add_argument("--compile", action="store_true", help="torch.compile for what is done element by element")
    parser.add_argument("--report-every", type=int, default=100)
    return parser.parse_args()


def main():
    o = options()
    began = time.time()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    o.bf16 = o.bf16 or device.type == "cuda"
    if o.compile:
        demo.compile_parts()
    end = Tokenizer.from_file(str(o.work / "tokenizer.json")).token_to_id(template.END)
    trainee = demo.Trainee(demo.CASES[o.case], end).to(device)
    opts = optimizers(trainee, o)
    progress = {"step": 0, "seconds": 0.0, "tokens": 0, "losses": []}
    state = o.work / "state.pt"
    if state.exists():
        saved = torch.load(state, map_location=device, weights_only=True)
        trainee.load_state_dict(saved["model"])
        for opt, moments in zip(opts, saved["opts"]):
            opt.load_state_dict(moments)
        progress = saved["progress"]
        print(f"going on from {state} at step {progress['step']}", flush=True)
    elif o.start:
        _, named, progress = load_folder(o.start)
        demo.load_tensors(trainee, named)
        print(f"starting from {o.start} at step {progress['step']}, moments fresh", flush=True)
    parameters, size = demo.size(trainee.case)
    print(f"{trainee.case.name}: {parameters:,} parameters, {size:,} bytes of tensors, on {device}", flush=True)
    o.skip_files += progress["step"] * o.batch * o.length // (32768 * ROW)
    o.seed += progress["step"]
    rows = iter(Rows(o.work, o))
    mode = (
        probe(trainee, device, o, rows)
        if o.mode == "probe" and device.type == "cuda"
        else o.mode.replace("probe", "eager")
    )
    stepper = Stepper(trainee, device, o, mode)
    bases = [o.rate, o.rate_small]
    done = lambda: progress["step"] / o.steps if o.steps else progress["seconds"] / (60 * o.minutes)
    log = open(o.work / "log.jsonl", "a")
    last_save = mark = time.time()
    window, kept = torch.zeros(3, device=device), 0
    resumed = progress["step"]
    while done() < 1 and time.time() - began < o.stop_after:
        share = rate(done())
        if progress["step"] - resumed < 50 and resumed and not state.exists():
            share *= (progress["step"] - resumed + 1) / 50  # fresh moments: no step before they know the scale
        for opt, base in zip(opts, bases):
            opt.param_groups[0]["lr"] = base * share
        window += stepper(next(rows))
        torch.nn.utils.clip_grad_norm_(trainee.parameters(), o.clip)
        for opt in opts:
            opt.step()
        kept += 1
        progress["step"] += 1
        progress["tokens"] += o.batch * o.length
        if kept == o.report_every or progress["step"] % 20 == 0:
            if device.type == "cuda":
                torch.cuda.synchronize()
            now = time.time()
            progress["seconds"] += now - mark
            mark = now
        if kept == o.report_every:
            loss, draft, balance = (window / kept).tolist()
            if not math.isfinite(loss):
                raise SystemExit(f"step {progress['step']}: the loss is {loss}")
            line = {
                "step": progress["step"],
                "loss": round(loss, 4),
                "draft": round(draft, 4),
                "balance": round(balance, 3),
                "seconds": round(progress["seconds"], 1),
                "tokens": progress["tokens"],
                "rate": round(share, 3),
            }
            line["tokens_per_second"] = round(progress["tokens"] / max(progress["seconds"], 1e-9))
            print(json.dumps(line), flush=True)
            print(json.dumps(line), file=log, flush=True)
            progress["losses"].append([progress["step"], line["loss"], line["draft"]])
            window.zero_()
            kept = 0
        if time.time() - last_save > 60:
            progress["seconds"] += time.time() - mark
            save_state(state, trainee, opts, progress)
            last_save = mark = time.time()
    finished = done() >= 1
    save_state(state, trainee, opts, progress)
    progress["held_out"] = held_loss(trainee, device, o.work, o, 8)
    save_folder(o.work / "model", trainee, progress)
    print(
        f"{'finished' if finished else 'stopped'} at step {progress['step']}, {progress['tokens']:,} tokens, held-out"
        f" loss {progress['held_out'][0]:.4f}, draft {progress['held_out'][1]:.4f}",
        flush=True,
    )
    if finished:
        (o.work / "trained").touch()


if __name__ == "__main__":
    main()
