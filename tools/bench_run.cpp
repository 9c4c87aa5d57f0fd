#include "tools/bench_run.h"

#include "base/topology.h"
#include "tools/doctor.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <numeric>
#include <thread>

namespace braid {
namespace {

std::string now_text() {
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr)));
}

}  // namespace

std::vector<double> BenchResult::tokens_per_second() const {
  std::vector<double> rates;
  for (const double s : seconds) rates.push_back(static_cast<double>(bench.test.timed()) / s);
  return rates;
}

void BenchRunner::open(const BenchCase& bench) {
  if (opened_ && opened_->same_engine(bench)) return;
  meter_.reset();
  model_.reset();  // before the next one takes its memory
  opened_.reset();
  DeviceChoice device = options_.device;
  const auto or_usual = [](int threads) {
    return threads > 0 ? threads : this_topology().default_threads();
  };
  device.options.threads = or_usual(bench.threads_generate);
  device.options.threads_batch = or_usual(bench.threads_batch);
  for (const int threads : {device.options.threads, device.options.threads_batch})
    if (!options_.no_probe && !speeds_.contains(threads))
      speeds_[threads] = measure_int8(threads, device.options.isa);
  EngineOptions engine{.context = bench.context,
                       .spare_slots = 1,
                       .ubatch = std::min({bench.ubatch, bench.batch, bench.context}),
                       .key_type = bench.key_type,
                       .value_type = bench.value_type};
  model_ = std::make_unique<BenchModel>(bench.model, device, engine);
  meter_ = std::make_unique<StepMeter>(*model_, &interrupt_);
  opened_ = bench;
}

// The timed part of a test, on a copy of the filled context.
StepCost BenchRunner::once(const BenchCase& bench, const Sequence& filled, const BenchTest& test) {
  // A seed of its own for each run of each test: what came before changes nothing.
  RandomTokens random(model_->engine().spec().vocabulary, tokens_seed_++);
  const int64_t prompt = test.kind == BenchKind::kGenerateAfter ? 0 : test.prompt;
  const std::vector<int32_t> read = random.next(prompt), generated = random.next(test.generate);
  Sequence sequence = filled.fork();
  StepCost cost;
  meter_->prompt(sequence, read, bench.batch, cost);
  meter_->generate(sequence, generated, cost);
  return cost;
}

BenchResult BenchRunner::run(const BenchCase& bench, Progress& progress) {
  if (opened_ && options_.delay > 0)
    std::this_thread::sleep_for(std::chrono::seconds(options_.delay));
  open(bench);
  Engine& engine = model_->engine();
  BenchResult result;
  result.bench = bench;
  const bool reads = bench.test.kind == BenchKind::kPrompt;
  result.threads = engine.device().threads(reads ? 2 : 1);
  result.mixed_threads =
      bench.test.kind == BenchKind::kPromptGenerate && engine.device().threads(2) != result.threads;
  result.device = engine.device().name();
  result.model_path = model_->path();
  result.model_type = model_->type();
  result.weights = model_->weights();
  result.model_bytes = model_->bytes();
  result.started = now_text();
  if (const auto found = speeds_.find(result.threads); found != speeds_.end())
    result.machine = found->second;

  tokens_seed_ = static_cast<uint64_t>(options_.seed) << 32;
  if (options_.warmup != 0) {
    // As llama-bench: the whole prompt, or one token.
    BenchTest test = bench.test;
    test.generate = std::min<int64_t>(test.generate, 1);
    once(bench, engine.new_sequence(), test);
    progress.advance(1);
  }
  Sequence filled = engine.new_sequence();
  StepCost untimed;
  RandomTokens random(engine.spec().vocabulary, tokens_seed_++);
  meter_->prompt(filled, random.next(bench.test.untimed()), bench.batch, untimed);
  std::optional<ReadProbe> reads_probe;
  if (!options_.no_probe) reads_probe.emplace(result.threads, bandwidth_bytes(read_machine("")));
  std::vector<double> samples;
  const auto sample = [&] {
    if (reads_probe) samples.push_back(reads_probe->sample());
  };
  for (int64_t i = 0; i < options_.repetitions; ++i) {
    sample();
    const StepCost cost = once(bench, filled, bench.test);
    result.seconds.push_back(cost.seconds);
    result.cost += cost;
    progress.advance(1);
  }
  sample();
  // What memory gave around the repetitions, not at the start of the program.
  if (!samples.empty())
    result.machine.read_bytes =
        std::accumulate(samples.begin(), samples.end(), 0.0) / static_cast<double>(samples.size());
  return result;
}

}  // namespace braid
