#include "base/check.h"
#include "tools/files.h"
#include "tools/sweep.h"

#include <nlohmann/json.hpp>

#include <filesystem>

namespace braid {

SweepRun read_sweep(const std::string& path) {
  SweepRun run{std::filesystem::path(path).stem().string(), {}};
  for_each_line(read_file(path), [&](std::string_view text, int64_t) {
    const auto line = nlohmann::json::parse(text, nullptr, false);
    const auto number = [&](const char* key) {
      const auto found = line.find(key);
      return found != line.end() && found->is_number() ? found->get<double>() : -1.0;
    };
    if (!line.is_object() || number("n_kv") < 0) return;
    SweepPoint p{static_cast<int64_t>(number("n_kv")), static_cast<int64_t>(number("pp")),
                 static_cast<int64_t>(number("tg")), 0, 0};
    const double pp = number("speed_pp"), tg = number("speed_tg");
    if (pp > 0 && p.pp > 0) p.t_pp = static_cast<double>(p.pp) / pp;
    if (tg > 0 && p.tg > 0) p.t_tg = static_cast<double>(p.tg) / tg;
    run.points.push_back(p);
  });
  if (run.points.empty())
    fail(
        "{}: no line of it is a measurement: write one with braid sweep --output-format jsonl, or "
        "llama-sweep-bench with the same option",
        path);
  return run;
}

}  // namespace braid
