#!/usr/bin/env python3
"""Makes tests/data/sample/vectors.json: what each stage of sampling, and chains of them, leave.

usage: make_sampler_vectors.py [FILE]

Plain Python, straight from the formulas, with no regard to speed and no code in common with Braid:
DRY tries every length at every place, breakers are looked for in the joined text. The result is the
same on every run. Also in the file: bytes and what Python decodes them to with errors="replace".

A case has `samplers` (names, in order), `options` (those that are not off), `logits`, `history`, and
`expected`: [id, probability] of the tokens that are left, by id. Logits are multiples of 1/64, so
that a float holds them; "-inf" is a banned token. Options are what a float makes of them.
"""

import argparse
import json
import math
import random
import struct
from pathlib import Path

RANDOM = random.Random(20260412)
TOKENS = [chr(97 + i) for i in range(20)] + ["\n", ": ", "a\nb", "x:", "<", "br", ">", "br>", "<br", "*"]
OFF = {
    "temperature": 1, "top_k": 0, "top_p": 1, "min_p": 0, "typical_p": 1, "top_n_sigma": 0, "min_keep": 0,
    "xtc_probability": 0, "xtc_threshold": 0.1, "repeat_last_n": 64, "repeat_penalty": 1,
    "frequency_penalty": 0, "presence_penalty": 0, "dry_multiplier": 0, "dry_base": 1.75,
    "dry_allowed_length": 2, "dry_penalty_last_n": -1, "dry_sequence_breakers": ["\n", ":"],
    "adaptive_target": -1,
}  # fmt: skip


def f32(value):
    return struct.unpack("f", struct.pack("f", value))[0]


def softmax(logits):
    top = max(logits.values())
    weights = {t: math.exp(l - top) for t, l in logits.items()}
    total = math.fsum(weights.values())
    return {t: w / total for t, w in weights.items()}


def most_likely_first(logits):
    return sorted(logits, key=lambda t: (-logits[t], t))


def penalties(logits, o, history):
    n = o["repeat_last_n"]
    window = history if n < 0 else history[len(history) - min(n, len(history)):]
    changed = {}
    for t, l in logits.items():
        count = window.count(t)
        if count:
            l = l / o["repeat_penalty"] if l > 0 else l * o["repeat_penalty"]
            l -= count * o["frequency_penalty"] + o["presence_penalty"]
        changed[t] = l
    return changed


def since_breaker(history, breakers):
    """Tokens behind the last one in which a breaker ends, in the joined text."""
    for n in range(len(history)):
        before = "".join(TOKENS[t] for t in history[:len(history) - n - 1])
        last = TOKENS[history[len(history) - n - 1]]
        for breaker in breakers:
            text = before + last
            if any(text[:end].endswith(breaker) for end in range(len(before) + 1, len(text) + 1)):
                return n
    return len(history)


def dry(logits, o, history):
    limit = since_breaker(history, o["dry_sequence_breakers"])
    n = o["dry_penalty_last_n"]
    window = history if n < 0 else history[len(history) - min(n, len(history)):]
    allowed = o["dry_allowed_length"]
    changed = {}
    for t, l in logits.items():
        longest = -1
        for length in range(allowed, min(limit, len(window) - 1) + 1):
            tail = window[len(window) - length:] + [t]
            places = range(len(window) - length)
            if any(window[i:i + length + 1] == tail for i in places):
                longest = length
        if longest >= 0 and not any(b in TOKENS[t] for b in o["dry_sequence_breakers"]):
            l -= o["dry_multiplier"] * o["dry_base"] ** (longest - allowed)
        changed[t] = l
    return changed


def top_n_sigma(logits, o, _):
    if o["top_n_sigma"] <= 0 or len(logits) < 4:
        return logits
    mean = math.fsum(logits.values()) / len(logits)
    sigma = math.sqrt(math.fsum((l - mean) ** 2 for l in logits.values()) / len(logits))
    least = max(logits.values()) - o["top_n_sigma"] * sigma
    return {t: l for t, l in logits.items() if l >= least}


def top_k(logits, o, _):
    k = o["top_k"]
    kept = most_likely_first(logits)[:max(k, o["min_keep"])] if k > 0 else logits
    return {t: logits[t] for t in kept}


def first_to(order, p, logits, enough, min_keep):
    total, kept = 0.0, {}
    for t in order:
        kept[t] = logits[t]
        total += p[t]
        if enough(total) and len(kept) >= min_keep:
            break
    return kept


def top_p(logits, o, _):
    if o["top_p"] >= 1:
        return logits
    enough = lambda total: total >= o["top_p"]  # noqa: E731
    return first_to(most_likely_first(logits), softmax(logits), logits, enough, o["min_keep"])


def typical_p(logits, o, _):
    if o["typical_p"] >= 1:
        return logits
    p = softmax(logits)
    entropy = -math.fsum(q * math.log(q) for q in p.values())
    order = sorted(logits, key=lambda t: (abs(-math.log(p[t]) - entropy), t))
    return first_to(order, p, logits, lambda total: total > o["typical_p"], o["min_keep"])


def min_p(logits, o, _):
    p = softmax(logits)
    least = o["min_p"] * max(p.values())
    order = most_likely_first(logits)
    return {t: logits[t] for n, t in enumerate(order) if p[t] >= least or n < o["min_keep"]}


def xtc(logits, o, _):
    """With a probability of 0 or 1 nothing is left to chance."""
    p = softmax(logits)
    top = [t for t in most_likely_first(logits) if p[t] >= o["xtc_threshold"]]
    if o["xtc_probability"] == 0 or not top or len(logits) - len(top) + 1 < o["min_keep"]:
        return logits
    return {t: l for t, l in logits.items() if t not in top[:-1]}


def temperature(logits, o, _):
    return {t: l / o["temperature"] for t, l in logits.items()}


def adaptive_p(logits, o, _):
    """Of the first token, when the target is as it was asked for."""
    if o["adaptive_target"] < 0:
        return logits
    changed = {}
    for t, p in softmax(logits).items():
        d = abs(p - o["adaptive_target"]) / 0.3
        changed[t] = 5 - 10 * d * d / (1 + d)
    return changed


STAGES = {f.__name__: f for f in (penalties, dry, top_n_sigma, top_k, typical_p, top_p, min_p, xtc, temperature,
                                  adaptive_p)}  # fmt: skip


def random_logits(spread):
    logits = [round(RANDOM.gauss(0, spread) * 64) / 64 for _ in TOKENS]
    for _ in range(RANDOM.randrange(3)):
        logits[RANDOM.randrange(len(logits))] = RANDOM.choice(logits)  # equal ones
    if RANDOM.random() < 0.3:
        logits[RANDOM.randrange(len(logits))] = -math.inf
    return logits


def random_history():
    """With repeats, and breakers now and then."""
    length = RANDOM.randrange(40)
    history = [RANDOM.randrange(4) for _ in range(length)]
    for _ in range(RANDOM.randrange(3)):
        if length:
            history[RANDOM.randrange(length)] = RANDOM.randrange(len(TOKENS))
    return history


def options_of(stage):
    """Options that switch one stage on."""
    pick = lambda *values: RANDOM.choice(values)  # noqa: E731
    keep = {"min_keep": pick(0, 0, 1, 3, 12)}
    return {
        "penalties": lambda: {"repeat_last_n": pick(-1, 1, 4, 10, 64), "repeat_penalty": pick(1, 1.1, 1.5, 0.8),
                              "frequency_penalty": pick(0, 0.25, -0.5), "presence_penalty": pick(0, 0.75)},
        "dry": lambda: {"dry_multiplier": pick(0.8, 2), "dry_base": pick(1, 1.75), "dry_allowed_length": pick(0, 1, 2, 3),
                        "dry_penalty_last_n": pick(-1, -1, 5, 20),
                        "dry_sequence_breakers": pick([], ["\n", ":"], ["<br>"], ["b", "a\n"], ["*"])},
        "top_n_sigma": lambda: {"top_n_sigma": pick(0.3, 1, 1.5, 2)},
        "top_k": lambda: {"top_k": pick(1, 2, 5, 29, 100), **keep},
        "typical_p": lambda: {"typical_p": pick(0, 0.2, 0.5, 0.9), **keep},
        "top_p": lambda: {"top_p": pick(0, 0.3, 0.8, 0.95), **keep},
        "min_p": lambda: {"min_p": pick(0.02, 0.1, 0.4, 1), **keep},
        "xtc": lambda: {"xtc_probability": pick(0, 1, 1), "xtc_threshold": pick(0, 0.02, 0.1, 0.4), **keep},
        "temperature": lambda: {"temperature": pick(0.25, 0.7, 1.3, 5)},
        "adaptive_p": lambda: {"adaptive_target": pick(0, 0.1, 0.4, 1)},
    }[stage]()  # fmt: skip


def make_case(samplers):
    chosen = {}
    for stage in samplers:
        chosen |= options_of(stage)
    if "adaptive_p" in samplers and "min_p" not in samplers:
        samplers = ["min_p"] + samplers
        chosen["min_p"] = 0.02
    chosen = {k: f32(v) if isinstance(v, float) else v for k, v in chosen.items()}
    logits, history = random_logits(RANDOM.choice([0.5, 2, 4])), random_history()
    left = {t: l for t, l in enumerate(logits) if l > -math.inf}
    for stage in samplers:
        left = STAGES[stage](left, OFF | chosen, history)
    p = softmax(left)
    return {
        "samplers": ";".join(samplers), "options": chosen, "history": history,
        "logits": ["-inf" if l == -math.inf else l for l in logits],
        "expected": [[t, float(f"{p[t]:.9g}")] for t in sorted(p)],
    }  # fmt: skip


def make_bytes():
    pieces = [b"a", b"\x80", b"\xbf", b"\xc2", b"\xc0", b"\xe2\x82", b"\xe2\x82\xac", b"\xed\xa0\x80", b"\xf0\x9f\x98",
              b"\xf0\x9f\x98\x80", b"\xf4\x90", b"\xf5", b"\xff", b"\xe0\x80", b"\xf0\x80", b"\xc3\xa4"]  # fmt: skip
    text = b"".join(RANDOM.choice(pieces) for _ in range(RANDOM.randrange(12)))
    return {"bytes": text.hex(), "text": text.decode("utf-8", errors="replace")}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = Path(__file__).resolve().parent.parent / "tests/data/sample/vectors.json"
    parser.add_argument("file", nargs="?", type=Path, default=default)
    path = parser.parse_args().file
    cases = [make_case([stage]) for stage in STAGES for _ in range(16 if stage != "dry" else 60)]
    for _ in range(60):
        free = [stage for stage in STAGES if stage != "adaptive_p"]
        order = RANDOM.sample(free, RANDOM.randrange(2, len(free) + 1))
        cases.append(make_case(order + (["adaptive_p"] if RANDOM.random() < 0.3 else [])))
    lines = [json.dumps(case, separators=(",", ":")) for case in cases]
    decodes = [json.dumps(make_bytes()) for _ in range(150)]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text('{"tokens":%s,\n"cases":[\n%s],\n"decodes":[\n%s]}\n'
                    % (json.dumps(TOKENS), ",\n".join(lines), ",\n".join(decodes)))  # fmt: skip


if __name__ == "__main__":
    main()
