// braid batched-bench: many sequences at once. Options and columns are llama-batched-bench's.
#include "base/check.h"
#include "tools/bench_model.h"
#include "tools/cli.h"
#include "tools/doctor.h"
#include "tools/interrupt.h"
#include "tools/machine_speed.h"
#include "tools/number_lists.h"
#include "tools/progress.h"
#include "tools/step_json.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdio>
#include <memory>

namespace braid {
namespace {

struct BatchedOptions {
  std::string model, format = "md";
  std::vector<int64_t> prompt, generate, sequences;
  bool shared_prompt = false, no_probe = false;
  DeviceChoice device;
  EngineOptions engine{.context = 0};
  int64_t batch = 2048, seed = 1;
};

struct BatchedCase {
  int64_t prompt = 0, generate = 0, sequences = 1;
  bool shared = false;

  // Of all sequences together.
  int64_t tokens() const {
    return shared ? prompt + sequences * generate : sequences * (prompt + generate);
  }
  int64_t read() const { return shared ? prompt : sequences * prompt; }
};

struct BatchedResult {
  BatchedCase batched{};
  StepCost prompt{}, generate{};
  MachineSpeed machine{};  // zeros where nothing was measured
};

// llama-batched-bench leaves out what does not fit; here it is said.
std::vector<BatchedCase> cases_of(const BatchedOptions& o) {
  const auto usual = [](std::vector<int64_t> given, std::vector<int64_t> otherwise) {
    return given.empty() ? otherwise : given;
  };
  std::vector<BatchedCase> cases;
  for (const int64_t prompt : usual(o.prompt, {128, 512}))
    for (const int64_t generate : usual(o.generate, {32}))
      for (const int64_t sequences : usual(o.sequences, {1, 2, 4, 8})) {
        const BatchedCase one{prompt, generate, sequences, o.shared_prompt};
        if (o.engine.context > 0 && one.tokens() > o.engine.context)
          fmt::print(stderr,
                     "braid: left out: {} tokens read, {} generated, {} sequences: needs {} "
                     "tokens, -c is {}\n",
                     prompt, generate, sequences, one.tokens(), o.engine.context);
        else
          cases.push_back(one);
      }
  if (cases.empty()) fail("-c {}: nothing that was asked for fits", o.engine.context);
  return cases;
}

class BatchedRunner {
 public:
  BatchedRunner(BenchModel& model, int64_t batch, int64_t seed, const InterruptGuard& interrupt)
      : model_(model),
        meter_(model, &interrupt),
        rows_(std::min(batch, model.engine().options().ubatch)),
        random_(model.engine().spec().vocabulary, static_cast<uint64_t>(seed)) {}

  void warm_up() {
    BatchedResult untimed;
    std::vector<Sequence> one;
    one.push_back(model_.engine().new_sequence());
    read(one, std::min<int64_t>(16, model_.engine().options().context), untimed.prompt);
  }

  BatchedResult run(const BatchedCase& c) {
    BatchedResult result;
    result.batched = c;
    std::vector<Sequence> sequences;
    const int64_t readers = c.shared ? 1 : c.sequences;
    for (int64_t i = 0; i < readers; ++i) sequences.push_back(model_.engine().new_sequence());
    read(sequences, c.prompt, result.prompt);
    while (static_cast<int64_t>(sequences.size()) < c.sequences)
      sequences.push_back(sequences[0].fork());
    for (int64_t i = 0; i < c.generate; ++i) generate(sequences, result.generate);
    return result;
  }

 private:
  // Prompts one after the other, cut where a step is full: a step may hold the end of one and the
  // beginning of the next.
  void read(std::vector<Sequence>& sequences, int64_t prompt, StepCost& cost) {
    const auto n = static_cast<int64_t>(sequences.size());
    const std::vector<int32_t> tokens = random_.next(n * prompt);
    std::vector<Feed> feeds;
    for (int64_t at = 0; at < n * prompt;) {
      feeds.clear();
      for (int64_t left = std::min(rows_, n * prompt - at); left > 0;) {
        const int64_t take = std::min(left, prompt - at % prompt);
        const bool last = (at + take) % prompt == 0;
        feeds.push_back(
            {&sequences[static_cast<size_t>(at / prompt)],
             std::span(tokens).subspan(static_cast<size_t>(at), static_cast<size_t>(take)),
             last ? 1 : 0});
        at += take;
        left -= take;
      }
      meter_.step(feeds, cost);
    }
  }

  void generate(std::vector<Sequence>& sequences, StepCost& cost) {
    const std::vector<int32_t> tokens = random_.next(static_cast<int64_t>(sequences.size()));
    std::vector<Feed> feeds;
    for (size_t i = 0; i < sequences.size(); ++i)
      feeds.push_back({&sequences[i], std::span(tokens).subspan(i, 1), 1});
    meter_.step(feeds, cost);
  }

  BenchModel& model_;
  StepMeter meter_;
  int64_t rows_;
  RandomTokens random_;
};

std::string head() {
  return fmt::format(
      "|{:>6} | {:>6} | {:>4} | {:>6} | {:>8} | {:>8} | {:>8} | {:>8} | {:>8} | {:>8} |\n"
      "|{:->6}-|-{:->6}-|-{:->4}-|-{:->6}-|-{:->8}-|-{:->8}-|-{:->8}-|-{:->8}-|-{:->8}-|-{:->8}-|"
      "\n",
      "PP", "TG", "B", "N_KV", "T_PP s", "S_PP t/s", "T_TG s", "S_TG t/s", "T s", "S t/s", "", "",
      "", "", "", "", "", "", "", "");
}

std::string row(const BatchedResult& r, const std::string& format, BenchModel& model) {
  const BatchedCase& c = r.batched;
  const double t_pp = r.prompt.seconds, t_tg = r.generate.seconds, t = t_pp + t_tg;
  const auto speed = [](int64_t tokens, double seconds) {
    return seconds > 0 ? static_cast<double>(tokens) / seconds : 0.0;
  };
  const double s_pp = speed(c.read(), t_pp), s_tg = speed(c.sequences * c.generate, t_tg),
               s = speed(c.tokens(), t);
  if (format != "jsonl")
    return fmt::format(
        "|{:>6} | {:>6} | {:>4} | {:>6} | {:>8.3f} | {:>8.2f} | {:>8.3f} | {:>8.2f} | {:>8.3f} | "
        "{:>8.2f} |\n",
        c.prompt, c.generate, c.sequences, c.tokens(), t_pp, s_pp, t_tg, s_tg, t, s);
  const StepCost& g = r.generate;
  const Device& device = model.engine().device();
  nlohmann::ordered_json line = {
      {"n_kv_max", model.engine().options().context * model.engine().options().sequences},
      {"n_batch", model.engine().options().ubatch},
      {"n_ubatch", model.engine().options().ubatch},
      {"flash_attn", 1},
      {"is_pp_shared", c.shared ? 1 : 0},
      {"n_gpu_layers", 0},
      {"n_threads", device.threads(1)},
      {"n_threads_batch", device.threads(2)},
      {"pp", c.prompt},
      {"tg", c.generate},
      {"pl", c.sequences},
      {"n_kv", c.tokens()},
      {"t_pp", t_pp},
      {"speed_pp", s_pp},
      {"t_tg", t_tg},
      {"speed_tg", s_tg},
      {"t", t},
      {"speed", s}};
  const auto add = [&](const char* key, bool there, double value) {
    line[key] = there ? nlohmann::ordered_json(value) : nlohmann::ordered_json(nullptr);
  };
  const MachineSpeed& m = r.machine;
  add("read_bandwidth", m.read_bytes > 0, m.read_bytes);
  add("read_share_tg", m.read_bytes > 0 && t_tg > 0,
      static_cast<double>(g.bytes()) / t_tg / m.read_bytes);
  add("int8_peak", m.int8_ops > 0, m.int8_ops);
  add("peak_share_pp", m.int8_ops > 0 && t_pp > 0, r.prompt.matmul_ops / t_pp / m.int8_ops);
  add("bytes_per_step_tg", g.steps > 0,
      static_cast<double>(g.bytes()) / static_cast<double>(g.steps));
  const Counters counted = g.counted_in_all();
  add("tokens_per_called_expert_tg", counted.experts_called > 0,
      static_cast<double>(counted.expert_calls) / static_cast<double>(counted.experts_called));
  const auto part_times = [&](const char* phase, const StepCost& cost, int threads) {
    line[fmt::format("bytes_read_{}", phase)] = bytes_json(cost, 1);
    line[fmt::format("busy_ns_{}", phase)] = time_json(cost, &Counters::busy_ns, 1, threads);
    line[fmt::format("waiting_ns_{}", phase)] = time_json(cost, &Counters::waiting_ns, 1, threads);
  };
  part_times("pp", r.prompt, device.threads(2));
  part_times("tg", r.generate, device.threads(c.sequences));
  return line.dump() + "\n";
}

int run_batched_bench(const BatchedOptions& o) {
  const std::vector<BatchedCase> cases = cases_of(o);
  EngineOptions planned = o.engine;
  planned.context = 1;
  planned.sequences = 1;
  for (const BatchedCase& c : cases) {
    planned.context = std::max(planned.context, c.prompt + c.generate);
    planned.sequences = std::max(planned.sequences, static_cast<int>(c.sequences));
  }
  planned.ubatch = std::min(planned.ubatch, o.batch);
  MachineSpeed speed;
  if (!o.no_probe && o.format == "jsonl") {
    speed = measure_int8(o.device.options.threads, o.device.options.isa);
    speed.read_bytes = ReadProbe(speed.threads, bandwidth_bytes(read_machine(""))).sample();
  }
  BenchModel model(o.model, o.device, planned);
  const InterruptGuard interrupt;
  BatchedRunner runner(model, o.batch, o.seed, interrupt);
  Progress progress(static_cast<int64_t>(cases.size()), "cases done");
  runner.warm_up();
  progress.result();
  if (o.format != "jsonl") fmt::print("{}", head());
  for (const BatchedCase& c : cases) {
    BatchedResult result = runner.run(c);
    result.machine = speed;
    fmt::print("{}", row(result, o.format, model));
    std::fflush(stdout);
    progress.advance(1);
  }
  return kDone;
}

constexpr const char* kFooter =
    R"(For every combination of -npp, -ntg and -npl: the prompts of all sequences are read, then all
generate together. Each position of each sequence gets a new random token. Options of
llama-batched-bench that steer what Braid does not have are accepted with a note.

Examples:
  braid batched-bench -m model.gguf -npp 128 -ntg 64 -npl 1,2,4,8
  braid batched-bench -m model.gguf -npp 1024 -ntg 64 -npl 8 -pps --output-format jsonl)";

}  // namespace

Command batched_bench_command(CLI::App& app) {
  const auto o = std::make_shared<BatchedOptions>();
  CLI::App& command =
      *app.add_subcommand("batched-bench", "Measure the speed of many sequences at once");
  command.footer(kFooter);
  command
      .add_option("-m,--model", o->model,
                  "A GGUF file or a Hugging Face folder (default: the demo model)")
      ->type_name("FILE");
  add_numbers(command, "--npp", o->prompt, {1}, "-npp: tokens of a prompt (default: 128,512)");
  add_numbers(command, "--ntg", o->generate, {0},
              "-ntg: tokens that each sequence generates (default: 32)");
  add_numbers(command, "--npl", o->sequences, {1, 4096}, "-npl: sequences (default: 1,2,4,8)");
  command.add_flag("--pps", o->shared_prompt, "-pps: all sequences share one prompt");
  command
      .add_option("-c,--ctx-size", o->engine.context,
                  "Tokens of all sequences together; 0: as many as are needed (default: 0)")
      ->type_name("N")
      ->check(CLI::Range(int64_t{0}, int64_t{1} << 30).description(""));
  add_integer(command, "-b,--batch-size", o->batch, 1, int64_t{1} << 30,
              "Bounds the micro-batch (default: 2048)");
  add_integer(command, "--ubatch-size", o->engine.ubatch, 1, 65536,
              "-ub: most rows of a step (default: 512)");
  add_cache_type_options(command, o->engine);
  command.add_option("--output-format", o->format, "Report; table is md (default: md)")
      ->type_name("md|table|jsonl")
      ->check(CLI::IsMember({"md", "table", "jsonl"}).description(""));
  command.add_flag("--no-probe", o->no_probe,
                   "Do not measure the machine: no shares in the lines of JSON");
  add_integer(command, "-s,--seed", o->seed, 0, int64_t{1} << 31,
              "Of the random tokens (default: 1)");
  add_device_options(command, o->device);
  return {&command, [o] { return run_batched_bench(*o); }};
}

}  // namespace braid
