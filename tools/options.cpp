#include "tools/options.h"

#include "base/check.h"
#include "device/cpu/cpu_device.h"

#include <array>

namespace braid {
namespace {

struct CacheType {
  const char* name;
  DType type;
};
constexpr std::array<CacheType, 4> kCacheTypes = {
    {{"f16", DType::F16}, {"bf16", DType::BF16}, {"f32", DType::F32}, {"q8_0", DType::Q8_0}}};

void add_cache_type(CLI::App& command, const std::string& names, DType& type,
                    const std::string& help) {
  command
      .add_option_function<std::string>(
          names,
          [&type, names](const std::string& name) {
            try {
              type = cache_type(name);
            } catch (const Error& error) {
              throw CLI::ValidationError(names, error.what());
            }
          },
          help)
      ->type_name("f16|bf16|f32|q8_0");
}

}  // namespace

void add_device_options(CLI::App& command, DeviceChoice& choice) {
  command
      .add_option("-t,--threads", choice.options.threads,
                  "Threads (default: one per core but slow ones)")
      ->type_name("N")
      ->check(CLI::Range(0, 1024).description(""));
  command
      .add_option("--threads-batch", choice.options.threads_batch,
                  "-tb: threads for steps of more than one token (default: as -t)")
      ->type_name("N")
      ->check(CLI::Range(0, 1024).description(""));
  add_device_kind_options(command, choice);
}

void add_device_kind_options(CLI::App& command, DeviceChoice& choice) {
  command
      .add_option("--device", choice.name,
                  "cpu, or ref: slow and plain, what cpu is checked against (default: cpu)")
      ->type_name("cpu|ref");
  command.add_option("--isa", choice.options.isa, "Instruction set (default: the best there is)")
      ->type_name(fmt::format("{}", fmt::join(cpu::built_isas(), "|")));
  command
      .add_option_function<std::string>(
          "--pin", [&choice](const std::string& name) { choice.options.pin = pin_of(name); },
          "How firmly threads are bound: auto leaves it to the system unless there are several "
          "memory nodes or slower cores (default: auto)")
      ->type_name("auto|off|node|cache|core")
      ->check(CLI::IsMember({"auto", "off", "node", "cache", "core"}).description(""));
  command
      .add_option("--pack-cache", choice.options.pack_cache,
                  "Keep packed weights in this folder, so that the next start only maps them")
      ->type_name("DIR");
}

std::unique_ptr<Device> open_device(const DeviceChoice& choice) {
  return open_device(choice.name, choice.options);
}

void add_engine_options(CLI::App& command, EngineOptions& options) {
  if (options.context > 0)
    add_integer(command, "-c,--ctx-size", options.context, 1, int64_t{1} << 30,
                fmt::format("Tokens of a sequence (default: {})", options.context));
  else
    add_integer(command, "-c,--ctx-size", options.context, 0, int64_t{1} << 30,
                "Tokens of a sequence; 0: all that the model was trained on (default: that, at "
                "most 32768)");
  add_integer(command, "--ubatch-size", options.ubatch, 1, 65536,
              fmt::format("-ub: most rows of a step (default: {})", options.ubatch));
  add_cache_type_options(command, options);
}

void add_cache_type_options(CLI::App& command, EngineOptions& options) {
  add_cache_type(command, "--cache-type-k", options.key_type,
                 "-ctk: how keys are kept (default: f16)");
  add_cache_type(command, "--cache-type-v", options.value_type, "-ctv: the same for values");
}

CLI::Option* add_integer(CLI::App& command, const std::string& names, int64_t& value, int64_t min,
                         int64_t max, const std::string& help) {
  return command.add_option(names, value, help)
      ->type_name("N")
      ->check(CLI::Range(min, max).description(""));
}

DType cache_type(const std::string& name) {
  std::string known;
  for (const CacheType& t : kCacheTypes) {
    if (name == t.name) return t.type;
    known += fmt::format("{}{}", known.empty() ? "" : ", ", t.name);
  }
  fail("keys and values cannot be kept as \"{}\"; Braid has {}", name, known);
}

std::string cache_type_name(DType type) {
  for (const CacheType& t : kCacheTypes)
    if (type == t.type) return t.name;
  return std::string(info(type).name);
}

}  // namespace braid
