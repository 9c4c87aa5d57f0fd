// braid probe: what this machine could give, measured: reads of memory, arithmetic, barriers, disk.
#include "base/check.h"
#include "base/team.h"
#include "device/cpu/cpu_device.h"
#include "tools/cli.h"
#include "tools/doctor.h"
#include "tools/machine_speed.h"
#include "tools/options.h"

#include <fmt/format.h>

#include <filesystem>
#include <memory>

namespace braid {
namespace {

struct ProbeOptions {
  int64_t threads = 0;
  std::string file;
  bool json = false;
};

struct ProbeReport {
  Machine machine{};
  int threads = 0;
  std::vector<std::string> isas{};
  Bandwidth bandwidth{};
  std::vector<Peak> peaks{};
  double barrier = 0;  // seconds
  std::string file{};
  Disk disk{};
};

ProbeReport measure(const ProbeOptions& o) {
  ProbeReport r;
  r.machine = read_machine("");
  r.isas = cpu::usable_isas();
  r.threads = o.threads > 0 ? static_cast<int>(o.threads) : this_topology().default_threads();
  r.file = o.file;
  if (!o.file.empty()) {
    std::error_code failed;
    if (!std::filesystem::is_regular_file(o.file, failed))
      fail("--file {}: is no file that can be read: name a large file on the disk to measure",
           o.file);
    r.disk = read_disk("", o.file);
    measure_disk(o.file, r.disk);
  }
  r.bandwidth = measure_bandwidth(bandwidth_bytes(r.machine), r.threads);
  r.peaks = measure_peaks(r.threads);
  r.barrier = measure_barrier(r.threads);
  return r;
}

std::string rate_text(double per_second, const char* unit) {
  return per_second > 0 ? fmt::format("{:.1f} {}", per_second / 1e9, unit) : "unknown";
}

std::string probe_text(const ProbeReport& r) {
  std::string sets, text;
  const std::string threads = fmt::format("{} thread{}", r.threads, r.threads == 1 ? "" : "s");
  for (const std::string& isa : r.isas) sets += (sets.empty() ? "" : ", ") + isa;
  text += fmt::format("{}, {}; instruction sets: {}\n\n",
                      r.machine.processor.empty() ? "unknown processor" : r.machine.processor,
                      threads, sets);
  const auto row = [&](const std::string& what, const std::string& one, const std::string& all) {
    text += fmt::format("{:<34} {:>15}", what, one);
    text += r.threads == 1 ? "\n" : fmt::format(" {:>15}\n", all);
  };
  row("", "one thread", r.threads == 1 ? "" : threads);
  row("reads of memory", rate_text(r.bandwidth.one_thread, "GB/s"),
      rate_text(r.bandwidth.all_threads, "GB/s"));
  for (const Peak& p : r.peaks)
    row(fmt::format("{} ({}: {})", p.kind, p.isa, p.instruction), rate_text(p.one_thread, "Gop/s"),
        rate_text(p.all_threads, "Gop/s"));
  const std::string barrier = fmt::format("{:.0f} ns", r.barrier * 1e9);
  row("barrier", r.threads == 1 ? barrier : "", barrier);
  if (!r.file.empty())
    row("disk, past the page cache",
        r.disk.bytes_per_second ? rate_text(*r.disk.bytes_per_second, "GB/s")
                                : "not: " + r.disk.not_measured,
        "");
  return text +
         "\nThe best of many short runs. Gop/s count a multiply-add as two; int8 and bf16 are dot\n"
         "products, f32 is a fused multiply-add where there is one.\n";
}

nlohmann::ordered_json probe_json(const ProbeReport& r) {
  nlohmann::ordered_json j;
  j["processor"] = r.machine.processor;
  j["threads"] = r.threads;
  j["isas"] = r.isas;
  j["read_bytes_per_second"] = {{"one_thread", r.bandwidth.one_thread},
                                {"all_threads", r.bandwidth.all_threads}};
  j["peaks"] = nlohmann::ordered_json::array();
  for (const Peak& p : r.peaks)
    j["peaks"].push_back({{"kind", p.kind},
                          {"isa", p.isa},
                          {"instruction", p.instruction},
                          {"one_thread", p.one_thread},
                          {"all_threads", p.all_threads}});
  j["barrier_ns"] = r.barrier * 1e9;
  if (!r.file.empty()) {
    j["disk"]["file"] = r.file;
    j["disk"]["bytes_per_second"] = nullptr;
    if (r.disk.bytes_per_second) j["disk"]["bytes_per_second"] = *r.disk.bytes_per_second;
    j["disk"]["not_measured"] = r.disk.not_measured;
  }
  return j;
}

int run_probe(const ProbeOptions& o) {
  const ProbeReport report = measure(o);
  if (o.json)
    fmt::print("{}\n",
               probe_json(report).dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
  else
    fmt::print("{}", probe_text(report));
  return kDone;
}

constexpr const char* kFooter =
    R"(Takes about three seconds. Other programs that run meanwhile take their part: measure several
times. docs/bench.md says what the figures mean for a model.

Examples:
  braid probe
  braid probe -t 1 --json
  braid probe --file model.gguf     # also how fast the disk gives this file)";

}  // namespace

Command probe_command(CLI::App& app) {
  const auto o = std::make_shared<ProbeOptions>();
  CLI::App& command = *app.add_subcommand(
      "probe", "Measure what this machine could give: memory, arithmetic, barriers, disk");
  add_integer(command, "-t,--threads", o->threads, 0, 1024,
              "Threads (default: one per core but slow ones)");
  command.add_option("--file", o->file, "A large file, to read it past the page cache")
      ->type_name("FILE");
  command.add_flag("--json", o->json, "For scripts: one JSON object");
  command.footer(kFooter);
  return {&command, [o] { return run_probe(*o); }};
}

}  // namespace braid
