#include "tools/doctor.h"
#include "tools/units.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace braid {
namespace {

constexpr const char* kUnknown = "unknown";

template <class T>
std::string text_or(const std::optional<T>& value) {
  if constexpr (std::is_same_v<T, size_t>)
    return value ? bytes_text(*value) : kUnknown;
  else
    return value ? fmt::format("{}", *value) : kUnknown;
}
std::string count_or(int value) { return value > 0 ? fmt::to_string(value) : kUnknown; }
std::string or_unknown(const std::string& text) { return text.empty() ? kUnknown : text; }
std::string rate_text(double bytes_per_second) {
  return bytes_per_second > 0 ? fmt::format("{:.1f} GB/s", bytes_per_second / 1e9) : kUnknown;
}

std::string joined(const std::vector<std::string>& words, std::string_view between = " ") {
  std::string text;
  for (const std::string& word : words)
    text += fmt::format("{}{}", text.empty() ? "" : between, word);
  return text;
}

void row(std::string& out, std::string_view name, std::string_view value) {
  out += fmt::format("  {:<22}{}\n", name, value);
}

std::string caches_text(const std::vector<CpuCache>& caches) {
  std::string text;
  for (const CpuCache& cache : caches) {
    if (cache.type == "Instruction") continue;
    text += fmt::format("{}L{} {}", text.empty() ? "" : ", ", cache.level, bytes_text(cache.bytes));
    if (cache.shared_by > 1) text += fmt::format(" for {} processors", cache.shared_by);
  }
  return or_unknown(text);
}

// 0 1 2 3 8 -> "0-3,8"
std::string ranges_text(const std::vector<int>& numbers) {
  std::string text;
  for (size_t i = 0; i < numbers.size();) {
    size_t end = i + 1;
    while (end < numbers.size() && numbers[end] == numbers[end - 1] + 1) ++end;
    text += fmt::format("{}{}", text.empty() ? "" : ",", numbers[i]);
    if (end - i > 1) text += fmt::format("-{}", numbers[end - 1]);
    i = end;
  }
  return text;
}

// The processors that may be used, a row for each last cache.
std::vector<std::pair<std::string, std::string>> layout_rows(const Topology& topology) {
  std::vector<std::pair<std::string, std::string>> rows;
  const std::vector<Processor>& all = topology.processors;
  for (auto at = all.begin(); at != all.end();) {
    const auto end = std::find_if(at, all.end(), [&](const Processor& p) {
      return p.node != at->node || p.cache != at->cache;
    });
    const Topology part{{at, end}, {}};
    std::vector<int> cpus, weak;
    for (const Processor& p : part.processors) (p.weak ? weak : cpus).push_back(p.cpu);
    std::sort(cpus.begin(), cpus.end());
    std::sort(weak.begin(), weak.end());
    std::string text =
        fmt::format("node {}, {} core{} with one last cache: processors {}", at->node, part.cores(),
                    part.cores() == 1 ? "" : "s", ranges_text(cpus));
    if (!weak.empty())
      text += fmt::format("{}{} of weaker cores", cpus.empty() ? "" : ", ", ranges_text(weak));
    rows.emplace_back(rows.empty() ? "may be used" : "", text);
    at = end;
  }
  return rows;
}

nlohmann::ordered_json layout_json(const Topology& topology) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const Processor& p : topology.processors)
    list.push_back({{"processor", p.cpu},
                    {"core", p.core},
                    {"cache", p.cache},
                    {"node", p.node},
                    {"package", p.package},
                    {"weak", p.weak}});
  return list;
}

void processor_text(const DoctorReport& r, std::string& out) {
  const Machine& m = r.machine;
  out += "Processor\n";
  row(out, "model", or_unknown(m.processor));
  row(out, "cores",
      fmt::format("{} physical, {} logical; Braid takes {} threads", count_or(m.physical),
                  count_or(m.logical), r.bandwidth.threads));
  if (m.physical > 0 && m.logical > 0)
    row(out, "hyper-threads", m.logical > m.physical ? "yes" : "no");
  row(out, "memory nodes", count_or(m.numa_nodes));
  for (const auto& [name, text] : layout_rows(m.topology)) row(out, name, text);
  row(out, "caches", caches_text(m.caches));
  row(out, "instructions", or_unknown(joined(m.features)));
  row(out, "instruction set used",
      r.isas.empty() ? kUnknown
                     : fmt::format("{}: the best of those that this processor and this build have "
                                   "({})",
                                   r.isas.front(), joined(r.isas, ", ")));
  row(out, "governor, turbo",
      fmt::format("{}, {}", or_unknown(m.governor),
                  !m.turbo   ? kUnknown
                  : *m.turbo ? "on"
                             : "off"));
  row(out, "limit of processors",
      m.cpu_limit ? fmt::format("{:g} (control group)", *m.cpu_limit) : "none found");
}

void memory_text(const DoctorReport& r, std::string& out) {
  const Machine& m = r.machine;
  out += "\nMemory\n";
  row(out, "installed, available", fmt::format("{}, {}", text_or(m.memory), text_or(m.available)));
  row(out, "limit",
      m.memory_limit ? fmt::format("{} (control group), {} used", bytes_text(*m.memory_limit),
                                   text_or(m.memory_limit_used))
                     : "none found");
  row(out, "swap, used", fmt::format("{}, {}", text_or(m.swap), text_or(m.swap_used)));
  row(out, "huge pages",
      fmt::format("transparent: {}; reserved: {}, {} of them free",
                  or_unknown(m.transparent_huge_pages), text_or(m.huge_pages),
                  text_or(m.huge_pages_free)));
  row(out, "may be locked", r.locked_memory ? bytes_text(*r.locked_memory) : "no limit");
  row(out, "reads, measured",
      fmt::format("{} with {} threads, {} with one", rate_text(r.bandwidth.all_threads),
                  r.bandwidth.threads, rate_text(r.bandwidth.one_thread)));
}

void disk_text(const DoctorReport& r, std::string& out) {
  out += fmt::format("\nDisk of {}\n", r.disk_path);
  row(out, "kind",
      fmt::format("{} on {}, {}", or_unknown(r.disk.file_system), or_unknown(r.disk.name),
                  !r.disk.rotating   ? kUnknown
                  : *r.disk.rotating ? "turning"
                                     : "flash or virtual"));
  row(out, "reads, measured",
      r.disk.bytes_per_second ? rate_text(*r.disk.bytes_per_second)
                              : fmt::format("not: {}", r.disk.not_measured));
}

void packed_text(const PackedNeed& p, std::string& out) {
  out += "\nPacked weights\n";
  row(out, "memory", fmt::format("{} at most", bytes_text(p.bytes)));
  std::string cache =
      "none: with --pack-cache DIR they are packed once, and mapped at later starts";
  if (p.file_bytes)
    cache = fmt::format("{}: there, {}", p.file, bytes_text(*p.file_bytes));
  else if (!p.file.empty())
    cache = fmt::format("{}: not there; the next start writes it, {} are free", p.file,
                        text_or(p.free));
  row(out, "pack cache", cache);
}

std::string_view fit_text(Fit fit) {
  switch (fit) {
    case Fit::kYes:
      return "yes";
    case Fit::kTight:
      return "when others end";
    case Fit::kNo:
      return "no";
    case Fit::kUnknown:
      break;
  }
  return kUnknown;
}

std::string speed_text(double tokens) {
  if (tokens <= 0) return kUnknown;
  return tokens < 10 ? fmt::format("{:.1f}", tokens) : fmt::format("{:.0f}", tokens);
}

void models_text(const DoctorReport& r, std::string& out) {
  size_t width = 5;
  for (const ModelNeed& need : r.models) width = std::max(width, need.name.size());
  out += fmt::format("\nWhat would run, with {} tokens of context\n", count_text(kDoctorContext));
  out += fmt::format("  {:<{}}  {:<9}  {:>10}  {:<15}  {}\n", "model", width, "type", "memory",
                     "fits", "tokens/s at most");
  for (const ModelNeed& need : r.models) {
    const Fit fit = fit_of(need, r.machine);
    out +=
        fmt::format("  {:<{}}  {:<9}  {:>10}  {:<15}  {}\n", need.name, width,
                    or_unknown(need.type), bytes_text(need.needed()), fit_text(fit),
                    fit == Fit::kNo ? "-" : speed_text(most_tokens_per_second(need, r.bandwidth)));
  }
  out +=
      "  At most: each token reads the weights that it uses once, and memory is as fast as "
      "measured\n"
      "  above. It is an upper bound for one sequence without drafts, not a forecast. Q4 and Q8 "
      "stand\n"
      "  for 4.85 and 8.5 bits a weight, as files of Q4_K_M and Q8_0 have them.\n";
  if (!r.model_problem.empty()) out += fmt::format("  {}\n", r.model_problem);
}

}  // namespace

std::string doctor_text(const DoctorReport& r) {
  std::string out;
  processor_text(r, out);
  memory_text(r, out);
  disk_text(r, out);
  out += "\nGPUs\n";
  for (const Gpu& gpu : r.machine.gpus)
    row(out, gpu.name, gpu.place + "; Braid does not use it yet");
  if (r.machine.gpus.empty()) out += "  none found\n";
  models_text(r, out);
  if (r.packed) packed_text(*r.packed, out);
  const std::vector<std::string> warnings = warnings_of(r);
  out += warnings.empty() ? "\nNothing to complain about.\n" : "\nWarnings\n";
  for (const std::string& warning : warnings) out += fmt::format("  - {}\n", warning);
  return out;
}

nlohmann::ordered_json doctor_json(const DoctorReport& r) {
  using Json = nlohmann::ordered_json;
  const auto text = [](const std::string& s) { return s.empty() ? Json() : Json(s); };
  const auto count = [](int n) { return n > 0 ? Json(n) : Json(); };
  const auto maybe = [](const auto& value) { return value ? Json(*value) : Json(); };
  const auto rate = [](double value) { return value > 0 ? Json(std::llround(value)) : Json(); };
  const Machine& m = r.machine;
  Json caches = Json::array(), gpus = Json::array(), models = Json::array();
  for (const CpuCache& c : m.caches)
    caches.push_back(
        {{"level", c.level}, {"type", c.type}, {"bytes", c.bytes}, {"shared_by", c.shared_by}});
  for (const Gpu& gpu : m.gpus)
    gpus.push_back({{"name", gpu.name}, {"place", gpu.place}, {"used", false}});
  for (const ModelNeed& need : r.models) {
    const double speed = most_tokens_per_second(need, r.bandwidth);
    models.push_back({{"name", need.name},
                      {"type", text(need.type)},
                      {"bytes", need.bytes},
                      {"active_bytes", need.active_bytes > 0 ? Json(need.active_bytes) : Json()},
                      {"needed_bytes", need.needed()},
                      {"fits", fit_text(fit_of(need, m))},
                      {"tokens_per_second_upper_bound", speed > 0 ? Json(speed) : Json()}});
  }
  Json out;
  out["processor"] = {{"model", text(m.processor)},
                      {"physical_cores", count(m.physical)},
                      {"logical_cores", count(m.logical)},
                      {"threads", r.bandwidth.threads},
                      {"memory_nodes", count(m.numa_nodes)},
                      {"usable", layout_json(m.topology)},
                      {"caches", caches},
                      {"instructions", m.features},
                      {"usable_isas", r.isas},
                      {"isa", r.isas.empty() ? Json() : Json(r.isas.front())},
                      {"governor", text(m.governor)},
                      {"turbo", maybe(m.turbo)},
                      {"cpu_limit", maybe(m.cpu_limit)},
                      {"load", maybe(m.load)}};
  out["memory"] = {{"bytes", maybe(m.memory)},
                   {"available_bytes", maybe(m.available)},
                   {"limit_bytes", maybe(m.memory_limit)},
                   {"limit_used_bytes", maybe(m.memory_limit_used)},
                   {"swap_bytes", maybe(m.swap)},
                   {"swap_used_bytes", maybe(m.swap_used)},
                   {"transparent_huge_pages", text(m.transparent_huge_pages)},
                   {"huge_pages", maybe(m.huge_pages)},
                   {"huge_pages_free", maybe(m.huge_pages_free)},
                   {"lockable_bytes", maybe(r.locked_memory)},
                   {"bytes_per_second", rate(r.bandwidth.all_threads)},
                   {"bytes_per_second_one_thread", rate(r.bandwidth.one_thread)}};
  out["disk"] = {{"path", r.disk_path},
                 {"file_system", text(r.disk.file_system)},
                 {"name", text(r.disk.name)},
                 {"rotating", maybe(r.disk.rotating)},
                 {"bytes_per_second", rate(r.disk.bytes_per_second.value_or(0))},
                 {"not_measured", text(r.disk.not_measured)}};
  out["gpus"] = gpus;
  out["models"] = models;
  out["packed"] = Json();
  if (r.packed)
    out["packed"] = {{"bytes", r.packed->bytes},
                     {"file", text(r.packed->file)},
                     {"file_bytes", maybe(r.packed->file_bytes)},
                     {"free_bytes", maybe(r.packed->free)}};
  out["model_problem"] = text(r.model_problem);
  out["warnings"] = warnings_of(r);
  return out;
}

}  // namespace braid
