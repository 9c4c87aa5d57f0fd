#include "tools/doctor.h"

#include "base/system_files.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <set>
#include <sstream>

namespace braid {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> names_in(const std::string& folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error))
    names.push_back(entry.path().filename());
  std::sort(names.begin(), names.end());
  return names;
}

constexpr const char* kFeatures[] = {
    "avx2",     "fma",         "f16c",        "avx_vnni",    "avx512f",  "avx512bw", "avx512dq",
    "avx512vl", "avx512_vnni", "avx512_bf16", "avx512_fp16", "amx_tile", "amx_int8", "amx_bf16",
    "asimd",    "asimddp",     "i8mm",        "sve",         "bf16"};

void read_processor(const std::string& root, Machine& m) {
  const std::string info = read_text(root + "/proc/cpuinfo");
  m.processor = value_of(info, "model name");
  if (m.processor.empty()) m.processor = value_of(info, "Model");
  std::istringstream flags(value_of(info, "flags") + " " + value_of(info, "Features"));
  std::set<std::string> found;
  for (std::string flag; flags >> flag;) found.insert(flag);
  for (const char* feature : kFeatures)
    if (found.contains(feature)) m.features.emplace_back(feature);

  const std::string cpus = root + "/sys/devices/system/cpu/";
  const std::vector<int> online = listed(read_text(cpus + "online"));
  m.logical = static_cast<int>(online.size());
  if (online.empty())
    for (const std::string& line : lines_of(info)) m.logical += line.starts_with("processor");
  std::set<std::pair<std::string, std::string>> cores;
  for (const int cpu : online) {
    const std::string topology = fmt::format("{}cpu{}/topology/", cpus, cpu);
    const std::string core = read_text(topology + "core_id");
    if (!core.empty()) cores.insert({read_text(topology + "physical_package_id"), core});
  }
  m.physical = static_cast<int>(cores.size());
  m.topology = read_topology(root);
  m.numa_nodes =
      static_cast<int>(listed(read_text(root + "/sys/devices/system/node/online")).size());

  for (const std::string& name : names_in(cpus + "cpu0/cache")) {
    if (!name.starts_with("index")) continue;
    const std::string cache = cpus + "cpu0/cache/" + name + "/";
    const std::string size = read_text(cache + "size");  // "48K"
    const auto kib = number_at(size), level = number_at(read_text(cache + "level"));
    if (!kib || !level || *kib < 0) continue;
    const size_t unit = size.ends_with("M") ? size_t{1} << 20 : 1024;
    m.caches.push_back({static_cast<int>(*level), read_text(cache + "type"),
                        static_cast<size_t>(*kib) * unit,
                        static_cast<int>(listed(read_text(cache + "shared_cpu_list")).size())});
  }
  double load = 0;
  if (std::istringstream(read_text(root + "/proc/loadavg")) >> load) m.load = load;
  m.governor = read_text(cpus + "cpu0/cpufreq/scaling_governor");
  if (const auto off = number_at(read_text(cpus + "intel_pstate/no_turbo")))
    m.turbo = *off == 0;
  else if (const auto on = number_at(read_text(cpus + "cpufreq/boost")))
    m.turbo = *on != 0;
}

void read_memory(const std::string& root, Machine& m) {
  const std::string info = read_text(root + "/proc/meminfo");
  const auto bytes = [&](std::string_view key) -> std::optional<size_t> {
    const auto kib = number_at(value_of(info, key));
    if (!kib || *kib < 0) return std::nullopt;
    return static_cast<size_t>(*kib) * 1024;
  };
  m.memory = bytes("MemTotal");
  m.available = bytes("MemAvailable");
  m.swap = bytes("SwapTotal");
  if (const auto free = bytes("SwapFree"); free && m.swap)
    m.swap_used = *m.swap - std::min(*free, *m.swap);
  m.huge_pages = number_at(value_of(info, "HugePages_Total"));
  m.huge_pages_free = number_at(value_of(info, "HugePages_Free"));
  const std::string thp = read_text(root + "/sys/kernel/mm/transparent_hugepage/enabled");
  const size_t open = thp.find('['), close = thp.find(']');  // "always [madvise] never"
  if (open != std::string::npos && close != std::string::npos && close > open)
    m.transparent_huge_pages = thp.substr(open + 1, close - open - 1);
}

void limit_memory(const std::string& limit, const std::string& used, Machine& m) {
  const auto bytes = number_at(limit);  // "max" is none
  // The first version of control groups says "none" with a number near the largest one.
  if (!bytes || *bytes <= 0 || *bytes >= int64_t{1} << 60) return;
  if (m.memory_limit && *m.memory_limit <= static_cast<size_t>(*bytes)) return;
  m.memory_limit = static_cast<size_t>(*bytes);
  const auto now = number_at(used);
  m.memory_limit_used = now && *now >= 0 ? std::optional(static_cast<size_t>(*now)) : std::nullopt;
}

void read_limits(const std::string& root, Machine& m) {
  m.cpu_limit = cpu_quota(root);
  for_each_control_group(root, "memory", [&](const std::string& folder, int version) {
    if (version == 2)
      limit_memory(read_text(folder + "memory.max"), read_text(folder + "memory.current"), m);
    else
      limit_memory(read_text(folder + "memory.limit_in_bytes"),
                   read_text(folder + "memory.usage_in_bytes"), m);
  });
}

void read_gpus(const std::string& root, Machine& m) {
  const std::string nvidia = root + "/proc/driver/nvidia/gpus/";
  for (const std::string& place : names_in(nvidia)) {
    const std::string model = value_of(read_text(nvidia + place + "/information"), "Model");
    m.gpus.push_back({model.empty() ? "NVIDIA" : model, place});
  }
  const std::string pci = root + "/sys/bus/pci/devices/";
  for (const std::string& place : names_in(pci)) {
    const std::string vendor = read_text(pci + place + "/vendor");
    if (!read_text(pci + place + "/class").starts_with("0x03")) continue;
    if (std::any_of(m.gpus.begin(), m.gpus.end(),
                    [&](const Gpu& gpu) { return gpu.place == place; }))
      continue;
    const char* maker = vendor == "0x10de"   ? "NVIDIA"
                        : vendor == "0x1002" ? "AMD"
                        : vendor == "0x8086" ? "Intel"
                                             : nullptr;
    // Others are the displays of virtual machines and servers.
    if (maker != nullptr) m.gpus.push_back({maker, place});
  }
}

std::string file_system_name(int64_t magic) {
  struct Known {
    int64_t magic;
    const char* name;
  };
  constexpr Known kKnown[] = {{0xEF53, "ext4"},      {0x58465342, "xfs"},     {0x9123683E, "btrfs"},
                              {0x01021994, "tmpfs"}, {0x794c7630, "overlay"}, {0x6969, "nfs"},
                              {0x65735546, "fuse"},  {0x2fc12fc1, "zfs"},     {0xF2F52010, "f2fs"},
                              {0x01021997, "9p"},    {0x4d44, "vfat"},        {0x5346544e, "ntfs"}};
  for (const Known& known : kKnown)
    if (known.magic == magic) return known.name;
  return "";
}

}  // namespace

Machine read_machine(const std::string& root) {
  Machine m;
  read_processor(root, m);
  read_memory(root, m);
  read_limits(root, m);
  read_gpus(root, m);
  return m;
}

std::optional<size_t> locked_memory_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_MEMLOCK, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
    return std::nullopt;
  return static_cast<size_t>(limit.rlim_cur);
}

Disk read_disk(const std::string& root, const std::string& path) {
  Disk disk;
  struct statfs fs_info {};
  if (statfs(path.c_str(), &fs_info) == 0)
    disk.file_system = file_system_name(static_cast<int64_t>(fs_info.f_type) & 0xFFFFFFFF);
  struct stat info {};
  if (stat(path.c_str(), &info) != 0) return disk;
  const fs::path block =
      fmt::format("{}/sys/dev/block/{}:{}", root, major(info.st_dev), minor(info.st_dev));
  std::error_code error;
  const fs::path device = fs::canonical(block, error);
  if (error) return disk;
  disk.name = device.filename();
  // A partition has no queue; the disk above it has.
  for (const fs::path& folder : {device, device.parent_path()})
    if (const auto rotational = number_at(read_text(folder / "queue/rotational"))) {
      disk.name = folder.filename();
      // Virtual disks call themselves turning, whatever lies below.
      if (!disk.name.starts_with("vd") && !disk.name.starts_with("xvd"))
        disk.rotating = *rotational != 0;
      break;
    }
  return disk;
}

}  // namespace braid
