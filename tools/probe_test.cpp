// braid probe, and the kernels that it measures with.
#include "device/cpu/kernels/probe.h"
#include "device/cpu/cpu_device.h"
#include "format/test_files.h"
#include "tools/command_test_support.h"
#include "tools/machine_speed.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstring>
#include <memory>

namespace braid {
namespace {

using test::Outcome;

// Every byte is read: the sum of all words comes out, whatever the instruction set.
TEST(ProbeKernels, ReadReadsEverything) {
  constexpr size_t kBytes = 256 * 37;
  const std::unique_ptr<uint64_t, decltype(&std::free)> words(
      static_cast<uint64_t*>(std::aligned_alloc(64, kBytes)), std::free);
  uint64_t expected = 0;
  for (size_t i = 0; i < kBytes / 8; ++i) expected += words.get()[i] = i * 0x9e3779b97f4a7c15u;
  for (const std::string& isa : cpu::usable_isas()) {
    ProbeKernels p{};
    if (isa == "portable") portable::fill_probe(p);
#if defined(__x86_64__)
    if (isa == "avx2") avx2::fill_probe(p);
    if (isa == "avx512") avx512::fill_probe(p);
#elif defined(__aarch64__)
    if (isa == "neon") neon::fill_probe(p);
#endif
    if (p.read == nullptr) continue;  // a set without probes of its own
    EXPECT_EQ(p.read(words.get(), kBytes), expected) << isa;
    EXPECT_EQ(p.read_ahead(words.get(), kBytes), expected) << isa;
    ASSERT_NE(p.f32_fma.run, nullptr) << isa;
    EXPECT_GT(p.f32_fma.ops, 0) << isa;
  }
}

TEST(MachineSpeed, PeaksAreInOrder) {
  const std::vector<Peak> peaks = measure_peaks(1);
  const auto best = [&](const std::string& kind, const std::string& isa) {
    double most = 0;
    for (const Peak& p : peaks)
      if (p.kind == kind && p.isa == isa) most = std::max(most, p.all_threads);
    return most;
  };
  EXPECT_GT(best("f32", "portable"), 1e8);
  for (const Peak& p : peaks) {
    EXPECT_GT(p.all_threads, 0) << p.instruction;
    EXPECT_LT(p.all_threads, 1e14) << p.instruction << ": the loop was optimised away";
  }
  const double wide = std::max(best("f32", "avx2"), best("f32", "avx512"));
  if (wide > 0) {
    EXPECT_GT(wide, best("f32", "portable"));
  }
}

TEST(MachineSpeed, TheKindFollowsTheInstructionSet) {
  const auto isas = cpu::usable_isas();
  const auto kind = [](const char* isa) { return measure_int8(1, isa).int8_kind; };
  EXPECT_EQ(kind("portable"), "");
  if (std::count(isas.begin(), isas.end(), "avx2") > 0) {
    EXPECT_EQ(kind("avx2"), "vpmaddubsw 256");
    EXPECT_NE(kind(""), "");
  }
  if (std::count(isas.begin(), isas.end(), "avxvnni") > 0) {
    EXPECT_EQ(kind("avxvnni"), "vpdpbusd 256");
  }
  EXPECT_GT(ReadProbe(1, 16 << 20).sample(), 1e8);
  EXPECT_GT(measure_barrier(2), 0);
  EXPECT_LT(measure_barrier(2), 1e-2);
}

Outcome probe(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), {"probe", "-t", "1"});
  return test::run_command(probe_command, arguments);
}

TEST(Probe, TableAndJson) {
  const Outcome text = probe({});
  EXPECT_EQ(text.code, kDone) << text.err;
  for (const char* part : {"reads of memory", "GB/s", "f32 (portable: ", "Gop/s", "barrier", " ns"})
    EXPECT_NE(text.out.find(part), std::string::npos) << part;
  EXPECT_EQ(text.out.find("disk"), std::string::npos);

  const test::TemporaryFolder folder;
  const std::string file = folder.write("big", std::string(8 << 20, 'x'));
  const auto json = nlohmann::json::parse(probe({"--json", "--file", file}).out);
  EXPECT_EQ(json["threads"], 1);
  EXPECT_GT(json["read_bytes_per_second"]["all_threads"], 1e8);
  EXPECT_GT(json["peaks"].size(), 0u);
  EXPECT_GT(json["barrier_ns"], 0.0);
  EXPECT_EQ(json["disk"]["file"], file);
  EXPECT_NE(json["disk"]["bytes_per_second"].is_null(), json["disk"]["not_measured"] == "");
}

TEST(Probe, Errors) {
  test::expect_one_line(probe({"--file", "no-such-file"}), kFailed, "--file no-such-file");
  test::expect_one_line(probe({"-t", "x"}), kUsage, "--threads");
}

}  // namespace
}  // namespace braid
