// Mean and standard deviation of repeated measurements.
#pragma once

#include <cmath>
#include <numeric>
#include <vector>

namespace braid {

struct Statistics {
  double mean = 0, deviation = 0;  // of a sample: over n - 1, 0 for one value
};

inline Statistics statistics(const std::vector<double>& values) {
  Statistics s;
  if (values.empty()) return s;
  const auto n = static_cast<double>(values.size());
  s.mean = std::accumulate(values.begin(), values.end(), 0.0) / n;
  double squares = 0;
  for (const double v : values) squares += (v - s.mean) * (v - s.mean);
  if (values.size() > 1) s.deviation = std::sqrt(squares / (n - 1));
  return s;
}

}  // namespace braid
