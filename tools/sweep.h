// Speed against depth, as `braid sweep` measures and draws it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace braid {

// A row of llama-sweep-bench's table.
struct SweepPoint {
  int64_t n_kv = 0;           // tokens that are there before
  int64_t pp = 0, tg = 0;     // tokens
  double t_pp = 0, t_tg = 0;  // seconds
  double speed_pp() const { return t_pp > 0 ? static_cast<double>(pp) / t_pp : 0; }
  double speed_tg() const { return t_tg > 0 ? static_cast<double>(tg) / t_tg : 0; }
};

struct SweepRun {
  std::string name{};
  std::vector<SweepPoint> points{};
};

// Of lines of JSON as sweep and llama-sweep-bench write them; other lines are skipped. Throws Error
// when there is none among them.
SweepRun read_sweep(const std::string& path);

// One picture: prompt speed above, generation below, both against depth; a colour for each run.
std::string sweep_svg(const std::vector<SweepRun>& runs);

}  // namespace braid
