// A device that computes nothing: it takes the shapes, the packing and the programs of another
// device and counts. What it allocates is a number, so a model of any size can be planned on any
// machine.
#pragma once

#include "device/device.h"

#include <cstdint>
#include <memory>
#include <vector>

namespace braid {

// Wraps a device whose op table, packing and thread count are measured. Its memory stays untouched.
std::unique_ptr<Device> open_measure_device(std::unique_ptr<Device> like);

// What one recorded operation costs for a number of rows.
struct OpCost {
  const char* name = "";
  int phases = 0;
  size_t workspace = 0;
  // Weight bytes read. Experts make the difference: at least as many as one row calls, at most as
  // many as all rows could call; everything else is read once whatever the rows.
  uint64_t least_bytes = 0, most_bytes = 0;
  double matmul_flops = 0;  // 2 x weights x rows; experts: those that the rows call
};

std::vector<OpCost> op_costs(const Program& program, int64_t rows, int64_t logit_rows);
OpCost total_cost(const Program& program, int64_t rows, int64_t logit_rows);

}  // namespace braid
