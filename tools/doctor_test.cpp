#include "tools/doctor.h"

#include "device/registry.h"
#include "engine/engine.h"
#include "format/gguf_writer.h"
#include "format/open.h"
#include "format/test_files.h"
#include "models/qwen_config.h"
#include "tools/cli.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <array>
#include <filesystem>

namespace braid {
namespace {

// A machine made of files.
class Doctor : public testing::Test {
 protected:
  void put(const std::string& path, const std::string& text) {
    const std::filesystem::path file = root_ / path;
    std::filesystem::create_directories(file.parent_path());
    root_.write(path, text);
  }
  Machine machine() const { return read_machine(root_.path()); }

  test::TemporaryFolder root_;
};

constexpr size_t kMiB = size_t{1} << 20, kGiB = size_t{1} << 30;

TEST_F(Doctor, WhatIsNotThereIsUnknown) {
  const Machine m = machine();
  EXPECT_EQ(m.processor, "");
  EXPECT_EQ(m.logical, 0);
  EXPECT_EQ(m.physical, 0);
  EXPECT_EQ(m.numa_nodes, 0);
  EXPECT_FALSE(m.memory || m.available || m.swap || m.cpu_limit || m.memory_limit || m.turbo);
  EXPECT_TRUE(m.gpus.empty() && m.caches.empty() && m.features.empty());
  const std::string text = doctor_text({.machine = m, .models = known_models()});
  EXPECT_NE(text.find("model                 unknown"), std::string::npos) << text;
  EXPECT_NE(text.find("unknown physical, unknown logical"), std::string::npos) << text;
  EXPECT_NE(text.find("Nothing to complain about"), std::string::npos) << text;
  EXPECT_EQ(doctor_json({.machine = m})["memory"]["bytes"], nullptr);
}

TEST_F(Doctor, Processor) {
  put("proc/cpuinfo",
      "processor\t: 0\nmodel name\t: Example 9000\nflags\t\t: fpu avx2 fma f16c avx512f\n\n"
      "processor\t: 1\nmodel name\t: Example 9000\n");
  EXPECT_EQ(machine().logical, 2);  // without /sys
  put("sys/devices/system/cpu/online", "0-3\n");
  for (int cpu = 0; cpu < 4; ++cpu) {
    const std::string topology = "sys/devices/system/cpu/cpu" + std::to_string(cpu) + "/topology/";
    put(topology + "core_id", std::to_string(cpu % 2) + "\n");
    put(topology + "physical_package_id", "0\n");
  }
  put("sys/devices/system/node/online", "0-1\n");
  put("sys/devices/system/cpu/cpu0/cache/index0/level", "1\n");
  put("sys/devices/system/cpu/cpu0/cache/index0/type", "Data\n");
  put("sys/devices/system/cpu/cpu0/cache/index0/size", "48K\n");
  put("sys/devices/system/cpu/cpu0/cache/index0/shared_cpu_list", "0,2\n");
  put("sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "powersave\n");
  put("sys/devices/system/cpu/intel_pstate/no_turbo", "1\n");
  put("proc/loadavg", "2.50 1.00 0.50 2/100 1234\n");
  const Machine m = machine();
  EXPECT_EQ(m.processor, "Example 9000");
  EXPECT_EQ(m.features, (std::vector<std::string>{"avx2", "fma", "f16c", "avx512f"}));
  EXPECT_EQ(m.logical, 4);
  EXPECT_EQ(m.physical, 2);
  EXPECT_EQ(m.numa_nodes, 2);
  ASSERT_EQ(m.caches.size(), 1u);
  EXPECT_EQ(m.caches[0].bytes, size_t{48} << 10);
  EXPECT_EQ(m.caches[0].shared_by, 2);
  EXPECT_EQ(m.turbo, false);
  const std::string text = doctor_text({.machine = m});
  EXPECT_NE(
      text.find("may be used           node 0, 2 cores with one last cache: processors 0-3\n"),
      std::string::npos)
      << text;
  const auto usable = doctor_json({.machine = m})["processor"]["usable"];
  ASSERT_EQ(usable.size(), 4u);
  EXPECT_EQ(usable[1]["processor"], 2) << "beside the other one of its core";
  const auto warnings = warnings_of({.machine = m, .isas = {"portable"}});
  EXPECT_EQ(m.load, 2.5);
  ASSERT_EQ(warnings.size(), 5u);
  for (size_t i = 0; const char* part : {"AVX2", "powersave", "Turbo", "load 2.5", "numactl"})
    EXPECT_NE(warnings[i++].find(part), std::string::npos) << part;
}

TEST_F(Doctor, Memory) {
  put("proc/meminfo",
      "MemTotal:       1048576 kB\nMemAvailable:    524288 kB\nSwapTotal:  262144 kB\n"
      "SwapFree:   131072 kB\nHugePages_Total:       8\nHugePages_Free:        3\n");
  put("sys/kernel/mm/transparent_hugepage/enabled", "always madvise [never]\n");
  const Machine m = machine();
  EXPECT_EQ(m.memory, kGiB);
  EXPECT_EQ(m.available, kGiB / 2);
  EXPECT_EQ(m.swap, kGiB / 4);
  EXPECT_EQ(m.swap_used, kGiB / 8);
  EXPECT_EQ(m.huge_pages, 8);
  EXPECT_EQ(m.huge_pages_free, 3);
  EXPECT_EQ(m.transparent_huge_pages, "never");
  const auto warnings = warnings_of({.machine = m});
  ASSERT_EQ(warnings.size(), 2u);
  EXPECT_NE(warnings[0].find("128.00 MiB of swap"), std::string::npos);
  EXPECT_NE(warnings[1].find("huge pages"), std::string::npos);
}

TEST_F(Doctor, ControlGroupsOfTheSecondVersion) {
  put("proc/self/cgroup", "0::/a/b\n");
  put("proc/meminfo", "MemTotal:       4194304 kB\n");
  put("sys/devices/system/cpu/online", "0-7");
  put("sys/fs/cgroup/a/b/memory.max", "max\n");
  put("sys/fs/cgroup/a/b/cpu.max", "max 100000\n");
  EXPECT_FALSE(machine().memory_limit || machine().cpu_limit);
  put("sys/fs/cgroup/a/memory.max", "2147483648\n");
  put("sys/fs/cgroup/a/memory.current", "1073741824\n");
  put("sys/fs/cgroup/a/b/cpu.max", "250000 100000\n");
  put("sys/fs/cgroup/cpu.max", "400000 100000\n");  // the tighter one counts
  const Machine m = machine();
  EXPECT_EQ(m.memory_limit, 2 * kGiB);
  EXPECT_EQ(m.memory_limit_used, kGiB);
  EXPECT_EQ(m.cpu_limit, 2.5);
  const auto warnings = warnings_of({.machine = m});
  ASSERT_EQ(warnings.size(), 2u);
  EXPECT_NE(warnings[0].find("2.5 of 8 processors"), std::string::npos) << warnings[0];
  EXPECT_NE(warnings[1].find("2.00 GiB of 4.00 GiB"), std::string::npos) << warnings[1];
}

TEST_F(Doctor, ControlGroupsOfTheFirstVersionInAContainer) {
  put("proc/self/cgroup", "5:cpu,cpuacct:/docker/x\n4:memory:/docker/x\n1:name=systemd:/\n");
  put("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  EXPECT_FALSE(machine().memory_limit);
  put("sys/fs/cgroup/memory/memory.limit_in_bytes", "1073741824\n");
  put("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n");
  put("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(machine().memory_limit, kGiB);
  EXPECT_FALSE(machine().cpu_limit);
  put("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "150000\n");
  EXPECT_EQ(machine().cpu_limit, 1.5);
}

TEST_F(Doctor, Gpus) {
  put("proc/driver/nvidia/gpus/0000:01:00.0/information", "Model: \t\t Example 100\nIRQ: 1\n");
  put("sys/bus/pci/devices/0000:01:00.0/class", "0x030200\n");
  put("sys/bus/pci/devices/0000:01:00.0/vendor", "0x10de\n");
  put("sys/bus/pci/devices/0000:02:00.0/class", "0x030000\n");
  put("sys/bus/pci/devices/0000:02:00.0/vendor", "0x1002\n");
  put("sys/bus/pci/devices/0000:03:00.0/class", "0x020000\n");  // a network card
  put("sys/bus/pci/devices/0000:03:00.0/vendor", "0x8086\n");
  const auto gpus = machine().gpus;
  ASSERT_EQ(gpus.size(), 2u);
  EXPECT_EQ(gpus[0].name, "Example 100");
  EXPECT_EQ(gpus[1].name, "AMD");
}

TEST_F(Doctor, DiskOfAPartition) {
  struct stat info {};
  ASSERT_EQ(stat(root_.path().c_str(), &info), 0);
  put("sys/devices/x/sda/queue/rotational", "1\n");
  put("sys/devices/x/sda/sda1/partition", "1\n");
  std::filesystem::create_directories(root_ / "sys/dev/block");
  std::filesystem::create_directory_symlink(
      root_ / "sys/devices/x/sda/sda1",
      root_ / fmt::format("sys/dev/block/{}:{}", major(info.st_dev), minor(info.st_dev)));
  const Disk disk = read_disk(root_.path(), root_.path());
  EXPECT_EQ(disk.name, "sda");
  EXPECT_EQ(disk.rotating, true);
  EXPECT_EQ(warnings_of({.disk = disk}).size(), 1u);
  EXPECT_EQ(read_disk(root_.path(), "/no/such/file").name, "");
}

TEST_F(Doctor, TheDiskIsMeasuredOrSaysWhyNot) {
  Disk disk;
  measure_disk(root_ / "none", disk);
  EXPECT_FALSE(disk.bytes_per_second);
  EXPECT_NE(disk.not_measured, "");
  disk = {};
  measure_disk(root_.write("big", std::string(8 * kMiB, 'x')), disk);
  EXPECT_NE(disk.bytes_per_second.value_or(0) > 0, !disk.not_measured.empty());
}

TEST_F(Doctor, BandwidthIsMeasured) {
  const Bandwidth b = measure_bandwidth(32 * kMiB, 2);
  EXPECT_EQ(b.threads, 2);
  EXPECT_GT(b.one_thread, 1e7);
  EXPECT_GT(b.all_threads, 1e7);
  EXPECT_EQ(bandwidth_bytes({}), 256 * kMiB);
  EXPECT_EQ(bandwidth_bytes({.available = 100 * kMiB}), 24 * kMiB);
  EXPECT_EQ(bandwidth_bytes({.available = kGiB, .memory_limit = 100 * kMiB}), 24 * kMiB);
  EXPECT_EQ(bandwidth_bytes({.caches = {{3, "Unified", 64 * kMiB, 8}}}), 512 * kMiB);
}

// What the models are called after: billions of weights, and of those in use.
TEST_F(Doctor, KnownModelsHaveTheSizesOfTheirNames) {
  const auto weights = [](const std::string& name) {
    for (const ModelNeed& need : known_models())
      if (need.name == name && need.type == "Q8")
        return std::pair{static_cast<double>(need.bytes) / 8.5 * 8 / 1e9,
                         static_cast<double>(need.active_bytes) / 8.5 * 8 / 1e9};
    return std::pair{0.0, 0.0};
  };
  const auto near = [](double value, double expected) {
    EXPECT_GT(value, expected * 0.85) << expected;
    EXPECT_LT(value, expected * 1.15) << expected;
  };
  near(weights("Qwen3.5-0.8B").first, 0.8);
  near(weights("Qwen3.5-2B").first, 2);
  near(weights("Qwen3.5-4B").first, 4.2);
  near(weights("Qwen3.5-9B").first, 9);
  near(weights("Qwen3.5-27B").first, 27);
  near(weights("Qwen3.5-35B-A3B").first, 35);
  near(weights("Qwen3.5-35B-A3B").second, 3);
  near(weights("Qwen3-Next-80B-A3B").first, 80);
  near(weights("Qwen3.5-122B-A10B").first, 122);
  near(weights("Qwen3.5-122B-A10B").second, 10);
  near(weights("Qwen3.5-397B-A17B").first, 397);
  near(weights("Qwen3.5-397B-A17B").second, 17);
  // Recurrent state of a sequence, in MiB.
  for (const ModelNeed& need : known_models()) {
    if (need.name != "Qwen3-Next-80B-A3B") continue;
    EXPECT_NEAR(static_cast<double>(need.state_bytes) / kMiB, 75.4, 0.05);
  }
}

TEST_F(Doctor, WhetherAModelFits) {
  const ModelNeed need{.bytes = 2 * kGiB};  // and something to work with
  EXPECT_EQ(fit_of(need, {}), Fit::kUnknown);
  EXPECT_EQ(fit_of(need, {.memory = 2 * kGiB}), Fit::kNo);
  EXPECT_EQ(fit_of(need, {.memory = 4 * kGiB, .available = 3 * kGiB}), Fit::kYes);
  EXPECT_EQ(fit_of(need, {.memory = 4 * kGiB, .available = 2 * kGiB}), Fit::kTight);
  EXPECT_EQ(fit_of(need, {.memory = 4 * kGiB, .available = 3 * kGiB, .memory_limit = kGiB}),
            Fit::kNo);
  EXPECT_EQ(warnings_of({.machine = {.memory = kGiB}, .models = {need}}).size(), 1u);
}

TEST_F(Doctor, TheUpperBound) {
  const Bandwidth b{.one_thread = 1e9, .all_threads = 4e9, .threads = 8};
  EXPECT_EQ(most_tokens_per_second({.active_bytes = 1000000000}, b), 4);
  EXPECT_EQ(most_tokens_per_second({}, b), 0);
}

TEST_F(Doctor, ATokenReadsSomeOfTheExperts) {
  const std::string path = std::string(BRAID_TEST_DATA) + "/../golden/data/qwen3next/split.gguf";
  const auto file = open_model_file(path);
  const ModelNeed need = need_of(*file);
  EXPECT_EQ(need.type, "qwen3next");
  const QwenConfig c = read_qwen_config(*file);
  const std::string draft = fmt::format("blk.{}.", c.layers());
  double active = 0;
  size_t all = 0, untouched = 0;
  for (const FileTensor& tensor : file->tensors()) {
    all += tensor.bytes.size();
    const bool expert = tensor.name.find("_exps") != std::string::npos;
    const bool skipped = tensor.name == "token_embd.weight" || tensor.name.starts_with(draft);
    untouched += skipped;
    if (!skipped)
      active += static_cast<double>(tensor.bytes.size()) * (expert ? c.moe.top_k : c.moe.experts) /
                c.moe.experts;
  }
  EXPECT_GT(untouched, 0u);
  EXPECT_NE(file->find("output.weight"), nullptr);
  EXPECT_EQ(need.bytes, all);
  EXPECT_NEAR(static_cast<double>(need.active_bytes), active, 1);
}

// A type with a grid takes more memory than its file has bytes.
TEST_F(Doctor, WeightsAreCountedAsTheyArePacked) {
  const auto need = [&](bool head) {
    GgufWriter out(root_ / "model.gguf");
    out.add("general.architecture", "qwen3next");
    std::vector<std::byte> bytes;
    const auto add = [&](const char* name, DType type, int64_t rows) {
      out.add_tensor(name, type, {rows, 256});
      bytes.resize(bytes.size() + static_cast<size_t>(rows) * row_bytes(type, 256));
      bytes.resize((bytes.size() + 31) / 32 * 32);
    };
    add("token_embd.weight", DType::IQ2_XXS, 16);
    add("blk.0.ffn_down.weight", DType::IQ1_S, 32);
    if (head) add("output.weight", DType::Q4_K, 16);
    out.write(bytes);
    out.finish();
    return need_of(*open_model_file(root_ / "model.gguf")).bytes;
  };
  EXPECT_EQ(need(true), 16 * 66 + 32 * 256 * 9 / 32 + 16 * 144);
  EXPECT_EQ(need(false), 16 * 256 * 13 / 32 + 32 * 256 * 9 / 32);  // embeddings as the head
}

TEST_F(Doctor, TheCommand) {
  static constexpr std::array<MakeCommand, 1> kCommands = {doctor_command};
  const auto run = [&](const std::vector<std::string>& arguments) {
    testing::internal::CaptureStdout();
    EXPECT_EQ(run_command_line(arguments, kCommands), kDone);
    std::fflush(stdout);
    return testing::internal::GetCapturedStdout();
  };
  const auto json = nlohmann::json::parse(run({"doctor", "--json", "-t", "1"}));
  EXPECT_EQ(json["processor"]["threads"], 1);
  EXPECT_GT(json["memory"]["bytes_per_second"].get<double>(), 1e7);
  EXPECT_GE(json["models"].size(), 20u);
  const std::string model = std::string(BRAID_TEST_DATA) + "/../golden/data/qwen3next/split.gguf";
  const std::string text = run({"doctor", "-m", model, "-t", "1"});
  for (const char* part : {"Processor", "Memory", "Disk of", "GPUs", "upper bound", "qwen3next"})
    EXPECT_NE(text.find(part), std::string::npos) << part;
  EXPECT_NE(text.find("with --pack-cache DIR they are packed once"), std::string::npos);
}

TEST_F(Doctor, ThePackCache) {
  const auto file =
      open_model_file(std::string(BRAID_TEST_DATA) + "/../golden/data/qwen3next/split.gguf");
  const std::string folder = testing::TempDir() + fmt::format("doctor_cache.{}", getpid());
  EXPECT_GT(packed_need_of(*file, "").bytes, 0u);
  EXPECT_EQ(packed_need_of(*file, "").file, "");
  DoctorReport r;
  r.packed = packed_need_of(*file, folder);
  EXPECT_EQ(r.packed->file.substr(0, folder.size() + 7), folder + "/split-");
  EXPECT_EQ(r.packed->file_bytes, std::nullopt);
  EXPECT_GT(r.packed->free.value(), 0u);
  EXPECT_NE(doctor_text(r).find("not there; the next start writes it"), std::string::npos);
  const size_t warnings = warnings_of(r).size();
  r.packed->free = r.packed->bytes - 1;
  EXPECT_EQ(warnings_of(r).size(), warnings + 1);

  const auto device = open_device("cpu", {.threads = 1, .isa = "", .pack_cache = folder});
  const Engine engine(*file, *device, {.context = 64});
  EXPECT_EQ(device->pack_cache_file(), r.packed->file);
  r.packed = packed_need_of(*file, folder);
  EXPECT_EQ(r.packed->file_bytes, std::filesystem::file_size(r.packed->file));
  EXPECT_NE(doctor_text(r).find(": there, "), std::string::npos);
  EXPECT_EQ(doctor_json(r)["packed"]["file_bytes"], *r.packed->file_bytes);
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace braid
