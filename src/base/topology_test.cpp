#include "base/topology.h"

#include "base/check.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>

namespace braid {
namespace {

namespace fs = std::filesystem;

// A machine as /proc and /sys tell it, written as the kernel writes them.
class Machine {
 public:
  Machine() {
    std::string name = (fs::temp_directory_path() / "braid-topology-XXXXXX").string();
    CHECK(mkdtemp(name.data()) != nullptr);
    root_ = name;
  }
  ~Machine() { fs::remove_all(root_); }
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;

  void put(const std::string& path, const std::string& text) const {
    fs::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << text << "\n";
  }
  void cpu(int cpu, int package, const std::string& core, const std::string& cache) const {
    const std::string folder = fmt::format("sys/devices/system/cpu/cpu{}/", cpu);
    put(folder + "topology/physical_package_id", std::to_string(package));
    put(folder + "topology/core_cpus_list", core);
    put(folder + "cache/index0/level", "1");
    put(folder + "cache/index0/type", "Data");
    put(folder + "cache/index0/shared_cpu_list", core);
    put(folder + "cache/index1/level", "1");
    put(folder + "cache/index1/type", "Instruction");
    put(folder + "cache/index1/shared_cpu_list", core);
    put(folder + "cache/index2/level", "2");
    put(folder + "cache/index2/type", "Unified");
    put(folder + "cache/index2/shared_cpu_list", core);
    put(folder + "cache/index3/level", "3");
    put(folder + "cache/index3/type", "Unified");
    put(folder + "cache/index3/shared_cpu_list", cache);
  }
  void online(const std::string& list) const { put("sys/devices/system/cpu/online", list); }
  void node(int node, const std::string& list) const {
    put(fmt::format("sys/devices/system/node/node{}/cpulist", node), list);
  }
  void allowed(const std::string& list) const {
    put("proc/self/status", "Name:\tbraid\nCpus_allowed:\tff\nCpus_allowed_list:\t" + list);
  }
  Topology read() const { return read_topology(root_.string()); }

 private:
  fs::path root_;
};

// A desktop processor of AMD: two CCX of four cores, hyper-threads 8 processors further.
void two_ccx(const Machine& m) {
  m.online("0-15");
  m.put("sys/devices/system/node/online", "0");
  m.node(0, "0-15");
  for (int cpu = 0; cpu < 16; ++cpu) {
    const int core = cpu % 8;
    m.cpu(cpu, 0, fmt::format("{},{}", core, core + 8), core < 4 ? "0-3,8-11" : "4-7,12-15");
  }
}

// Intel's hybrid kind: 4 P cores with 2 threads each, 8 E cores in two clusters, one L3.
void hybrid(const Machine& m) {
  m.online("0-15");
  m.put("sys/devices/system/node/online", "0");
  m.node(0, "0-15");
  m.put("sys/devices/cpu_core/cpus", "0-7");
  m.put("sys/devices/cpu_atom/cpus", "8-15");
  for (int cpu = 0; cpu < 16; ++cpu) {
    const int p = cpu / 2 * 2;
    m.cpu(cpu, 0, cpu < 8 ? fmt::format("{}-{}", p, p + 1) : std::to_string(cpu), "0-15");
  }
}

// Two sockets of four cores, hyper-threads 8 further; even processors in the first socket.
void two_sockets(const Machine& m) {
  m.online("0-15");
  m.put("sys/devices/system/node/online", "0-1");
  m.node(0, "0,2,4,6,8,10,12,14");
  m.node(1, "1,3,5,7,9,11,13,15");
  for (int cpu = 0; cpu < 16; ++cpu) {
    const int core = cpu % 8;
    m.cpu(cpu, cpu % 2, fmt::format("{},{}", core, core + 8),
          cpu % 2 == 0 ? "0,2,4,6,8,10,12,14" : "1,3,5,7,9,11,13,15");
  }
}

std::vector<int> cpus_of(const Placement& placement, size_t thread) {
  return placement.threads.at(thread).cpus;
}

TEST(Topology, WhatIsNotThereIsTakenAsPlain) {
  const Machine m;
  Topology t = m.read();
  EXPECT_TRUE(t.processors.empty());
  EXPECT_EQ(t.default_threads(), 1);
  m.online("0-2");
  t = m.read();
  EXPECT_EQ(t.cores(), 3);
  EXPECT_EQ(t.caches(), 1);
  EXPECT_EQ(t.nodes(), 1);
  EXPECT_EQ(t.default_threads(), 3);
  EXPECT_TRUE(t.place(3, Pin::kAuto).threads.empty());
}

TEST(Topology, OldKernelsNameCoresWithinAPackage) {
  const Machine m;
  m.online("0-3");
  for (int cpu = 0; cpu < 4; ++cpu) {
    const std::string folder = fmt::format("sys/devices/system/cpu/cpu{}/topology/", cpu);
    m.put(folder + "physical_package_id", std::to_string(cpu / 2));
    m.put(folder + "core_id", "0");
  }
  const Topology t = m.read();
  EXPECT_EQ(t.packages(), 2);
  EXPECT_EQ(t.cores(), 2);
}

TEST(Topology, SeveralCcx) {
  const Machine m;
  two_ccx(m);
  const Topology t = m.read();
  EXPECT_EQ(t.processors.size(), 16u);
  EXPECT_EQ(t.cores(), 8);
  EXPECT_EQ(t.caches(), 2);
  EXPECT_EQ(t.nodes(), 1);
  EXPECT_EQ(t.default_threads(), 8);
  EXPECT_TRUE(t.place(8, Pin::kAuto).threads.empty()) << "nothing to gain from binding";

  const Placement cache = t.place(8, Pin::kCache);
  ASSERT_EQ(cache.threads.size(), 8u);
  EXPECT_EQ(cpus_of(cache, 3), (std::vector<int>{0, 8, 1, 9, 2, 10, 3, 11}));
  EXPECT_EQ(cpus_of(cache, 4), (std::vector<int>{4, 12, 5, 13, 6, 14, 7, 15}));
  const Placement core = t.place(4, Pin::kCore);  // two in each CCX
  for (size_t i = 0; i < 4; ++i)
    EXPECT_EQ(cpus_of(core, i),
              (std::vector<int>{static_cast<int>(2 * i), static_cast<int>(2 * i + 8)}));
  EXPECT_EQ(t.place(16, Pin::kCore).threads.size(), 16u);
  EXPECT_TRUE(t.place(17, Pin::kCore).threads.empty()) << "more threads than processors";
}

TEST(Topology, WeakCoresComeLast) {
  const Machine m;
  hybrid(m);
  const Topology t = m.read();
  EXPECT_EQ(t.cores(), 12);
  EXPECT_EQ(t.strong_cores(), 4);
  EXPECT_EQ(t.default_threads(), 4);
  const Placement four = t.place(4, Pin::kAuto);
  ASSERT_EQ(four.threads.size(), 4u);
  for (size_t i = 0; i < 4; ++i)
    EXPECT_EQ(cpus_of(four, i), (std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7}));
  EXPECT_TRUE(t.place(12, Pin::kAuto).threads.empty());
  const Placement six = t.place(6, Pin::kCore);
  EXPECT_EQ(cpus_of(six, 3), (std::vector<int>{6, 7}));
  EXPECT_EQ(cpus_of(six, 4), (std::vector<int>{8}));
  EXPECT_EQ(cpus_of(six, 5), (std::vector<int>{12}));
  m.allowed("8-15");
  EXPECT_EQ(m.read().default_threads(), 8) << "only weak ones are left";
}

TEST(Topology, CapacitiesTellWeakCores) {
  const Machine m;
  m.online("0-5");
  for (int cpu = 0; cpu < 6; ++cpu)
    m.put(fmt::format("sys/devices/system/cpu/cpu{}/cpu_capacity", cpu), cpu < 4   ? "446"
                                                                         : cpu < 5 ? "871"
                                                                                   : "1024");
  EXPECT_EQ(m.read().strong_cores(), 2);
}

TEST(Topology, ClocksTellWeakCores) {
  const Machine m;
  m.online("0-3");
  for (int cpu = 0; cpu < 4; ++cpu)
    m.put(fmt::format("sys/devices/system/cpu/cpu{}/cpufreq/cpuinfo_max_freq", cpu),
          cpu == 0   ? "5700000"
          : cpu == 1 ? "5450000"  // equal cores differ a little
                     : "3900000");
  EXPECT_EQ(m.read().strong_cores(), 2);
}

TEST(Topology, KernelsWithoutAListOfProcessors) {
  const Machine m;
  for (int cpu : {0, 2, 10})
    m.put(fmt::format("sys/devices/system/cpu/cpu{}/topology/core_id", cpu), std::to_string(cpu));
  m.put("sys/devices/system/cpu/cpufreq/boost", "1");
  EXPECT_EQ(m.read().cores(), 3);
}

TEST(Topology, TwoSockets) {
  const Machine m;
  two_sockets(m);
  const Topology t = m.read();
  EXPECT_EQ(t.packages(), 2);
  EXPECT_EQ(t.nodes(), 2);
  EXPECT_EQ(t.cores(), 8);
  const Placement all = t.place(8, Pin::kAuto);
  ASSERT_EQ(all.threads.size(), 8u);
  EXPECT_EQ(all.nodes, 2);
  for (size_t i = 0; i < 8; ++i) {
    EXPECT_EQ(all.threads[i].node, i < 4 ? 0 : 1);
    EXPECT_EQ(cpus_of(all, i).size(), 8u);
    EXPECT_EQ(cpus_of(all, i).front(), i < 4 ? 0 : 1);
  }
  const Placement two = t.place(2, Pin::kAuto);  // one on each
  EXPECT_EQ(two.threads[0].node, 0);
  EXPECT_EQ(two.threads[1].node, 1);
  EXPECT_TRUE(t.place(8, Pin::kOff).threads.empty());
  EXPECT_EQ(t.place(8, Pin::kOff).nodes, 1);
}

TEST(Topology, MasksAndCpusetsNarrow) {
  const Machine m;
  two_sockets(m);
  m.allowed("1,3,5,9,11,13");
  const Topology t = m.read();
  EXPECT_EQ(t.processors.size(), 6u);
  EXPECT_EQ(t.cores(), 3);
  EXPECT_EQ(t.nodes(), 1);
  EXPECT_EQ(t.default_threads(), 3);
  EXPECT_TRUE(t.place(3, Pin::kAuto).threads.empty()) << "one node is left";
  const Placement core = t.place(3, Pin::kCore);
  EXPECT_EQ(cpus_of(core, 2), (std::vector<int>{5, 13}));
  m.allowed("8,9");  // second hyper-threads alone
  EXPECT_EQ(m.read().default_threads(), 2);
}

TEST(Topology, QuotasNarrowTheNumberOfThreads) {
  const Machine m;
  two_ccx(m);
  m.put("proc/self/cgroup", "0::/a/b");
  m.put("sys/fs/cgroup/a/b/cpu.max", "max 100000");
  EXPECT_EQ(m.read().default_threads(), 8);
  m.put("sys/fs/cgroup/a/cpu.max", "350000 100000");
  EXPECT_EQ(m.read().default_threads(), 3) << "a fourth would be throttled";
  m.put("sys/fs/cgroup/a/b/cpu.max", "50000 100000");
  EXPECT_EQ(m.read().default_threads(), 1);
}

TEST(Topology, QuotasOfTheFirstVersion) {
  const Machine m;
  two_ccx(m);
  m.put("proc/self/cgroup", "5:cpu,cpuacct:/docker/x\n4:memory:/docker/x");
  m.put("sys/fs/cgroup/cpu/docker/x/cpu.cfs_quota_us", "-1");
  m.put("sys/fs/cgroup/cpu/docker/x/cpu.cfs_period_us", "100000");
  EXPECT_FALSE(m.read().quota);
  m.put("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "200000");
  m.put("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000");
  EXPECT_EQ(m.read().default_threads(), 2);
}

TEST(Topology, NonsenseIsNotBelieved) {
  const Machine m;
  m.online("0-1,x,5-99999999999,-3");
  m.put("sys/devices/system/cpu/cpu0/topology/physical_package_id", "-1");
  m.put("sys/devices/system/cpu/cpu0/cache/index0/level", "deep");
  const Topology t = m.read();
  EXPECT_EQ(t.processors.size(), 2u);
  EXPECT_EQ(t.processors[0].package, 0);
}

TEST(Topology, OfThisMachine) {
  EXPECT_GE(this_topology().default_threads(), 1);
  EXPECT_FALSE(this_topology().processors.empty());
}

TEST(Topology, Pins) {
  EXPECT_EQ(pin_of("cache"), Pin::kCache);
  EXPECT_THROW(pin_of("socket"), Error);
}

}  // namespace
}  // namespace braid
