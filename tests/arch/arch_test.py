#!/usr/bin/env python3
"""Plants one violation after another in a small tree and sees that each is found.

usage: arch_test.py [unittest options]
"""

import json
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import check_deps
import check_dots
import check_rules
import check_symbols

TABLE = """# Architecture

## Who may include whom

| folder | may include | libraries | of these, in headers |
|---|---|---|---|
| `base` | | fmt | fmt |
| `format` | `base` `quant/dtype.h` | json | |
| `quant` | `base` | | |
| `device/*` | `base` | | |
| `device/cpu` | `device/*.h` | intrinsics | |
| `device/cpu/kernels` | | intrinsics, C headers only | |
| `device/ref` | `device/*.h` | | |
| `device/cuda` | `device/*.h` | cuda | cuda |
| `state` | `device/*.h` | | |
| `nn` | `base` `device/*.h` | | |
| `models` | `nn` | | |
| `engine` | `models/model.h` | | |
| `tools` | anything | anything | anything |
"""

CLEAN = {
    "src/base/check.h": "#pragma once\n#include <fmt/format.h>\n#include <string>\n",
    "src/base/posix.cpp": '#include "base/check.h"\n',
    "src/quant/dtype.h": '#pragma once\n#include "base/check.h"\n',
    "src/quant/q8_0.h": '#pragma once\n#include "quant/dtype.h"\n',
    "src/format/gguf.cpp": '#include "quant/dtype.h"\n#include <nlohmann/json.hpp>\n',
    "src/device/device.h": "#pragma once\n#include <cstdint>\n",
    "src/device/cpu/cpu_device.h": '#pragma once\n#include "device/device.h"\n',
    "src/device/ref/ref_device.cpp": '#include "device/device.h"\n',
    "src/device/cpu/kernels/norm.cc": "#include <immintrin.h>\n#include <stddef.h>\n",
    "src/nn/exec.h": '#pragma once\n#include "device/device.h"\n',
    "src/nn/moe.cpp": '#include "nn/exec.h"\n'
                      "// printf and std::vector in a comment are no violation\n"
                      "void moe(Exec& ex, const std::vector<int>& ids) {\n"
                      '  if (ids.empty()) fail("{}: new ids", fmt::format("{}", 1));\n'
                      "  CHECK_THAT(ids.size() == 2, std::to_string(3));\n"
                      "}\n"
                      "std::vector<int> bind() { std::vector<int> w; w.push_back(1); return w; }\n",
    "src/models/model.h": '#pragma once\n#include "nn/exec.h"\n',
    "src/engine/step.cpp": '#include "models/model.h"\n',
    "src/engine/step_test.cpp": '#include "quant/q8_0.h"\n#include <gtest/gtest.h>\n#include <cstdio>\n',
    "src/nn/moe_test_support.h": "#pragma once\n#include <gtest/gtest.h>\n",
    "tools/main.cpp": '#include "engine/step.h"\n#include <CLI/CLI.hpp>\nint main() { std::printf("{}"); }\n',
    "src/engine/step.h": "#pragma once\n",
    "README.md": "A readme with an example: cd ~/braid\n",
}

# what is planted (a file, and the text appended to it) -> what the report must say
DEPS = {
    "folder not in the row": ("src/quant/dtype.h", '#include "device/device.h"\n', "quant may include only base"),
    "file not in the row": ("src/format/gguf.cpp", '#include "quant/q8_0.h"\n', "format may include only"),
    "a backend from above": ("src/nn/moe.cpp", '#include "device/cpu/cpu_device.h"\n', "nn may include only"),
    "a backend from a backend": ("src/device/ref/ref_device.cpp", '#include "device/cpu/cpu_device.h"\n',
                                 "device/ref may include only"),
    "a backend from the seam": ("src/device/device.h", '#include "device/cpu/cpu_device.h"\n', "may include only"),
    "tools": ("src/engine/step_test.cpp", '#include "tools/main.cpp"\n', "nobody includes tools/"),
    "tools from tests": ("tests/a_test.cpp", '#include "tools/main.cpp"\n', "nobody includes tools/"),
    "library not in the row": ("src/quant/dtype.h", "#include <nlohmann/json.hpp>\n", "json is not among"),
    "library in a header": ("src/format/gguf.h", "#include <nlohmann/json.hpp>\n", "must not stand in a header"),
    "unknown library": ("src/base/check.h", "#include <boost/any.hpp>\n", "belongs to no library"),
    "cuda above": ("src/models/model.h", "#include <cuda_runtime.h>\n", "cuda is not among"),
    "cuda in a test": ("tests/a_test.cpp", "#include <cuda_runtime.h>\n", "stay below device/cuda"),
    "intrinsics above": ("src/nn/moe.cpp", "#include <immintrin.h>\n", "intrinsics is not among"),
    "C++ header in a kernel": ("src/device/cpu/kernels/norm.cc", "#include <vector>\n", "only C headers"),
    "missing file": ("src/base/check.h", '#include "base/gone.h"\n', "found neither"),
    "folder without a row": ("src/web/page.cpp", "\n", "no row"),
    "backend without a row": ("src/device/tpu/tpu.cpp", "\n", "no row"),
    "cycle between headers": ("src/quant/dtype.h", '#include "quant/q8_0.h"\n', "headers form a cycle"),
    "cycle between folders": ("src/base/check.h", '#include "quant/dtype.h"\n', "folders form a cycle"),
    "cycle in the table": ("ARCHITECTURE.md", "| `base` | `models` | | |\n", "folders form a cycle"),
    "unknown library in the table": ("ARCHITECTURE.md", "| `text` | | leftpad | |\n", "unknown library"),
}
RULES = {
    "R2 getenv": ("src/base/posix.cpp", 'auto* v = std::getenv("X");\n', "R2"),
    "R2 options": ("src/engine/step.h", "void f(CLI::App& app);\n", "R2"),
    "R3 cout": ("src/models/m.cpp", "void f() { std::cout << 1; }\n", "R3"),
    "R3 printf in base": ("src/base/posix.cpp", 'void f() { printf("x"); }\n', "R3"),
    "R3 fmt print": ("src/nn/moe.cpp", 'void f() { fmt::print("x"); }\n', "R3"),
    "R3 exit": ("src/format/gguf.cpp", "void f() { std::exit(1); }\n", "R3"),
    "R3 timer": ("src/nn/moe.cpp", "auto t = std::chrono::steady_clock::now();\n", "R3"),
    "R3 dump": ("src/models/m.cpp", 'void f() { std::ofstream out("x"); }\n', "R3"),
    "R4 #if": ("src/engine/step.h", "#ifdef FAST\n#endif\n", "R4"),
    "R4 #if 0": ("src/nn/moe.cpp", "  #  if 0\n#endif\n", "R4"),
    "R4 kind": ("src/models/m.cpp", "bool f(D device) { return device.kind == kCuda; }\n", "R4"),
    "R4 kind()": ("src/state/pool.cpp", "bool f() { return kCuda != ex.device->kind(); }\n", "R4"),
    "R4 name": ("src/nn/moe.cpp", "bool f(D& device) { return device.name().starts_with(cpu); }\n", "R4"),
    "R4 cast": ("src/nn/moe.cpp", "auto* cpu = dynamic_cast<Cpu*>(&device);\n", "R4"),
    "R4 intrinsics": ("src/nn/moe.cpp", "auto v = _mm256_setzero_ps();\n", "R4"),
    "R5 vector": ("src/nn/moe.cpp", "void f(Exec& ex) {\n  std::vector<float> v(3);\n}\n", "R5"),
    "R5 vector of vectors": ("src/nn/moe.cpp", "void f(Exec& ex) { std::vector<std::vector<int>> v; }\n", "R5"),
    "R5 push_back": ("src/models/m.cpp", "void M::forward(const Batch& b) { ids_.push_back(1); }\n", "R5"),
    "R5 draft": ("src/models/m.cpp", "void M::draft() const { p = new float[3]; }\n", "R5"),
    "R5 malloc": ("src/nn/moe.cpp", "inline Tensor f(int a,\n                Exec& ex) { return malloc(a); }\n", "R5"),
    "R5 string": ("src/nn/moe.cpp", "void f(Exec& ex) { g(std::to_string(1)); }\n", "R5"),
    "R5 lambda": ("src/models/m.cpp", "auto f = [](Exec& ex) { ex.list->resize(3); };\n", "R5"),
    "R5 in a header": ("src/nn/exec.h", "inline void f(Exec& ex) { auto p = std::make_unique<int>(1); }\n", "R5"),
    "R5 beside a check": ("src/nn/moe.cpp", "void f(Exec& ex) { CHECK(1); std::string s; }\n", "R5"),
    "length": ("src/base/posix.cpp", "int a;\n" * 900, "more than 800"),
    "mark": ("src/base/posix.cpp", "// TO" + "DO later\n", "finish it"),
    "place": ("README.md", "cd /ho" + "me/me/braid\n", "a path of one machine"),
    "stale reason": ("tests/arch/long_files.md", "| `src/gone.cpp` | it was long |\n", "does not exist"),
}


class PlantedTree(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.root = Path(self.folder.name)
        for name, text in {**CLEAN, "ARCHITECTURE.md": TABLE}.items():
            self.write(name, text)

    def write(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text((path.read_text() if path.exists() else "") + text)

    def planted(self, checker, plants):
        for what, (name, text, say) in plants.items():
            with self.subTest(what):
                path = self.root / name
                before = path.read_text() if path.exists() else None
                self.write(name, text)
                try:
                    report = "\n".join(checker(self.root))
                except ValueError as error:
                    report = str(error)
                self.assertIn(say, report)
                path.unlink() if before is None else path.write_text(before)
        self.assertEqual(checker(self.root), [])

    def test_clean_tree_passes(self):
        self.assertEqual(check_deps.check(self.root), [])
        self.assertEqual(check_rules.check(self.root), [])

    def test_includes(self):
        self.planted(check_deps.check, DEPS)

    def test_rules(self):
        self.planted(check_rules.check, RULES)

    def test_violation_is_located(self):
        self.write("src/nn/exec.h", '#include "device/cpu/cpu_device.h"\n')
        self.assertTrue(check_deps.check(self.root)[0].startswith("src/nn/exec.h:3: "))

    def test_reason_permits_a_long_file(self):
        self.write("src/base/long.cpp", "int a;\n" * 900)
        self.write("tests/arch/long_files.md", "| `src/base/long.cpp` | one table |\n")
        self.assertEqual(check_rules.check(self.root), [])

    def test_build_folders_are_not_read(self):
        self.write("build-x/src/nn/bad.cpp", "int f() { return getenv(1); }\n")
        self.assertEqual(check_rules.check(self.root), [])

    def test_missing_section(self):
        (self.root / "ARCHITECTURE.md").write_text("# Architecture\n")
        with self.assertRaisesRegex(ValueError, "no section"):
            check_deps.check(self.root)


@unittest.skipUnless(shutil.which("g++") and shutil.which("nm"), "needs g++ and nm")
class Symbols(unittest.TestCase):
    def compile(self, source, isa="avx2"):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        root = Path(folder.name)
        kernel = root / "src/device/cpu/kernels/norm.cc"
        kernel.parent.mkdir(parents=True)
        kernel.write_text(source)
        command = ["g++", "-O0", f"-DBRAID_ISA={isa}", "-o", "norm.o", "-c", str(kernel)]
        subprocess.run(command, cwd=root, check=True)
        self.list_command(root, " ".join(command), str(kernel))
        return check_symbols.check(root, root, "nm")

    def list_command(self, root, command, kernel):
        entry = {"directory": str(root), "command": command, "file": kernel}
        (root / "compile_commands.json").write_text(json.dumps([entry]))

    def test_fill_is_free(self):
        bad, objects = self.compile(
            "#include <string.h>\nstruct Ops { void (*f)(char*); };\n"
            "static void f(char* p) { memset(p, 0, 3); }\n"
            "namespace braid::avx2 { void fill_norm(Ops& ops) { ops.f = f; } }\n")
        self.assertEqual((bad, objects), ([], 1))

    def test_planted(self):
        for say, source in {
            "weak symbol": "inline int f(int a) { return a; } static int g() { return f(1); } int (*p)() = nullptr;"
                           "namespace braid::avx2 { void fill_x() { g(); } }",
            "exports": "int norm() { return 1; }",
            "exports _ZN5braid6avx512": "namespace braid::avx512 { void fill_x() {} }",
            "from outside": "int f(); namespace braid::avx2 { void fill_x() { f(); } }",
        }.items():
            with self.subTest(say):
                self.assertIn(say, "\n".join(self.compile(source)[0]))

    def test_kernel_that_is_missing(self):
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            kernel = root / "src/device/cpu/kernels/norm.cc"
            kernel.parent.mkdir(parents=True)
            kernel.write_text("")
            self.list_command(root, f"g++ -DBRAID_ISA=avx2 -o norm.o -c {kernel}", str(kernel))
            self.assertIn("build it first", check_symbols.check(root, root, "nm")[0][0])
            self.list_command(root, f"g++ -o norm.o -c {kernel}", str(kernel))
            self.assertIn("is not compiled with", check_symbols.check(root, root, "nm")[0][0])
            self.assertEqual(check_symbols.check(root, root, "nm", ["norm.cc"])[0], [])
            self.list_command(root, f"g++ -DBRAID_ISA=avx2 -o norm.o -c {kernel}", str(kernel))
            (root / "norm.o").write_bytes(b"")
            self.assertIn("another processor", check_symbols.check(root, root, "true", ["norm.cc"])[0][0])


class Dots(unittest.TestCase):
    SYMBOL = "_ZN5braid%s12_GLOBAL__N_17productILNS_10PackedTypeE7ELi%dEEEvPKhlPKvPfl"

    def check(self, isa, rows, *code, name="packed_x.cc"):
        symbol = self.SYMBOL % (f"{len(isa)}{isa}", rows)
        lines = [f"{16 * i + 4096:x}:\t{line}" for i, line in enumerate(code)]
        other = "\n0000000000000010 <other>:\n  10:\tvpdpbusd %zmm1,%zmm2,%zmm3\n"
        return check_dots.check_object(isa, name, f"0000000000001000 <{symbol}>:\n" + "\n".join(lines) + other)

    def test_what_is_there(self):
        for isa, rows, code in [
            ("avx512vnni", 3, "vpdpbusd 0x20(%rdi){1to16},%zmm1,%zmm0"),
            ("avxvnni", 1, "{vex} vpdpbusd %ymm1,%ymm2,%ymm3"),
            ("avx2", 12, "vpmaddubsw %ymm1,%ymm2,%ymm3"),
            ("neon", 2, "smlal2\tv1.8h, v2.16b, v3.16b"),
            ("dotprod", 4, "sdot\tv1.4s, v2.16b, v3.4b[1]"),
            ("i8mm", 1, "sdot\tv1.4s, v2.16b, v3.4b[1]"),
            ("i8mm", 2, "smmla\tv1.4s, v2.16b, v3.16b"),
        ]:
            with self.subTest(isa):
                self.assertEqual(self.check(isa, rows, "nop", code), ([], 1))

    def test_planted(self):
        for isa, rows, code in [
            ("avx512vnni", 3, "vpdpbusd %ymm1,%ymm2,%ymm3"),
            ("avxvnni", 1, "vpmaddubsw %ymm1,%ymm2,%ymm3"),
            ("avx2", 12, "vpmaddwd %ymm1,%ymm2,%ymm3"),
            ("neon", 2, "smlal\tv1.2d, v2.2s, v3.2s"),
            ("dotprod", 4, "smlal\tv1.8h, v2.8b, v3.8b"),
            ("i8mm", 2, "sdot\tv1.4s, v2.16b, v3.4b[1]"),
        ]:
            with self.subTest(isa):
                bad, seen = self.check(isa, rows, "nop", code)
                self.assertEqual(seen, 1)
                self.assertIn(f"type 7 and {rows} rows", bad[0])

    def test_equal_functions(self):
        first, second = (self.SYMBOL % ("4avx2", rows) for rows in (1, 2))
        for code, violations in [("vpmaddubsw %ymm1,%ymm2,%ymm3", 0), ("nop", 2)]:
            text = f"0000000000000000 <{second}>:\n   0:\tjmp    10 <{first}>\n   5:\tnop\n\n"
            text += f"0000000000000010 <{first}>:\n  10:\t{code}\n"
            bad, seen = check_dots.check_object("avx2", "packed_x.cc", text)
            self.assertEqual((len(bad), seen), (violations, 2))

    def test_words(self):
        text = "{vex} vpdpwssd %ymm1,%ymm2,%ymm3"
        self.assertEqual(check_dots.check_object("avxvnni", "attention.cc", text), ([], 0))
        self.assertEqual(len(check_dots.check_object("avxvnni", "attention.cc", "vpmaddwd")[0]), 1)
        self.assertEqual(check_dots.check_object("avx2", "attention.cc", "vpmaddwd"), ([], 0))


if __name__ == "__main__":
    unittest.main()
