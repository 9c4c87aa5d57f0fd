#!/usr/bin/env python3
"""Adds up the results of all stages of ./check, checks the skipped tests, prints the closing line.

usage: closing_line.py --skips tests/skipped.md [--extra RESULTS] JUNIT...

JUNIT are reports of `ctest --output-junit`. RESULTS has a line `pass NAME` or `fail NAME` for each
thing that is not a ctest test. Every skipped or disabled test must match a row of the skip list, and
every row must match a test; one of these broken is one failed test more. The last line is
`N passed, N failed, N skipped`. Exits with 1 when something failed or nothing ran.
"""

import argparse
import re
import sys
import xml.etree.ElementTree as xml
from collections import Counter
from fnmatch import fnmatchcase
from pathlib import Path

ROW = re.compile(r"^\| `([^`]+)` \| *([\w-]+) *\| *(\S.*?) *\|$")


def read_skips(path):
    """[(pattern, needs, reason)]; a row that is not understood is an error."""
    rows = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if not line.startswith("|") or line.startswith(("| test |", "|---")):
            continue
        match = ROW.match(line)
        if not match:
            raise ValueError(f"{path}:{number}: not a row `| `test` | needs | reason |`: {line}")
        rows.append(match.groups())
    return rows


def read_junit(path):
    """(name, pass|fail|skip, output) of each test of a report."""
    for case in xml.parse(path).getroot().iter("testcase"):
        status, skipped = case.get("status"), case.find("skipped")
        if status == "run":
            result = "pass"
        elif status == "disabled" or (skipped is not None and "MATCHED" in skipped.get("message", "")):
            result = "skip"
        else:  # failed, or a program that is missing
            result = "fail"
        yield case.get("name"), result, case.findtext("system-out") or ""


def read_extra(path):
    for line in path.read_text().splitlines():
        result, name = line.split(" ", 1)
        yield name, result, ""


def summarise(results, skips):
    """(lines to print, counts) for [(name, result, output)]."""
    lines, counts, used, needs = [], Counter(), set(), Counter()
    for name, result, output in results:
        counts[result] += 1
        matching = [row for row in skips if fnmatchcase(name, row[0])]
        used.update(matching)
        if result == "skip":
            if matching:
                needs[matching[0][1]] += 1
            else:
                counts["fail"] += 1
                lines.append(f"FAILED {name}: skipped, but tests/skipped.md does not say why")
        elif result == "fail":
            lines.append(f"FAILED {name}")
            # What went wrong comes first, right after the test has begun.
            lines += ["  | " + line for line in output.split("[ RUN      ]", 1)[-1].strip().splitlines()[:30]]
    for row in skips:
        if row not in used:
            counts["fail"] += 1
            lines.append(f"FAILED tests/skipped.md: the row `{row[0]}` names no test")
    needs.setdefault("gpu", 0)
    lines += [f"tests skipped that need {need}: {count}" for need, count in sorted(needs.items())]
    return lines, counts


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--skips", type=Path, required=True)
    parser.add_argument("--extra", type=Path)
    parser.add_argument("junit", nargs="*", type=Path)
    options = parser.parse_args()
    results = list(read_extra(options.extra)) if options.extra else []
    for path in options.junit:
        try:
            results += read_junit(path)
        except (OSError, xml.ParseError) as error:
            results.append((f"{path}: {error}", "fail", ""))
    lines, counts = summarise(results, read_skips(options.skips))
    print("\n".join(lines))
    print(f"{counts['pass']} passed, {counts['fail']} failed, {counts['skip']} skipped")
    return 1 if counts["fail"] or not counts["pass"] else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except ValueError as problem:
        print(f"{problem}\n0 passed, 1 failed, 0 skipped")
        sys.exit(1)
