#!/usr/bin/env python3
"""Measures the demo model and writes report.json and answers.md.

    evaluate.py WORK [--out FOLDER] [--count 200] [--prompts-only] [--braid build/braid demo.gguf]

Held-out loss (all, and by kind of document), draft acceptance (the draft layer's best guess at the token after next
equals the model's own choice: on held-out text, and on text that the model wrote), recall by distance, exact answers
to facts asked in ways that training never had, sums that it never had, tool calls that parse and are right, </think>
closed, and the first answers to prompts.jsonl at temperature 0 and at 0.7 with a fixed seed, unedited.

Weights are those of WORK/model, rounded to bf16 as stored, computed in float32 on a CPU and under bf16 autocast on a
GPU. There is no cache: every new token is a whole forward of a batch, which is simple and, on a GPU, quick enough.
On a CPU --braid lets Braid write, hundreds of times as fast; losses and draft acceptance stay those of PyTorch.
"""

import argparse
import json
import re
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]
import facts
import generate
import model as demo
import numpy as np
import recall
import template
import tools_text
import torch
import turns
from language import Dice, held_out
from tokenizers import Tokenizer
from train import load_folder

CALL = re.compile(
    r"<tool_call>\n<function=([^>\n]+)>\n((?:<parameter=[^>\n]+>\n.*?\n</parameter>\n)*)</function>\n</tool_call>",
    re.DOTALL,
)
PARAMETER = re.compile(r"<parameter=([^>\n]+)>\n(.*?)\n</parameter>\n", re.DOTALL)


class Writer:
    """The model with its tokenizer: text in, text out."""

    def __init__(self, work, device):
        case, named, self.progress = load_folder(work / "model")
        self.tokenizer = Tokenizer.from_file(str(work / "tokenizer.json"))
        self.end = self.tokenizer.token_to_id(template.END)
        self.stops = {self.end, self.tokenizer.token_to_id(template.STOP)}
        self.trainee = demo.Trainee(case, self.end)
        demo.load_tensors(self.trainee, named)
        self.trainee.to(device).eval()
        self.device = device

    def ids(self, text):
        return self.tokenizer.encode(text, add_special_tokens=False).ids

    def auto(self):
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda")

    def write(self, texts, most, temperature=0.0, seed=0, batch=16):
        """The continuations, without what ends them."""
        return [
            self.tokenizer.decode(ids, skip_special_tokens=False)
            for ids in self.write_ids(texts, most, temperature, seed, batch)
        ]

    @torch.no_grad()
    def write_ids(self, texts, most, temperature=0.0, seed=0, batch=16):
        out = []
        for at in range(0, len(texts), batch):
            rows = [self.ids(text) for text in texts[at : at + batch]]
            begins, done = [len(r) for r in rows], [False] * len(rows)
            dice = torch.Generator().manual_seed(seed)
            for _ in range(most):
                longest = -(-max(map(len, rows)) // demo.CHUNK) * demo.CHUNK
                ids = torch.tensor([r + [self.end] * (longest - len(r)) for r in rows], device=self.device)
                with self.auto():
                    hidden = self.trainee.trunk(ids)[0]
                    last = hidden[torch.arange(len(rows)), torch.tensor([len(r) - 1 for r in rows])]
                    logits = self.trainee.head(last).float().cpu()
                chosen = (
                    logits.argmax(-1)
                    if temperature == 0
                    else torch.multinomial((logits / temperature).softmax(-1), 1, generator=dice)[:, 0]
                )
                for i, token in enumerate(chosen.tolist()):
                    if not done[i]:
                        done[i] = token in self.stops
                        if not done[i]:
                            rows[i].append(token)
                if all(done):
                    break
            out += [r[b:] for r, b in zip(rows, begins)]
        return out

    @torch.no_grad()
    def agreement(self, rows):
        """(how often draft and model agree, tokens): the draft at p against the model's choice at p+1."""
        agree = count = 0
        for row in rows:
            ids = torch.tensor([row], device=self.device)
            with self.auto():
                hidden, rotary, bias, doc, _ = self.trainee.trunk(ids)
                drafted, _ = self.trainee.drafted(ids, hidden, rotary, bias, doc)
                choice, guess = self.trainee.head(hidden)[0].argmax(-1), self.trainee.head(drafted)[0].argmax(-1)
            inside = (ids[0, :-2] != self.end) & (ids[0, 1:-1] != self.end)
            agree += ((guess[:-2] == choice[1:-1]) & inside).sum().item()
            count += inside.sum().item()
        return round(agree / max(count, 1), 4), count


class BraidWriter(Writer):
    """The same, written by `braid run` from a GGUF file: it keeps its state, so a token costs a token."""

    def __init__(self, work, device, program, file):
        super().__init__(work, device)
        self.command = [program, "run", "-m", file, "--json", "-t", "1", "-c", "4096", "--top-k", "0", "--top-p", "1"]
        self.command += ["--min-p", "0", "-f", "-"]

    def write_ids(self, texts, most, temperature=0.0, seed=0, batch=16):
        how = ["-n", str(most), "--temp", str(temperature), "--seed", str(seed)]
        out = []
        for text in texts:
            done = subprocess.run(self.command + how, input=text.encode(), capture_output=True, check=False)
            if done.returncode:
                raise SystemExit(done.stderr.decode(errors="replace").strip())
            out.append(json.loads(done.stdout)["tokens"])
        return out


def opened(user, tools=(), thinking=True):
    return template.render([{"role": "user", "content": user}], tools, open_answer=True, thinking=thinking)


def answer_of(text):
    return text.rpartition("</think>")[2].strip()


def words_in(short, answer):
    return re.search(rf"(?<!\w){re.escape(short.lower())}(?!\w)", answer.lower()) is not None


def held_losses(w, work, count):
    """Mean loss a token: of the packed held-out rows, and of single documents of each kind."""
    out = {}
    ids = np.memmap(work / "held.bin", np.uint16, "r").reshape(-1, 4096)[:count]
    with torch.no_grad():
        pairs = []
        for row in ids:
            with w.auto():
                loss, draft, _ = w.trainee.losses(torch.from_numpy(row[None].astype(np.int64)).to(w.device))
            pairs.append((loss.item(), draft.item()))
        out["all"], out["draft"] = (round(float(x), 4) for x in np.mean(pairs, 0))
        for kind in generate.KINDS:
            total = tokens = 0
            for _, number in zip(range(max(4, count // 4)), generate.numbers(1 << 38, True)):
                row = (w.ids(generate.document(1, number, kind)[1]) + [w.end])[:4096]
                with w.auto():
                    loss = w.trainee.losses(torch.tensor([row], device=w.device))[0].item()
                total, tokens = total + loss * (len(row) - 1), tokens + len(row) - 1
            out[kind] = round(total / tokens, 4)
    return out


def exact(w, cases, most=60, tools=()):
    """Share of [(user, wanted)] whose answer holds the wanted word."""
    texts = w.write([opened(user, tools) for user, _ in cases], most)
    right = [words_in(wanted, answer_of(text)) for (_, wanted), text in zip(cases, texts)]
    return {
        "right": sum(right),
        "of": len(cases),
        "wrong": [{"asked": u, "wanted": x, "said": t} for (u, x), t, ok in zip(cases, texts, right) if not ok][:5],
    }


def fact_cases(d, count, unseen):
    out = []
    while len(out) < count:
        f = d.pick(facts.FACTS)
        ask = turns.ask_fact(d, f, unseen)
        if ask:
            out.append((d.say(ask), f.short))
    return out


def sum_cases(d, count):
    out = []
    while len(out) < count:
        kind, a, b = d.pick("+-*"), d.number(0, 100), d.number(0, 100)
        if kind == "*":
            a, b = d.number(1, 12), d.number(1, 12)
        if kind == "-" and b > a:
            a, b = b, a
        if held_out("sum", kind, a, b):
            user = turns.sum_with(d, kind, a, b)[0]
            out.append((user, str(turns.steps(kind, a, b)[1])))
    return out


def recall_by_distance(w, count):
    """{tokens between planting and question: share right}."""
    out = {}
    for target in (128, 256, 512, 1024, 2048, 3072):
        texts, wanted = [], []
        n = 0
        while len(texts) < count and n < 50 * count:
            d = Dice("recall", target, n)
            n += 1
            messages, value = recall.recall_chat(d, target * (1 + n % 4))
            start = next(i for i, m in enumerate(messages) if value.lower() in m["content"].lower())
            # The last question that asks for this value; whatever follows it is cut off.
            asked = max(
                i for i, m in enumerate(messages) if m["role"] == "assistant" and value.lower() in m["content"].lower()
            )
            text = template.render(messages[:asked], open_answer=True)
            distance = len(w.ids(template.render(messages[start:asked])))
            if asked > start + 1 and abs(distance - target) < target // 4 and len(w.ids(text)) < 4030:
                texts.append(text)
                wanted.append(value)
        said = w.write(texts, 48, batch=8)
        out[target] = {"right": sum(words_in(v, answer_of(s)) for v, s in zip(wanted, said)), "of": len(texts)}
    return out


def parse_calls(text):
    """[(function, {parameter: value})] of an answer; None when something of a call does not parse."""
    calls = [(name, dict(PARAMETER.findall(body))) for name, body in CALL.findall(text)]
    return calls if text.count("<tool_call>") == len(calls) == text.count("</tool_call>") else None


def tool_calls(w, count):
    texts, wanted = [], []
    for n in range(count):
        d = Dice("tools", n)
        t, messages = tools_text.call_turn(d)
        texts.append(template.render(messages[:1], tools_text.offer(d, [t]), open_answer=True))
        wanted.append(messages[1]["calls"])
    said = w.write(texts, 120)
    parsed = [parse_calls(s.rpartition("</think>")[2]) for s in said]
    same = lambda got, want: bool(got) and got == [(f, {k: str(v) for k, v in a.items()}) for f, a in want]
    return {
        "parsed": sum(bool(p) for p in parsed),
        "function": sum(bool(p) and p[0][0] == x[0][0] for p, x in zip(parsed, wanted)),
        "right": sum(same(p, x) for p, x in zip(parsed, wanted)),
        "of": count,
    }


def load_prompts():
    out = []
    for line in (HERE / "prompts.jsonl").read_text(encoding="utf-8").splitlines():
        p = json.loads(line)
        p["tools"] = [
            {**t, "parameters": {k: tuple(v) for k, v in t["parameters"].items()}} for t in p.get("tools", [])
        ]
        out.append(p)
    return out


def answers(w, most):
    """Markdown of the first answers, and the ids that were written at temperature 0."""
    prompts = load_prompts()
    texts = [template.render(p["messages"], p["tools"], open_answer=True) for p in prompts]
    cold, warm = w.write_ids(texts, most), w.write(texts, most, 0.7, 1)
    lines = [
        (
            "First answers to `scripts/demo/prompts.jsonl`, unedited; what stands before `</think>` is the model's"
            " thinking."
        ),
        "",
    ]
    for p, c, h in zip(prompts, cold, warm):
        lines += [
            f"## {p['name']}",
            "",
            f"> {p['messages'][-1]['content']}",
            "",
            "Temperature 0:",
            "",
            "```",
            w.tokenizer.decode(c, skip_special_tokens=False),
            "```",
            "",
            "Temperature 0.7, seed 1:",
            "",
            "```",
            h,
            "```",
            "",
        ]
    return "\n".join(lines), [w.ids(t) + c for t, c in zip(texts, cold)], cold


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--count", type=int, default=200, help="cases of each measurement")
    parser.add_argument("--most", type=int, default=400, help="tokens of an answer to a prompt")
    parser.add_argument("--prompts-only", action="store_true")
    parser.add_argument("--braid", nargs=2, metavar=("PROGRAM", "FILE"), help="let `PROGRAM run -m FILE` write")
    o = parser.parse_args()
    out = o.out or o.work
    out.mkdir(parents=True, exist_ok=True)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    w = BraidWriter(o.work, device, *o.braid) if o.braid else Writer(o.work, device)
    report = {"step": w.progress["step"], "tokens": w.progress["tokens"], "parameters": demo.size(w.trainee.case)[0]}

    def note(name, make):
        start = time.time()
        report[name] = make()
        (out / "report.json").write_text(json.dumps(report, indent=1) + "\n")
        short = (
            {k: v for k, v in report[name].items() if k != "wrong"} if isinstance(report[name], dict) else report[name]
        )
        print(f"{name}: {json.dumps(short)} ({time.time() - start:.0f} s)", flush=True)

    markdown, written, cold = answers(w, o.most)
    (out / "answers.md").write_text(markdown, encoding="utf-8")
    closed = sum(w.tokenizer.token_to_id("</think>") in ids for ids in cold)
    note("prompts", lambda: {"closed_think": closed, "of": len(cold)})
    if o.prompts_only:
        return
    held = (
        np.memmap(o.work / "held.bin", np.uint16, "r")
        .reshape(-1, 4096)[: max(2, o.count // 8)]
        .astype(np.int64)
        .tolist()
    )
    note("held_out_loss", lambda: held_losses(w, o.work, max(2, o.count // 8)))
    note("draft_agreement_text", lambda: w.agreement(held))
    note("draft_agreement_written", lambda: w.agreement([row for row in written if len(row) > 3]))
    note("facts_known_words", lambda: exact(w, fact_cases(Dice("known"), o.count, False)))
    note("facts_new_words", lambda: exact(w, fact_cases(Dice("new"), o.count, True)))
    note("sums_never_seen", lambda: exact(w, sum_cases(Dice("sums"), o.count)))
    note("tool_calls", lambda: tool_calls(w, o.count))
    note("recall", lambda: recall_by_distance(w, max(4, o.count // 4)))


if __name__ == "__main__":
    main()
