// Runs the cases of `braid bench`, one after the other; an engine is kept while cases share it.
#pragma once

#include "tools/bench_model.h"
#include "tools/bench_plan.h"
#include "tools/interrupt.h"
#include "tools/machine_speed.h"
#include "tools/progress.h"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace braid {

struct BenchResult {
  BenchCase bench;
  int threads = 0;             // that the engine really has, for generating where it does both
  bool mixed_threads = false;  // and others for reading
  std::string device, model_path, model_type;
  int64_t weights = 0;
  size_t model_bytes = 0;
  std::string started;          // ISO 8601, UTC
  std::vector<double> seconds;  // of each repetition
  StepCost cost;                // of all of them
  MachineSpeed machine;         // zeros where nothing was measured

  std::vector<double> tokens_per_second() const;
};

class BenchRunner {
 public:
  // The guard outlives the runner.
  BenchRunner(const BenchOptions& options, const InterruptGuard& interrupt)
      : options_(options), interrupt_(interrupt) {}

  // How many runs, warm-ups included, a case takes: for the progress line.
  int64_t runs() const { return options_.repetitions + (options_.warmup != 0 ? 1 : 0); }
  // Throws Error, and Interrupted.
  BenchResult run(const BenchCase& bench, Progress& progress);

 private:
  void open(const BenchCase& bench);
  StepCost once(const BenchCase& bench, const Sequence& filled, const BenchTest& test);

  const BenchOptions& options_;
  const InterruptGuard& interrupt_;
  std::optional<BenchCase> opened_;
  std::unique_ptr<BenchModel> model_;
  std::unique_ptr<StepMeter> meter_;
  std::map<int, MachineSpeed> speeds_;  // by number of threads
  uint64_t tokens_seed_ = 0;            // of the next run
};

}  // namespace braid
