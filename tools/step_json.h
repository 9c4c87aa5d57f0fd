// What steps took, part by part, as the JSON of `braid bench` and `braid batched-bench` has it.
#pragma once

#include "tools/bench_model.h"

#include <nlohmann/json.hpp>

namespace braid {

// Bytes read in one of `repetitions` and their total.
nlohmann::ordered_json bytes_json(const StepCost& cost, uint64_t repetitions);
// Counters::busy_ns or waiting_ns in one of `repetitions`: the mean of so many threads.
nlohmann::ordered_json time_json(const StepCost& cost, uint64_t Counters::*time,
                                 uint64_t repetitions, int threads);

}  // namespace braid
