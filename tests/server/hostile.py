"""What a client may do to a server: bad requests, each with the answers that are right for it.

A shot is a list of steps for one connection and the statuses that may come back; None stands for a
connection that ends without an answer. The same seed gives the same shots.
"""

import json
import random

GOOD = {
    "/v1/completions": {"prompt": "One day", "max_tokens": 4, "temperature": 0},
    "/v1/chat/completions": {"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 4, "temperature": 0},
    "/tokenize": {"content": "One day"},
    "/detokenize": {"tokens": [1, 2, 3]},
    "/apply-template": {"messages": [{"role": "user", "content": "Hello"}]},
    "/infill": {"input_prefix": "a", "input_suffix": "b", "n_predict": 4},
}
# What a body may at most lead to, however its fields are turned; 501 is what Braid does not have, 504 a deadline.
ANY_BODY = {200, 400, 404, 413, 501, 504}
HEAD = {400, 404, 405, 408, 413, 414, 431, 505, None}


class Shot:
    def __init__(self, kind, steps, statuses, half_close=False):
        self.kind, self.steps, self.statuses, self.half_close = kind, steps, statuses, half_close


def post(path, body, headers=""):
    head = f"POST {path} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n{headers}Content-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def noise(r, most):
    return bytes(r.randrange(256) for _ in range(r.randrange(1, most)))


def odd_value(r):
    return r.choice([
        None, True, False, 0, -1, 1, 2**31, 2**63, -2**63, 10**40, 1e308, -0.0, 1e-300, "", "a", "\x00", "\ud800", "é" * 100,
        "<|im_end|>", "x" * 5000, [], [[]], {}, {"a": {"b": []}}, [None], [1, "a", {}], list(range(300)), ["One day"] * 3,
        [[1, 2], [3]], [-1], [2**40], {"role": "user"}, [{"role": "user"}], [{"role": 1, "content": 2}]])


FIELDS = ["prompt", "messages", "max_tokens", "temperature", "top_p", "top_k", "min_p", "n", "stream", "stop", "seed", "logprobs",
          "top_logprobs", "logit_bias", "echo", "suffix", "best_of", "user", "tools", "tool_choice", "response_format",
          "stream_options", "presence_penalty", "repeat_penalty", "reasoning_effort", "timeout", "priority", "model", "content",
          "tokens", "input_prefix", "n_predict", "samplers", "dry_sequence_breakers", "chat_template_kwargs", "no_such_field"]


def turned(r, value, depth=0):
    """The value with something in it replaced, removed or added."""
    if depth > 3 or r.random() < 0.3 or not isinstance(value, (dict, list)) or not value:
        return odd_value(r)
    copy = value.copy()
    key = r.choice(list(copy)) if isinstance(copy, dict) else r.randrange(len(copy))
    if r.random() < 0.2:
        del copy[key]
    else:
        copy[key] = turned(r, copy[key], depth + 1)
    return copy


def bounded(body):
    """Work stays short: what is tested is the request, not how long an answer may become."""
    if isinstance(body, dict):
        for name in ("max_tokens", "n_predict", "max_completion_tokens"):
            if isinstance(body.get(name), (int, float)) and not 0 <= body[name] <= 16:
                body["timeout"] = 1
        if body.get("max_tokens", 0) is None or not {"max_tokens", "n_predict"} & body.keys():
            body["timeout"] = 1
    return body


def turned_body(r):
    path = r.choice(list(GOOD))
    body = dict(GOOD[path])
    for _ in range(r.randrange(1, 4)):
        if r.random() < 0.5:
            body[r.choice(FIELDS)] = odd_value(r)
        else:
            body = turned(r, body)
        if not isinstance(body, dict):
            break
    return Shot("turned body", [post(path, json.dumps(bounded(body)).encode())], ANY_BODY)


RIGHT = {"temperature": [0, 0.7, 2], "top_p": [0.1, 1], "top_k": [0, 1, 40], "min_p": [0, 0.5], "seed": [0, 7], "stop": ["e", ["e", "xyz"]],
         "stream": [True, False], "n": [1, 3], "presence_penalty": [-2, 1.5], "frequency_penalty": [0.5], "repeat_penalty": [1.2],
         "logit_bias": [{"5": -100}, {}], "user": ["me"], "max_tokens": [1, 16], "ignore_eos": [True]}


def unusual_but_right(r):
    path = r.choice(["/v1/completions", "/v1/chat/completions"])
    body = dict(GOOD[path])
    for field in r.sample(sorted(RIGHT), r.randrange(1, 6)):
        body[field] = r.choice(RIGHT[field])
    return Shot("right", [post(path, json.dumps(body).encode())], {200})


def broken_json(r):
    path = r.choice(list(GOOD))
    text = json.dumps(GOOD[path]).encode()
    at = r.randrange(len(text))
    broken = r.choice([
        text[:at], text + b"}", b"[" * 100000, b'{"a":' * 5000, text[:at] + b"\xff" + text[at:], b"", b"null", b"[1,2", b'"', b"{'prompt': 1}",
        text[:-1] + b',"prompt":1,"prompt":2}', text.replace(b":", b"="), b"\xef\xbb\xbf" + text[:at], b'{"prompt": NaN}', b'{"prompt": 1e999}',
        noise(r, 400)])
    return Shot("broken JSON", [post(path, broken)], {400})


def broken_head(r):
    good = bytearray(post("/v1/completions", json.dumps(GOOD["/v1/completions"]).encode()))
    for _ in range(r.randrange(1, 6)):
        good[r.randrange(good.index(b"\r\n\r\n"))] = r.randrange(256)
    # Almost anything may come of it: another path, a length that never arrives, even a good request.
    return Shot("broken head", [bytes(good)], HEAD | ANY_BODY | {401, 403}, half_close=True)


def garbage(r):
    return Shot("garbage", [r.choice([noise(r, 2000), b"\r\n" * 50, b"\x16\x03\x01" + noise(r, 300), b"GET\n\n", b"\x00" * 500])], HEAD, half_close=True)


def framing(r):
    lines = r.choice([
        "Content-Length: 5\r\nContent-Length: 6", "Content-Length: 5\r\nTransfer-Encoding: chunked", "Transfer-Encoding: gzip", "Content-Length: -1",
        "Content-Length: 0x10", "Content-Length: 1e3", "Content-Length: 99999999999999999999999", "Content-Length: ", "Transfer-Encoding: chunked, chunked",
        "Content-Length: 5, 5", "Content-Length: +5"])
    return Shot("framing", [f"POST /tokenize HTTP/1.1\r\nHost: a\r\n{lines}\r\n\r\nhello".encode()], {400, 413})


def chunks(r):
    body = r.choice([b"zz\r\nabc\r\n", b"-1\r\n", b"5\r\nabc", b"ffffffffffffffffff\r\nabc", b"3\r\nabcdef\r\n0\r\n\r\n", b"\r\n", b"3\nabc\n0\n\n", b"0\r\n"])
    return Shot("chunks", [b"POST /tokenize HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + body], {400, 413, None}, half_close=True)


def paths(r):
    path = r.choice(["/../../etc/passwd", "/%2e%2e/x", "/" + "a/" * 3000, "/%00", "/health%00", "/%ff%fe", "/v1/models/" + "%41" * 900, "//", "/v1//completions",
                     "*", "/?" + "a=b&" * 500, "/health?%zz", "http://", "/%", "/\x7f", "/v1/completions/../../health", "/slots/-1?action=save"])
    method = r.choice(["GET", "POST", "PUT", "DELETE", "PATCH", "TRACE", "CONNECT", "BREW", "OPTIONS", "HEAD"])
    return Shot("paths", [f"{method} {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n".encode("latin-1")], HEAD | {200, 204, 501}, half_close=True)


def headers(r):
    lines = r.choice(["X: " + "a" * 60000, "".join(f"H{i}: {i}\r\n" for i in range(4000))[:-2], "No colon here", ": empty name", "X:\x00", "Host: b",
                      "Expect: nonsense", "Connection: close, keep-alive, upgrade", "Upgrade: h2c", "X-Request-Id: \x1b[2J", "Authorization: Bearer " + "x" * 9000])
    return Shot("headers", [f"GET /v1/models HTTP/1.1\r\nHost: a\r\n{lines}\r\n\r\n".encode("latin-1")], HEAD | {200}, half_close=True)


def too_large(r):
    size = r.choice([300_000, 2_000_000])
    return Shot("too large", [post("/tokenize", b'{"content": "' + b"a" * size + b'"}')], {413, None})


def shorter_than_said(r):
    whole = post("/v1/completions", json.dumps(GOOD["/v1/completions"]).encode())
    return Shot("cut off", [whole[:r.randrange(1, len(whole))], r.choice(["close", "reset"])], {None})


def slow(r):
    whole = post("/tokenize", b'{"content": "a"}')
    at = r.randrange(1, len(whole) - 1)
    return Shot("slow", [whole[:at], r.uniform(0.05, 0.5), whole[at:]], {200})


def vanishes(r):
    """Goes while its prompt runs, or after some of its answer."""
    body = {"prompt": "One day " * r.randrange(1, 60), "max_tokens": 400, "ignore_eos": True, "stream": r.random() < 0.7, "n": r.choice([1, 1, 3])}
    return Shot("vanishes", [post("/v1/completions", json.dumps(body).encode()), r.uniform(0, 0.3), r.choice(["close", "reset", "half"])], {200, None})


def posts_and_leaves(r):
    """A large body, whole, and nobody to hear the answer."""
    body = json.dumps({"prompt": "day " * r.randrange(100, 20000), "max_tokens": 1}).encode()
    return Shot("posts and leaves", [post("/v1/completions", body), r.choice(["close", "reset"])], {None})


def pages(r):
    """What a browser sends for a page of the web, and for one whose name points here."""
    host, more = r.choice([("evil.example", ""), ("evil.example:80", "Origin: http://evil.example:80\r\n"), ("localhost", "Origin: https://evil.example\r\n"),
                           ("127.0.0.1", "Origin: null\r\n"), ("a", "Origin: " + "x" * 3000 + "\r\n")])
    body = json.dumps(GOOD["/v1/completions"]).encode()
    head = f"POST /v1/completions HTTP/1.1\r\nHost: {host}\r\nContent-Type: text/plain\r\n{more}Content-Length: {len(body)}\r\n\r\n"
    return Shot("pages", [head.encode() + body], {403})


def says_nothing(r):
    return Shot("says nothing", [r.uniform(0, 0.2), r.choice(["close", "reset", "half"])], {None, 408})


def pipelined(r):
    one = b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n"
    return Shot("pipelined", [one * r.randrange(2, 30) + noise(r, 100)], {200, 400, None}, half_close=True)


KINDS = [turned_body] * 8 + [unusual_but_right] * 3 + [broken_json] * 4 + [broken_head] * 3 + [
    garbage, framing, chunks, paths, headers, too_large, shorter_than_said, slow, vanishes, vanishes, posts_and_leaves, pages, says_nothing,
    pipelined]


class Lasting:
    """A client that takes its time: what it says, at once and then a byte a second, and what may come of it."""

    def __init__(self, kind, at_once, slowly, statuses, reads=True):
        self.kind, self.at_once, self.slowly, self.statuses, self.reads = kind, at_once, slowly, statuses, reads


def lasting():
    """One of each kind. A head has 15 seconds, a body 120."""
    whole = post("/tokenize", b'{"content":"a"}')
    body = whole.index(b"\r\n\r\n") + 4
    stream = post("/v1/completions", json.dumps({"prompt": "One day", "max_tokens": 400, "ignore_eos": True, "stream": True}).encode())
    return [
        Lasting("byte a second", b"", whole, {408}),
        Lasting("slow body", whole[:body], whole[body:], {200}),
        Lasting("chunk a second", whole[:body].replace(b"Content-Length: 15", b"Transfer-Encoding: chunked"), b"1\r\n{\r\n1\r\n}\r\n0\r\n\r\n", {400}),
        Lasting("half open", whole[:body - 2], b"", {408}),
        Lasting("silent", b"", b"", {408, None}),
        Lasting("reads nothing", stream, b"", {200}, reads=False),
    ]


def shots(seed, count):
    r = random.Random(seed)
    return [r.choice(KINDS)(r) for _ in range(count)]
