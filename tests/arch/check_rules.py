#!/usr/bin/env python3
"""Checks the rules that keep Braid's code straight (ARCHITECTURE.md, CONTRIBUTING.md).

usage: check_rules.py [ROOT]

  R2       no getenv and no option lookups under src/: options arrive as a struct
  R3       no timers, dumps or printing in nn/ and models/; nothing under src/ prints or exits
  R4       no #if, no comparison of a device's kind, no intrinsics in nn/, models/, engine/, state/
  R5       no allocation inside a forward function of nn/ and models/: whatever takes an Exec&, or is
           named forward or draft, uses ex.scratch. What stands in the arguments of fail() and CHECK
           is free, for it runs once. Functions called from there that take no Exec& are not seen;
           the allocator, frozen after start, catches those when they run.
  length   no file over 800 lines without a reason in tests/arch/long_files.md
  places   no path of one person's machine, no unfinished marks

Prints one line per violation and exits with 1 when there is one.
"""

import argparse
import re
import sys
from pathlib import Path

import sources

MAX_LINES = 800
TEXT_SUFFIXES = sources.CODE_SUFFIXES | {".py", ".sh", ".md", ".txt", ".cmake", ".yml", ""}

PRINTING = (r"\bstd::(cout|cerr|clog|print|println|puts|printf|exit|abort|quick_exit|terminate)\b"
            r"|\bfmt::print(ln)?\b|(?<![\w:.>])(v?f?printf|puts|fputs|fputc|putchar|perror|abort|exit|_exit)\s*\(")
TIMING = (r"\bstd::chrono\b|\bclock_gettime\b|\bgettimeofday\b|\b(steady|system|high_resolution)_clock\b"
          r"|\b__?rdtscp?\b|\bspdlog::|\bstd::(o|f)fstream\b|\bfopen\s*\(|\bfwrite\s*\(")
INTRINSICS = r"\b_mm(256|512)?_\w+|\b__builtin_(ia32|neon|aarch64)\w*|\b__m(128|256|512)\w*\b|\bv(ld|st)\d+q?_\w+"

DEVICE_KIND = r"\bdevice\w*(\(\s*\))?\s*(\.|->)\s*(kind|name)\b(\s*\(\s*\))?"
ASKS_DEVICE = (rf"{DEVICE_KIND}\s*(==|!=|\.\s*(starts_with|find|compare)\b)|(==|!=)\s*[\w.>()-]*?{DEVICE_KIND}"
               rf"|\bswitch\s*\(\s*{DEVICE_KIND}|\bDeviceKind\b|\bdynamic_cast\b")

# (rule, folders below src/, pattern, what to say)
LINE_RULES = [
    ("R2", None, r"\b(secure_)?getenv\s*\(|\bCLI::|\bargv\b|\benviron\b",
     "options arrive as a struct; only tools/ reads the environment and the command line"),
    ("R3", None, PRINTING, "the library never prints and never exits"),
    ("R3", {"nn", "models"}, TIMING, "no timers, logs or dumps here; nn/ops.h sees every call"),
    ("R4", {"nn", "models", "engine", "state"}, r"(?m)^[ \t]*#[ \t]*(if|ifdef|ifndef|elif)\b",
     "no conditional compilation here"),
    ("R4", {"nn", "models", "engine", "state"}, ASKS_DEVICE,
     "no question what kind of device it is: what differs lives below the seam"),
    ("R4", {"nn", "models", "engine", "state"}, INTRINSICS, "no intrinsics here"),
]

ALLOCATION = re.compile(
    r"(?<!\w)new\b(?!\s*\()|(?<!\w)new\s*\(|\b(malloc|calloc|realloc|aligned_alloc|posix_memalign|strdup)\s*\("
    r"|\bstd::make_(unique|shared)\b|\bstd::to_string\b|\bfmt::(format|to_string)\b"
    r"|\bstd::(?:pmr::)?(vector|string|deque|list|map|set|multimap|unordered_map|unordered_set|queue|function|any"
    r"|ostringstream|stringstream)\b(?!\s*(<[^;{}()]*>)?\s*(const\s*)?[&*]|::)"
    r"|(\.|->)\s*(resize|reserve|push_back|emplace_back|emplace|push_front|insert|assign|append)\s*\(")
CALLS_THAT_END = re.compile(r"\b(fail|CHECK|CHECK_\w+|DCHECK\w*)\s*\(")


def forward_bodies(code):
    """(name, start, end) of every function, method or lambda that is a forward, body included."""
    for match in re.finditer(r"\(", code):
        start = match.start()
        end = sources.closing(code, start)
        if end < 0:
            continue
        name = re.search(r"(\w+|\])\s*$", code[max(0, start - 100):start])
        name = name.group(1) if name else ""
        takes_exec = re.search(r"\bExec\s*&", code[start:end])
        if not takes_exec and name not in {"forward", "draft"}:
            continue
        after = re.match(r"\s*(const|noexcept|override|final|mutable|\s)*(->\s*[\w:<>&*\s]+)?\{", code[end + 1:])
        if not after:
            continue  # a declaration or a call
        body = end + after.end()
        close = sources.closing(code, body)
        if close > 0:
            yield ("lambda" if name == "]" else name), body, close


def blank_calls_that_end(code):
    """Code with the arguments of fail() and CHECK made blank, length and lines kept."""
    out = list(code)
    for match in CALLS_THAT_END.finditer(code):
        start = match.end() - 1
        for i in range(start + 1, max(sources.closing(code, start), start + 1)):
            if out[i] != "\n":
                out[i] = " "
    return "".join(out)


def check_lines(path, code):
    folder = path.parts[1]
    for rule, folders, pattern, say in LINE_RULES:
        if folders is not None and folder not in folders:
            continue
        for match in re.finditer(pattern, code):
            found = match.group(0).strip()
            yield f"{path}:{sources.line_of(code, match.start())}: {rule}: {found!r}: {say}"


def check_forwards(path, code):
    code = blank_calls_that_end(code)
    seen = set()
    for name, start, end in forward_bodies(code):
        for match in ALLOCATION.finditer(code, start, end):
            if match.start() not in seen:
                seen.add(match.start())
                yield (f"{path}:{sources.line_of(code, match.start())}: R5: {match.group(0).strip()!r} allocates "
                       f"inside {name}: take it from ex.scratch, or prepare it when the model is made")


def long_file_reasons(root):
    """{path: reason} from the table in tests/arch/long_files.md."""
    listing = root / "tests/arch/long_files.md"
    if not listing.is_file():
        return {}
    return dict(re.findall(r"^\| `([^`]+)` \| *(.*\S) *\|$", listing.read_text(), re.MULTILINE))


def check_texts(root):
    reasons = long_file_reasons(root)
    marks = re.compile(r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK")) + r")\b")
    places = re.compile(r"(?<![\w.~$}])/(work|home|Users|root)/[\w.]")
    for path in sources.walk(root):
        data = path.parts[:2] in {("tests", "data"), ("tests", "golden")} and path.suffix not in sources.CODE_SUFFIXES
        if data or path.suffix not in TEXT_SUFFIXES or path.name == "LICENSE":
            continue
        text = sources.read(root, path)
        lines = text.count("\n")
        if lines > MAX_LINES and str(path) not in reasons:
            yield (f"{path}: length: {lines} lines, more than {MAX_LINES}: divide it, or give the reason in "
                   "tests/arch/long_files.md")
        if path.suffix != ".md":
            for match in marks.finditer(text):
                yield f"{path}:{sources.line_of(text, match.start())}: {match.group(0)}: finish it or file an issue"
        for match in places.finditer(text):
            yield f"{path}:{sources.line_of(text, match.start())}: a path of one machine: {match.group(0)}..."
    for path in reasons:
        if not (root / path).is_file():
            yield f"tests/arch/long_files.md: {path} does not exist"


def check(root):
    """All violations below root, as lines of text."""
    bad = []
    for path in sources.code_files(root, "src"):
        if sources.is_test(path) or len(path.parts) < 3:
            continue
        code = sources.strip_comments_and_strings(sources.read(root, path))
        bad += check_lines(path, code)
        if path.parts[1] in {"nn", "models"}:
            bad += check_forwards(path, code)
    return bad + list(check_texts(root))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", nargs="?", type=Path, default=Path(__file__).resolve().parents[2])
    bad = check(parser.parse_args().root)
    print("\n".join(bad) if bad else "rules: kept")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
