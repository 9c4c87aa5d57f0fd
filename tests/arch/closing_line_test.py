#!/usr/bin/env python3
"""Tests of closing_line.py on reports as ctest writes them.

usage: closing_line_test.py [unittest options]
"""

import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
HEADER = "| test | needs | reason |\n|---|---|---|\n"
REPORT = """<?xml version="1.0" encoding="UTF-8"?>
<testsuite name="x" tests="6">
<testcase name="A.Ok" status="run"><system-out>fine</system-out></testcase>
<testcase name="A.Gpu/1" status="notrun"><skipped message="SKIP_REGULAR_EXPRESSION_MATCHED"/></testcase>
<testcase name="A.Off" status="disabled"><system-out>Disabled</system-out></testcase>
%s</testsuite>
"""
BAD = '<testcase name="A.Bad" status="fail"><failure message=""/><system-out>1 is not 2</system-out></testcase>\n'
GONE = '<testcase name="A.Gone" status="notrun"><skipped message="Unable to find executable"/></testcase>\n'
BOTH = "| `A.Gpu/*` | gpu | no device |\n| `A.Off` | time | an hour |\n"


class ClosingLine(unittest.TestCase):
    def run_on(self, more="", skips=BOTH, extra=""):
        with tempfile.TemporaryDirectory() as folder:
            files = {n: Path(folder, n) for n in ("junit", "skips", "extra")}
            files["junit"].write_text(REPORT % more)
            files["skips"].write_text(HEADER + skips)
            files["extra"].write_text(extra)
            done = subprocess.run(
                [sys.executable, HERE / "closing_line.py", "--skips", files["skips"], "--extra", files["extra"],
                 files["junit"]], capture_output=True, text=True)
            return done.returncode, done.stdout, done.stdout.splitlines()[-1]

    def test_all_well(self):
        code, out, last = self.run_on(extra="pass main job\n")
        self.assertEqual((code, last), (0, "2 passed, 0 failed, 2 skipped"))
        self.assertIn("tests skipped that need gpu: 1", out)
        self.assertIn("tests skipped that need time: 1", out)

    def test_failure_is_shown(self):
        code, out, last = self.run_on(BAD)
        self.assertEqual((code, last), (1, "1 passed, 1 failed, 2 skipped"))
        self.assertIn("FAILED A.Bad\n  | 1 is not 2", out)

    def test_missing_program_is_a_failure(self):
        self.assertEqual(self.run_on(GONE)[::2], (1, "1 passed, 1 failed, 2 skipped"))

    def test_failed_stage(self):
        self.assertEqual(self.run_on(extra="fail build asan\n")[::2], (1, "1 passed, 1 failed, 2 skipped"))

    def test_skip_without_reason(self):
        code, out, last = self.run_on(skips="| `A.Off` | time | an hour |\n")
        self.assertEqual((code, last), (1, "1 passed, 1 failed, 2 skipped"))
        self.assertIn("A.Gpu/1: skipped, but", out)

    def test_disabled_without_reason(self):
        self.assertEqual(self.run_on(skips="| `A.Gpu/*` | gpu | no device |\n")[0], 1)

    def test_stale_row(self):
        code, out, _ = self.run_on(skips=BOTH + "| `A.Old` | gpu | gone |\n")
        self.assertEqual(code, 1)
        self.assertIn("`A.Old` names no test", out)

    def test_row_without_reason(self):
        self.assertEqual(self.run_on(skips="| `A.Off` | time | |\n")[::2], (1, "0 passed, 1 failed, 0 skipped"))

    def test_missing_report(self):
        with tempfile.TemporaryDirectory() as folder:
            skips = Path(folder, "skips")
            skips.write_text(HEADER)
            done = subprocess.run([sys.executable, HERE / "closing_line.py", "--skips", skips, skips.with_name("gone")],
                                  capture_output=True, text=True)
        self.assertEqual(done.returncode, 1)
        self.assertEqual(done.stdout.splitlines()[-1], "0 passed, 1 failed, 0 skipped")


if __name__ == "__main__":
    unittest.main()
