"""What the architecture checks share: finding files, and C++ text without comments and strings."""

import os
import re
from pathlib import Path

CODE_SUFFIXES = {".h", ".cpp", ".cc", ".inl", ".cu", ".cuh"}
SKIPPED_FOLDERS = {".git", ".cache", "__pycache__"}


def walk(root):
    """Every file of the repository below root, build folders left out, in a stable order."""
    found = []
    for folder, names, files in os.walk(root):
        names[:] = [n for n in names
                    if n not in SKIPPED_FOLDERS and not (Path(folder) == root and n.startswith("build"))]
        found += [Path(folder, f).relative_to(root) for f in files]
    return sorted(found)


def code_files(root, *folders):
    """The C++ files below the given folders of root (all folders when none is given)."""
    return [p for p in walk(root)
            if p.suffix in CODE_SUFFIXES and (not folders or p.parts[0] in folders)]


def is_test(path):
    """x_test.cpp beside x.cpp, and what such tests share (x_test_support.h, test_x.h)."""
    return "_test" in path.name or path.name.startswith("test_")


def read(root, path):
    return (root / path).read_text(encoding="utf-8", errors="replace")


_TOKENS = re.compile(
    r'//[^\n]*|/\*.*?\*/'                       # comments
    r'|R"([^ ()\\\t\n]{0,16})\(.*?\)\1"'        # raw strings
    r'|"(?:\\.|[^"\\\n])*"'                     # strings
    r"|(?<![0-9A-Fa-f])'(?:\\.|[^'\\\n])+'",    # characters, but not digit separators
    re.DOTALL)


def strip_comments_and_strings(text):
    """C++ text of the same length and lines, with comments blank and string contents blank."""

    def blank(match):
        token = match.group(0)
        if token.startswith(("//", "/*")):
            return re.sub(r"[^\n]", " ", token)
        return token[0] + re.sub(r"[^\n]", " ", token[1:-1]) + token[-1]

    return _TOKENS.sub(blank, text)


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


def closing(text, start):
    """Offset of the bracket that closes the one at start, or -1. Text has no strings or comments."""
    pairs = {"(": ")", "{": "}"}
    depth, opening, end = 0, text[start], pairs[text[start]]
    for i in range(start, len(text)):
        if text[i] == opening:
            depth += 1
        elif text[i] == end:
            depth -= 1
            if depth == 0:
                return i
    return -1
