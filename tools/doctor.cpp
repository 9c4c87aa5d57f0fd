// braid doctor: what this machine has, what holds it back, and what would run well on it.
#include "tools/doctor.h"

#include "base/team.h"
#include "device/cpu/cpu_device.h"
#include "format/open.h"
#include "tools/cli.h"
#include "tools/options.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <memory>

namespace braid {
namespace {

struct DoctorOptions {
  std::string model, pack_cache;
  int64_t threads = 0;
  bool json = false;
};

// The file, and of several the largest: enough of it for a measurement.
std::string largest_file(const TensorFile& file) {
  const auto tensors = file.tensors();
  const auto largest = std::max_element(
      tensors.begin(), tensors.end(),
      [](const FileTensor& a, const FileTensor& b) { return a.bytes.size() < b.bytes.size(); });
  return largest == tensors.end() ? file.path() : largest->path;
}

int run_doctor(const DoctorOptions& o) {
  DoctorReport r;
  r.machine = read_machine("");
  r.locked_memory = locked_memory_limit();
  r.isas = cpu::usable_isas();
  r.disk_path = o.model.empty() ? std::filesystem::current_path().string() : o.model;
  r.disk = read_disk("", r.disk_path);
  if (o.model.empty()) {
    r.disk.not_measured = "name a model with -m, to read from it";
    r.models = known_models();
  } else {
    const auto file = open_model_file(o.model);
    measure_disk(largest_file(*file), r.disk);
    r.models = {need_of(*file)};
    if (r.models[0].active_bytes == 0)
      r.model_problem = "Braid does not know this kind of model: braid inspect says more.";
    else
      r.packed = packed_need_of(*file, o.pack_cache);
  }
  r.bandwidth = measure_bandwidth(bandwidth_bytes(r.machine), static_cast<int>(o.threads));
  if (o.json)
    fmt::print("{}\n",
               doctor_json(r).dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
  else
    fmt::print("{}", doctor_text(r));
  return kDone;
}

constexpr const char* kFooter =
    R"(Examples:
  braid doctor
  braid doctor -m model.gguf      # also the disk's speed, and this model's needs
  braid doctor --json)";

}  // namespace

Command doctor_command(CLI::App& app) {
  const auto o = std::make_shared<DoctorOptions>();
  CLI::App& command = *app.add_subcommand(
      "doctor", "Show what this machine has, what holds it back, and what would run");
  command.add_option("-m,--model", o->model, "A model to reckon with, instead of the known ones")
      ->type_name("FILE");
  add_integer(command, "-t,--threads", o->threads, 0, 1024,
              "Threads of the measurement (default: one per core but slow ones)");
  command
      .add_option("--pack-cache", o->pack_cache,
                  "The folder of packed weights: whether it has the model's, or room for them")
      ->type_name("DIR");
  command.add_flag("--json", o->json, "For scripts: one JSON object");
  command.footer(kFooter);
  return {&command, [o] { return run_doctor(*o); }};
}

}  // namespace braid
