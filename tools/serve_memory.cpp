#include "tools/serve_memory.h"

#include "base/system_files.h"
#include "device/measure/measure_device.h"
#include "format/open.h"
#include "state/pool.h"
#include "tools/units.h"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>

namespace braid {
namespace {

constexpr int kUsualSlots = 4;
constexpr size_t kMiB = size_t{1} << 20;
// Bodies of requests, threads, the allocator's own.
constexpr size_t kBeside = 128 * kMiB;
constexpr int64_t kMostSnapshots = 512;  // by default

std::optional<int64_t> number_in(const std::string& path) { return number_at(read_text(path)); }

// "inactive_file 123" of memory.stat: pages of files that nobody looked at lately.
int64_t field_of(const std::string& path, std::string_view name) {
  for (const std::string& line : lines_of(read_text(path))) {
    if (!line.starts_with(name) || line.size() <= name.size() || line[name.size()] != ' ') continue;
    return std::max<int64_t>(0, number_at(line.substr(name.size() + 1)).value_or(0));
  }
  return 0;
}

std::optional<int64_t> left_in_group(const std::string& folder, int version) {
  const bool second = version == 2;
  const auto limit = number_in(folder + (second ? "memory.max" : "memory.limit_in_bytes"));
  const auto used = number_in(folder + (second ? "memory.current" : "memory.usage_in_bytes"));
  // The first version says "no limit" with a number near the largest one.
  if (!limit || !used || *limit >= int64_t{1} << 60) return std::nullopt;
  const int64_t caches =
      field_of(folder + "memory.stat", second ? "inactive_file" : "total_inactive_file");
  return std::max<int64_t>(0, *limit - *used + std::min(caches, *used));
}

size_t part(size_t bytes, double share) {
  return static_cast<size_t>(static_cast<double>(bytes) * share);
}

}  // namespace

std::optional<size_t> available_memory(const std::string& root) {
  std::optional<int64_t> left;
  const auto take = [&](std::optional<int64_t> bytes) {
    if (bytes) left = left ? std::min(*left, *bytes) : *bytes;
  };
  if (const auto kib = number_at(value_of(read_text(root + "/proc/meminfo"), "MemAvailable")))
    take(*kib * 1024);
  for_each_control_group(root, "memory", [&](const std::string& folder, int version) {
    take(left_in_group(folder, version));
  });
  return left ? std::optional(static_cast<size_t>(*left)) : std::nullopt;
}

ServeNeeds needs_of(const ModelChoice& choice, int slots) {
  const auto file = open_model_file(find_model(choice.path));
  const auto device = open_measure_device(open_device(choice.device));
  EngineOptions options = choice.engine;
  options.sequences = slots;
  options.spare_slots = 0;
  options.pages = 1;
  options.ubatch = std::min(options.ubatch, choice.batch);
  if (options.context > 0) options.ubatch = std::min(options.ubatch, options.context);
  const Engine engine(*file, *device, options);
  const MemoryPlan plan = engine.memory();
  const StateSpec& state = engine.spec().state;
  return {.weights = plan.weights,
          .working = plan.scratch + plan.workspace + plan.buffers,
          .slot = StatePool::slot_bytes(state),
          .page = StatePool::page_bytes(state, options.key_type, options.value_type),
          .context = engine.options().context};
}

ServeMemory divide_memory(const ServeNeeds& needs, const ServeWishes& wishes) {
  ServeMemory m;
  const int64_t whole = StatePool::pages_for(needs.context);  // pages of one request at its longest
  const size_t page = std::max<size_t>(needs.page, 1);
  const size_t fixed = needs.weights + needs.working + kBeside;
  // Without a word from the system as much as all slots could use once over.
  const size_t assumed = fixed + kUsualSlots * (needs.slot + 4 * static_cast<size_t>(whole) * page);
  const size_t available = wishes.available.value_or(assumed);
  const auto left = [&](int slots) {
    const size_t taken = fixed + static_cast<size_t>(slots) * needs.slot;
    return available > taken ? available - taken : 0;
  };
  m.slots = wishes.slots.value_or(kUsualSlots);
  // Two requests side by side need pages; one alone at least those of a whole context.
  if (!wishes.slots)
    while (m.slots > 1 && left(m.slots) < 2 * static_cast<size_t>(whole) * page) --m.slots;

  const size_t room = left(m.slots);
  const size_t most = 2 * static_cast<size_t>(whole) * static_cast<size_t>(m.slots) * page;
  const size_t least = static_cast<size_t>(whole) * page;
  m.kv_bytes = wishes.kv_bytes.value_or(std::clamp(part(room, 0.5), least, std::max(least, most)));
  m.pages = std::max<int64_t>(1, static_cast<int64_t>(m.kv_bytes / page));
  m.kv_bytes = static_cast<size_t>(m.pages) * page;
  m.snapshot_bytes = wishes.snapshot_bytes.value_or(
      std::min(part(room, 0.25), static_cast<size_t>(kMostSnapshots) * needs.slot));

  // An answer without a bound is promised pages up to the end of the context: where not all slots
  // can have those, a few such requests would hold all others up.
  if (m.pages < whole * m.slots)
    m.max_tokens =
        std::max<int64_t>(1, std::min(needs.context, m.pages * kPageTokens / m.slots) / 2);
  const size_t total = fixed + static_cast<size_t>(m.slots) * needs.slot + m.kv_bytes;
  if (total > available)
    m.warning = fmt::format(
        "{} are planned and {} are available: it will swap or be ended by the system. Take a "
        "shorter context (-c), fewer sequences (--parallel) or a smaller model",
        bytes_text(total), bytes_text(available));
  else if (m.pages < whole)
    m.warning = fmt::format(
        "keys and values have room for {} tokens, less than the context of {}: longer requests "
        "are refused (raise --kv-memory, or say -c {})",
        m.pages * kPageTokens, needs.context, m.pages * kPageTokens);
  return m;
}

std::string memory_text(const ServeNeeds& needs, const ServeMemory& m,
                        std::optional<size_t> available) {
  const size_t slots = static_cast<size_t>(m.slots) * needs.slot;
  const size_t total = needs.weights + needs.working + slots + m.kv_bytes + m.snapshot_bytes;
  return fmt::format(
      "memory: {}{}: weights {}, steps {}, {} sequences {}, keys and values {} ({} tokens), "
      "snapshots up to {}",
      bytes_text(total),
      available ? fmt::format(" of {} available", bytes_text(*available)) : std::string(),
      bytes_text(needs.weights), bytes_text(needs.working), m.slots, bytes_text(slots),
      bytes_text(m.kv_bytes), count_text(m.pages * kPageTokens), bytes_text(m.snapshot_bytes));
}

}  // namespace braid
