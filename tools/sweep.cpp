// braid sweep: speed against depth. At every depth it generates, steps back, and reads the next
// micro-batch, as llama-sweep-bench does and in its columns.
#include "tools/sweep.h"

#include "base/check.h"
#include "tools/bench_model.h"
#include "tools/cli.h"
#include "tools/files.h"
#include "tools/interrupt.h"
#include "tools/progress.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>

namespace braid {
namespace {

struct SweepOptions {
  std::string model, format = "md", plot;
  std::vector<std::string> plot_with;
  DeviceChoice device;
  EngineOptions engine{.context = 4096, .spare_slots = 1};
  int64_t batch = 2048, generate = 0, repeat_first = 1, stride = 1, seed = 1;
  bool warmup_batch = false, only_plot = false;
};

class Sweep {
 public:
  Sweep(const SweepOptions& o, BenchModel& model, const InterruptGuard& interrupt)
      : o_(o),
        model_(model),
        meter_(model, &interrupt),
        random_(model.engine().spec().vocabulary, static_cast<uint64_t>(o.seed)),
        sequence_(model.engine().new_sequence()) {
    const EngineOptions& planned = model.engine().options();
    prompt_ = planned.ubatch;
    generate_ = o.generate > 0 ? o.generate : std::max<int64_t>(1, prompt_ / 4);
    if (std::max(prompt_, generate_) > planned.context)
      fail(
          "-c {}: not even one row of {} tokens read and {} generated fits: take a larger -c, or "
          "a smaller -ub or -n",
          planned.context, prompt_, generate_);
  }

  int64_t rows() const {
    return (model_.engine().options().context - std::max(prompt_, generate_)) / prompt_ + 1;
  }

  // Untimed: a few tokens, or a whole micro-batch.
  void warm_up() {
    Sequence aside = sequence_.fork();
    StepCost untimed;
    meter_.prompt(aside, random_.next(o_.warmup_batch ? prompt_ : 1), prompt_, untimed);
    if (aside.length() < model_.engine().options().context)
      meter_.generate(aside, random_.next(1), untimed);
  }

  // The row at the present depth; without `keep` the depth stays.
  SweepPoint measure(bool keep) {
    SweepPoint point{sequence_.length(), prompt_, generate_, 0, 0};
    {
      Sequence aside = sequence_.fork();
      StepCost cost;
      meter_.generate(aside, random_.next(generate_), cost);
      point.t_tg = cost.seconds;
    }
    if (keep) {
      point.t_pp = read(sequence_);
    } else {
      Sequence aside = sequence_.fork();
      point.t_pp = read(aside);
    }
    return point;
  }
  void skip() { read(sequence_); }

 private:
  double read(Sequence& sequence) {
    StepCost cost;
    meter_.prompt(sequence, random_.next(prompt_), prompt_, cost);
    return cost.seconds;
  }

  const SweepOptions& o_;
  BenchModel& model_;
  StepMeter meter_;
  RandomTokens random_;
  Sequence sequence_;
  int64_t prompt_ = 0, generate_ = 0;
};

class SweepPrinter {
 public:
  SweepPrinter(const SweepOptions& o, BenchModel& model) : o_(o), model_(model) {
    if (o.format != "jsonl")
      fmt::print(
          "|{:>6} | {:>6} | {:>6} | {:>8} | {:>8} | {:>8} | {:>8} |\n"
          "|{:->6}-|{:->7}-|{:->7}-|{:->9}-|{:->9}-|{:->9}-|{:->9}-|\n",
          "PP", "TG", "N_KV", "T_PP s", "S_PP t/s", "T_TG s", "S_TG t/s", "", "", "", "", "", "",
          "");
  }
  void print(const SweepPoint& p) {
    if (o_.format == "jsonl") {
      const EngineOptions& planned = model_.engine().options();
      const Device& device = model_.engine().device();
      const nlohmann::ordered_json line = {{"n_kv_max", planned.context},
                                           {"n_batch", o_.batch},
                                           {"n_ubatch", planned.ubatch},
                                           {"flash_attn", 1},
                                           {"n_gpu_layers", 0},
                                           {"n_threads", device.threads(1)},
                                           {"n_threads_batch", device.threads(2)},
                                           {"pp", p.pp},
                                           {"tg", p.tg},
                                           {"n_kv", p.n_kv},
                                           {"t_pp", p.t_pp},
                                           {"speed_pp", p.speed_pp()},
                                           {"t_tg", p.t_tg},
                                           {"speed_tg", p.speed_tg()},
                                           {"model", model_.type()}};
      fmt::print("{}\n", line.dump());
    } else {
      fmt::print("|{:>6} | {:>6} | {:>6} | {:>8.3f} | {:>8.2f} | {:>8.3f} | {:>8.2f} |\n", p.pp,
                 p.tg, p.n_kv, p.t_pp, p.speed_pp(), p.t_tg, p.speed_tg());
    }
    std::fflush(stdout);
  }

 private:
  const SweepOptions& o_;
  BenchModel& model_;
};

SweepRun measure(const SweepOptions& o) {
  EngineOptions planned = o.engine;
  planned.ubatch = std::min(planned.ubatch, o.batch);
  if (planned.context > 0) planned.ubatch = std::min(planned.ubatch, planned.context);
  BenchModel model(o.model, o.device, planned);
  const InterruptGuard interrupt;
  Sweep sweep(o, model, interrupt);
  const int64_t rows = sweep.rows();
  Progress progress(rows + o.repeat_first - 1, "rows done");
  sweep.warm_up();
  progress.result();
  SweepPrinter printer(o, model);
  SweepRun run{fmt::format("{}, {} threads", model.type(), model.engine().device().threads(1)), {}};
  const auto note = [&](const SweepPoint& point) {
    run.points.push_back(point);
    printer.print(point);
    progress.advance(1);
  };
  for (int64_t i = 1; i < o.repeat_first; ++i) note(sweep.measure(false));
  for (int64_t row = 0; row < rows; ++row) {
    if (row % o.stride == 0) {
      note(sweep.measure(true));
    } else {
      sweep.skip();
      progress.advance(1);
    }
  }
  return run;
}

int run_sweep(const SweepOptions& o) {
  if (o.plot.empty() && (o.only_plot || !o.plot_with.empty()))
    fail("{} needs --plot: name the picture to draw", o.only_plot ? "--only-plot" : "--plot-with");
  if (o.only_plot && o.plot_with.empty())
    fail("--only-plot measures nothing: name measured runs with --plot-with");
  std::vector<SweepRun> runs;
  for (const std::string& path : o.plot_with) runs.push_back(read_sweep(path));
  if (!o.only_plot) runs.insert(runs.begin(), measure(o));
  if (!o.plot.empty()) write_file(o.plot, sweep_svg(runs));
  return kDone;
}

constexpr const char* kFooter =
    R"(A row for each depth 0, -ub, 2 -ub, ... while it fits into -c: -n tokens are generated there and
forgotten, then -ub tokens are read and stay. Each position gets a new random token. Options of
llama-sweep-bench that steer what Braid does not have are accepted with a note.

Examples:
  braid sweep -m model.gguf -c 10240 -ub 2048 -b 2048 -n 32 --warmup-batch
  braid sweep -m model.gguf -c 32768 --sweep-stride 8 --output-format jsonl > ours.jsonl
  braid sweep -m model.gguf -c 32768 --plot speed.svg --plot-with peer.jsonl
  braid sweep --only-plot --plot both.svg --plot-with ours.jsonl --plot-with peer.jsonl)";

}  // namespace

Command sweep_command(CLI::App& app) {
  const auto o = std::make_shared<SweepOptions>();
  CLI::App& command = *app.add_subcommand("sweep", "Measure speed against depth, and draw it");
  command.footer(kFooter);
  command
      .add_option("-m,--model", o->model,
                  "A GGUF file or a Hugging Face folder (default: the demo model)")
      ->type_name("FILE");
  add_engine_options(command, o->engine);
  add_integer(command, "-b,--batch-size", o->batch, 1, int64_t{1} << 30,
              "Bounds the micro-batch (default: 2048)");
  add_integer(command, "-n,--predict", o->generate, -1, int64_t{1} << 30,
              "Tokens to generate at each depth (default: a quarter of -ub)");
  command.add_flag("--warmup-batch", o->warmup_batch,
                   "Read a whole micro-batch before the first row, not just a token");
  add_integer(command, "--n-repetitions", o->repeat_first, 1, 1000000,
              "-nrep: times that the first row is measured (default: 1)");
  add_integer(command, "--sweep-stride", o->stride, 1, 1000000,
              "Measure every N-th row, only fill the others (default: 1)");
  command.add_option("--output-format", o->format, "Report; table is md (default: md)")
      ->type_name("md|table|jsonl")
      ->check(CLI::IsMember({"md", "table", "jsonl"}).description(""));
  command.add_option("--plot", o->plot, "Draw speed against depth into this SVG file")
      ->type_name("FILE");
  command
      .add_option("--plot-with", o->plot_with,
                  "Lines of JSON of another run, ours or a peer's, for the same picture; may be "
                  "given several times")
      ->type_name("FILE")
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->allow_extra_args(false);
  command.add_flag("--only-plot", o->only_plot, "Measure nothing, draw what --plot-with names");
  add_integer(command, "-s,--seed", o->seed, 0, int64_t{1} << 31,
              "Of the random tokens (default: 1)");
  add_device_options(command, o->device);
  return {&command, [o] { return run_sweep(*o); }};
}

}  // namespace braid
