#!/usr/bin/env python3
"""Checks that each processor gets the instruction sets that it has, and that their kernels run there.

usage: processors_test.py DEVICE_TEST EMULATOR...

EMULATOR is qemu-aarch64 with its options. An instruction that a processor lacks ends the program.
"""

import os
import re
import subprocess
import sys
import unittest

PROCESSORS = {
    "cortex-a72": ["neon", "portable"],
    "neoverse-n1": ["dotprod", "neon", "portable"],
    "max": ["i8mm", "dotprod", "neon", "portable"],
}


class Processors(unittest.TestCase):
    command: list[str] = []

    def run_on(self, processor, *options):
        return subprocess.run([*self.command, *options], env={**os.environ, "QEMU_CPU": processor}, check=False,
                              capture_output=True, text=True)

    def test_choice(self):
        for processor, isas in PROCESSORS.items():
            with self.subTest(processor):
                listing = self.run_on(processor, "--gtest_list_tests", "--gtest_filter=Isa.LargestProducts/*").stdout
                self.assertEqual(re.findall(r'GetParam\(\) = "(\w+)"', listing), isas)

    def test_kernels(self):
        for processor in PROCESSORS:
            with self.subTest(processor):
                run = self.run_on(processor, "--gtest_filter=Isa.LargestProducts/*:Isa.TilesDoNotShow/*")
                self.assertEqual(run.returncode, 0, run.stdout[-2000:] + run.stderr[-2000:])


if __name__ == "__main__":
    program, *emulator = sys.argv[1:]
    Processors.command = [*emulator, program]
    unittest.main(argv=sys.argv[:1])
