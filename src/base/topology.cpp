#include "base/topology.h"

#include "base/check.h"
#include "base/system_files.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <map>
#include <set>
#include <tuple>

namespace braid {
namespace {

namespace fs = std::filesystem;

std::optional<int> lowest(const std::string& path) {
  const std::vector<int> all = listed(read_text(path));
  if (all.empty()) return std::nullopt;
  return *std::min_element(all.begin(), all.end());
}

// Affinity and cpusets together.
std::optional<std::set<int>> allowed(const std::string& root) {
  const std::vector<int> cpus =
      listed(value_of(read_text(root + "/proc/self/status"), "Cpus_allowed_list:"));
  if (cpus.empty()) return std::nullopt;
  return std::set<int>(cpus.begin(), cpus.end());
}

// The cache of the highest level that holds data.
int last_cache(const std::string& cpu, int otherwise) {
  int64_t level = 0;
  int found = otherwise;
  for (int index = 0; index < 8; ++index) {
    const std::string cache = cpu + "cache/index" + std::to_string(index) + "/";
    const auto here = number_at(read_text(cache + "level"));
    if (!here || *here <= level || read_text(cache + "type") == "Instruction") continue;
    if (const auto first = lowest(cache + "shared_cpu_list")) {
      level = *here;
      found = *first;
    }
  }
  return level >= 2 ? found : otherwise;
}

// The lowest processor of a core, by lists of siblings or, on old kernels, by the core's name
// within its package.
int core_of(const std::string& topology, int cpu, int package,
            std::map<std::pair<int, int64_t>, int>& named) {
  for (const char* list : {"core_cpus_list", "thread_siblings_list"})
    if (const auto first = lowest(topology + list)) return *first;
  const auto name = number_at(read_text(topology + "core_id"));
  return name ? named.try_emplace({package, *name}, cpu).first->second : cpu;
}

// Those for which a file of each processor has a number below `share` of the largest one.
std::set<int> below(const std::string& root, const std::vector<int>& cpus, const char* file,
                    double share) {
  std::map<int, int64_t> numbers;
  int64_t most = 0;
  for (const int cpu : cpus)
    if (const auto n = number_at(
            read_text(fmt::format("{}/sys/devices/system/cpu/cpu{}/{}", root, cpu, file)))) {
      numbers[cpu] = *n;
      most = std::max(most, *n);
    }
  std::set<int> found;
  for (const auto& [cpu, n] : numbers)
    if (static_cast<double>(n) < share * static_cast<double>(most)) found.insert(cpu);
  return found;
}

// Intel's kernels tell the kinds of a hybrid processor by their counters, ARM's by capacities;
// others leave the highest clocks, which also differ by a few percent between equal cores.
std::set<int> weak_processors(const std::string& root, const std::vector<int>& online) {
  const std::vector<int> atoms = listed(read_text(root + "/sys/devices/cpu_atom/cpus"));
  const bool hybrid = !read_text(root + "/sys/devices/cpu_core/cpus").empty();
  if (hybrid && !atoms.empty()) return {atoms.begin(), atoms.end()};
  const bool capacities =
      !online.empty() &&
      fs::exists(fmt::format("{}/sys/devices/system/cpu/cpu{}/cpu_capacity", root, online[0]));
  return capacities ? below(root, online, "cpu_capacity", 2.0 / 3)
                    : below(root, online, "cpufreq/cpuinfo_max_freq", 0.85);
}

// The numbers in the folder's list "online"; old kernels have folders such as node0 alone.
std::vector<int> online_in(const std::string& folder, const std::string& prefix) {
  std::vector<int> online = listed(read_text(folder + "online"));
  if (!online.empty()) return online;
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(folder, none)) {
    const std::string name = entry.path().filename();
    if (!name.starts_with(prefix)) continue;
    if (const auto number = number_at(std::string_view(name).substr(prefix.size())))
      online.push_back(static_cast<int>(*number));
  }
  std::sort(online.begin(), online.end());
  return online;
}

std::map<int, int> nodes_of(const std::string& root) {
  const std::string folder = root + "/sys/devices/system/node/";
  std::map<int, int> node_of;
  for (const int node : online_in(folder, "node"))
    for (const int cpu : listed(read_text(fmt::format("{}node{}/cpulist", folder, node))))
      node_of[cpu] = node;
  return node_of;
}

template <class Key>
int distinct(const std::vector<Processor>& processors, Key key) {
  std::set<int> seen;
  for (const Processor& p : processors) seen.insert(key(p));
  return static_cast<int>(seen.size());
}

// A few of many, evenly spread, in order.
std::vector<Processor> spread(const std::vector<Processor>& from, int count) {
  std::vector<Processor> chosen;
  const auto n = static_cast<int64_t>(from.size());
  for (int64_t i = 0; i < count; ++i) chosen.push_back(from[static_cast<size_t>(i * n / count)]);
  return chosen;
}

auto order_of(const Processor& p) { return std::tuple(p.node, p.cache, p.core, p.place, p.cpu); }

}  // namespace

Pin pin_of(std::string_view name) {
  constexpr std::array<std::pair<std::string_view, Pin>, 5> kNames = {{{"auto", Pin::kAuto},
                                                                       {"off", Pin::kOff},
                                                                       {"node", Pin::kNode},
                                                                       {"cache", Pin::kCache},
                                                                       {"core", Pin::kCore}}};
  for (const auto& [known, pin] : kNames)
    if (name == known) return pin;
  fail("--pin {}: give auto, off, node, cache or core", name);
}

std::optional<double> cpu_quota(const std::string& root) {
  std::optional<double> least;
  const auto limit = [&](std::optional<int64_t> quota, std::optional<int64_t> period) {
    if (!quota || !period || *quota <= 0 || *period <= 0) return;
    const double cpus = static_cast<double>(*quota) / static_cast<double>(*period);
    if (!least || cpus < *least) least = cpus;
  };
  for_each_control_group(root, "cpu", [&](const std::string& folder, int version) {
    if (version == 1)
      return limit(number_at(read_text(folder + "cpu.cfs_quota_us")),
                   number_at(read_text(folder + "cpu.cfs_period_us")));
    const std::string max = read_text(folder + "cpu.max");  // "200000 100000", "max 100000"
    const size_t space = max.find(' ');
    if (space != std::string::npos)
      limit(number_at(max), number_at(std::string_view(max).substr(space + 1)));
  });
  return least;
}

Topology read_topology(const std::string& root) {
  const std::string folder = root + "/sys/devices/system/cpu/";
  const std::optional<std::set<int>> mask = allowed(root);
  std::vector<int> online = online_in(folder, "cpu");
  if (online.empty() && mask) online.assign(mask->begin(), mask->end());
  const std::set<int> weak = weak_processors(root, online);
  const std::map<int, int> node_of = nodes_of(root);
  Topology t;
  std::map<std::pair<int, int64_t>, int> named;
  for (const int cpu : online) {
    if (mask && !mask->contains(cpu)) continue;
    const std::string here = fmt::format("{}cpu{}/", folder, cpu);
    Processor p{.cpu = cpu, .weak = weak.contains(cpu)};
    p.package = static_cast<int>(
        std::max<int64_t>(0, number_at(read_text(here + "topology/physical_package_id"))
                                 .value_or(0)));  // -1: the kernel does not know
    p.core = core_of(here + "topology/", cpu, p.package, named);
    if (const auto node = node_of.find(cpu); node != node_of.end()) p.node = node->second;
    p.cache =
        last_cache(here, lowest(here + "topology/package_cpus_list")
                             .value_or(lowest(here + "topology/core_siblings_list").value_or(0)));
    t.processors.push_back(p);
  }
  std::sort(t.processors.begin(), t.processors.end(),
            [](const Processor& a, const Processor& b) { return order_of(a) < order_of(b); });
  for (size_t i = 1; i < t.processors.size(); ++i)
    if (t.processors[i].core == t.processors[i - 1].core)
      t.processors[i].place = t.processors[i - 1].place + 1;
  t.quota = cpu_quota(root);
  return t;
}

const Topology& this_topology() {
  static const Topology topology = read_topology("");
  return topology;
}

int Topology::cores() const {
  return distinct(processors, [](const Processor& p) { return p.core; });
}
int Topology::strong_cores() const {
  return static_cast<int>(
      std::count_if(processors.begin(), processors.end(),
                    [](const Processor& p) { return !p.weak && p.place == 0; }));
}
int Topology::caches() const {
  return distinct(processors, [](const Processor& p) { return p.cache; });
}
int Topology::nodes() const {
  return distinct(processors, [](const Processor& p) { return p.node; });
}
int Topology::packages() const {
  return distinct(processors, [](const Processor& p) { return p.package; });
}

int Topology::default_threads() const {
  // A mask may leave nothing but weak ones.
  const int most = strong_cores() > 0 ? strong_cores() : cores();
  const int granted = quota ? static_cast<int>(std::min(*quota, 1e6)) : most;
  return std::max(1, std::min(most, granted));
}

Placement Topology::place(int threads, Pin pin) const {
  const bool has_weak =
      std::any_of(processors.begin(), processors.end(), [](const Processor& p) { return p.weak; });
  const bool strong_only = has_weak && threads <= strong_cores();
  if (pin == Pin::kAuto && nodes() < 2 && !strong_only) return {};
  if (pin == Pin::kOff || threads > static_cast<int>(processors.size())) return {};

  std::vector<Processor> chosen;
  const auto take = [&](auto belongs) {
    std::vector<Processor> some;
    std::copy_if(processors.begin(), processors.end(), std::back_inserter(some), belongs);
    const int left = threads - static_cast<int>(chosen.size());
    const auto more = spread(some, std::min(left, static_cast<int>(some.size())));
    chosen.insert(chosen.end(), more.begin(), more.end());
  };
  take([](const Processor& p) { return !p.weak && p.place == 0; });
  take([](const Processor& p) { return p.weak && p.place == 0; });
  take([](const Processor& p) { return p.place > 0; });
  std::sort(chosen.begin(), chosen.end(),
            [](const Processor& a, const Processor& b) { return order_of(a) < order_of(b); });

  Placement placement;
  std::map<int, int> numbered;  // nodes
  for (const Processor& c : chosen) numbered.try_emplace(c.node, static_cast<int>(numbered.size()));
  placement.nodes = static_cast<int>(numbered.size());
  for (const Processor& c : chosen) {
    ThreadPlace place{{}, numbered[c.node]};
    for (const Processor& p : processors) {
      const bool near = pin == Pin::kCore    ? p.core == c.core
                        : pin == Pin::kCache ? p.cache == c.cache && p.node == c.node
                                             : p.node == c.node;
      if (near && (!strong_only || !p.weak)) place.cpus.push_back(p.cpu);
    }
    placement.threads.push_back(place);
  }
  return placement;
}

}  // namespace braid
