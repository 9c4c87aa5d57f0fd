#!/usr/bin/env python3
"""Checks who includes whom against the table in ARCHITECTURE.md, section "Who may include whom".

usage: check_deps.py [ROOT]

Every #include under src/, tools/, tests/ and bench/ is looked up in the table: folders of Braid, and
third-party libraries, in headers and elsewhere. Cycles between folders and between headers are
errors too. Prints one line per violation and exits with 1 when there is one.
"""

import argparse
import re
import sys
from fnmatch import fnmatchcase
from pathlib import Path

import sources

SECTION = "## Who may include whom"
FREE = {"tests", "bench", "tools"}  # folders outside src/, which no row limits

# Which library a <header> belongs to. What is in none of these lists is refused.
LIBRARIES = [
    ("fmt", r"fmt/"), ("spdlog", r"spdlog/"), ("hwloc", r"hwloc(/|\.h)"),
    ("json_fwd", r"nlohmann/json_fwd\.hpp$"), ("json", r"nlohmann/"),
    ("pcre2", r"pcre2"), ("utf8proc", r"utf8proc"), ("xxhash", r"xxh"), ("liburing", r"liburing"),
    ("microhttpd", r"microhttpd"), ("gnutls", r"gnutls/"), ("curl", r"curl/"), ("cli11", r"CLI/"), ("gtest", r"g(test|mock)/"),
    ("cuda", r"(cuda|cub/|cublas|cooperative_groups|nccl|nvtx|mma\.h)"),
    ("intrinsics", r"(immintrin|x86intrin|arm_neon|arm_sve|arm_acle|cpuid)\.h$"),
    ("posix", r"(unistd|fcntl|malloc|pthread|sched|dirent|poll|termios|dlfcn|netdb|(sys|linux|netinet|arpa)/[a-z_]+)\.h$"),
]
C_HEADERS = {"stddef.h", "stdint.h", "string.h"}
CPP_HEADERS = set("""
algorithm any array atomic barrier bit bitset cassert cctype cerrno cfenv cfloat charconv chrono cinttypes
climits cmath compare complex concepts condition_variable coroutine csetjmp csignal cstdarg cstddef cstdint
cstdio cstdlib cstring ctime deque exception filesystem forward_list fstream functional future initializer_list
iomanip ios iosfwd iostream istream iterator latch limits list map memory memory_resource mutex new numbers
numeric optional ostream queue random ranges ratio regex scoped_allocator semaphore set shared_mutex
source_location span sstream stack stdexcept stop_token streambuf string string_view syncstream system_error
thread tuple type_traits typeindex typeinfo unordered_map unordered_set utility valarray variant vector version
""".split())
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(?:"([^"]+)"|<([^>]+)>)', re.MULTILINE)


class Row:
    def __init__(self, path, may, libraries, in_headers):
        self.path, self.may, self.libraries, self.in_headers = path, may, libraries, in_headers
        self.c_only = "C headers only" in libraries


def parse_table(text):
    """The rows of the table, or an error in words."""
    if SECTION not in text:
        raise ValueError(f'ARCHITECTURE.md has no section "{SECTION}"')
    rows = []
    for line in text.split(SECTION, 1)[1].split("\n## ", 1)[0].splitlines():
        cells = [c.strip() for c in line.strip().strip("|").split("|")]
        if not line.startswith("| `"):
            continue
        if len(cells) != 4:
            raise ValueError(f"ARCHITECTURE.md: a row of the include table has {len(cells)} cells, not 4: {line}")
        may = ["*"] if cells[1] == "anything" else re.findall(r"`([^`]+)`", cells[1])
        names = [[n.strip() for n in cell.split(",") if n.strip()] for cell in cells[2:]]
        known = {name for name, _ in LIBRARIES} | {"anything", "C headers only"}
        for name in names[0] + names[1]:
            if name not in known:
                raise ValueError(f"ARCHITECTURE.md: unknown library {name!r} in the include table")
        rows.append(Row(cells[0].strip("`"), may, *names))
    if not rows:
        raise ValueError(f'ARCHITECTURE.md: the section "{SECTION}" has no table')
    return rows


def governing(rows, path):
    """The row with the longest path that holds this file (path below src/, or tools/...)."""
    holds = [row for row in rows if (fnmatchcase(path, row.path) and path.count("/") == row.path.count("/"))
             or path.startswith(row.path + "/")]
    return max(holds, key=lambda row: len(row.path), default=None)


def allows(entry, path):
    if entry == "*":
        return not path.startswith("tools/")
    if "*" in entry:  # only directly in that folder
        return fnmatchcase(path, entry) and path.count("/") == entry.count("/")
    return path == entry or path.startswith(entry + "/")


def library_of(header):
    return next((name for name, pattern in LIBRARIES if re.match(pattern, header)), None)


def resolve(root, path, name):
    """The file that #include "name" means: below src/, below the root, or beside the includer."""
    for base, prefix in ((root / "src", ""), (root, ""), (root / path.parent, str(path.parent) + "/")):
        if (base / name).is_file():
            return (prefix + name).removeprefix("src/")
    return None


def folder_of(path):
    return path.split("/", 1)[0]


def check_library(row, path, header, free):
    if header in CPP_HEADERS or header in C_HEADERS:
        if row and row.c_only and header not in C_HEADERS:
            return f"<{header}>: only C headers ({', '.join(sorted(C_HEADERS))}) and intrinsics here"
        return None
    library = library_of(header)
    if library is None:
        return f"<{header}> belongs to no library that check_deps.py knows"
    if free:
        return "CUDA headers stay below device/cuda" if library == "cuda" else None
    if row.libraries == ["anything"]:
        return None
    if library not in row.libraries:
        return f"<{header}>: {library} is not among the libraries of {row.path}"
    if path.suffix in {".h", ".cuh"} and library not in row.in_headers:
        return f"<{header}>: {library} must not stand in a header of {row.path}"
    return None


def check_internal(rows, row, own, target, free):
    if folder_of(target) == "tools" and folder_of(own) != "tools":
        return f'"{target}": nobody includes tools/'
    if free or (row and governing(rows, target) is row):
        return None
    if not any(allows(entry, target) for entry in row.may):
        return f'"{target}": {row.path} may include only {", ".join(row.may) or "itself"}'
    return None


def find_cycle(edges):
    """One cycle in {node: {node: where}} as a list of nodes, or None."""
    state, stack = {}, []

    def visit(node):
        state[node] = 1
        stack.append(node)
        for other in sorted(edges.get(node, ())):
            if state.get(other) == 1:
                return stack[stack.index(other):] + [other]
            if other not in state and (found := visit(other)):
                return found
        stack.pop()
        state[node] = 2
        return None

    for node in sorted(edges):
        if node not in state and (found := visit(node)):
            return found
    return None


def check(root):
    """All violations below root, as lines of text."""
    rows = parse_table(sources.read(root, "ARCHITECTURE.md"))
    bad, folders, headers = [], {}, {}
    for row in rows:  # the table itself must not allow a cycle
        for entry in row.may:
            a, b = folder_of(row.path), folder_of(entry)
            if entry != "*" and a != b:
                folders.setdefault(a, {}).setdefault(b, f"the row {row.path} allows {entry}")
    for path in sources.code_files(root, "src", "tools", "tests", "bench"):
        own = str(path).removeprefix("src/")
        free = path.parts[0] in FREE or sources.is_test(path)
        row = governing(rows, own)
        if row is None and not free:
            bad.append(f"{path}: no row of the include table in ARCHITECTURE.md governs this file")
            continue
        text = sources.read(root, path)
        for match in INCLUDE.finditer(text):
            where = f"{path}:{sources.line_of(text, match.start(0))}"
            if match.group(2):
                problem = check_library(row, path, match.group(2), free)
            else:
                target = resolve(root, path, match.group(1))
                if target is None:
                    bad.append(f'{where}: "{match.group(1)}" is found neither below src/ nor beside the file')
                    continue
                problem = check_internal(rows, row, own, target, free)
                if not free and folder_of(own) != folder_of(target):
                    folders.setdefault(folder_of(own), {})[folder_of(target)] = where
                headers.setdefault(own, {})[target] = where
            if problem:
                bad.append(f"{where}: {problem}")
    for what, edges in (("folders", folders), ("headers", headers)):
        if cycle := find_cycle(edges):
            places = "; ".join(edges[a][b] for a, b in zip(cycle, cycle[1:]))
            bad.append(f"{what} form a cycle: {' -> '.join(cycle)} ({places})")
    return bad


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", nargs="?", type=Path, default=Path(__file__).resolve().parents[2])
    root = parser.parse_args().root
    try:
        bad = check(root)
    except ValueError as error:
        bad = [str(error)]
    print("\n".join(bad) if bad else "includes: as ARCHITECTURE.md says")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
