// braid bench: how fast a model reads prompts and writes. Options, tests, columns and keys are
// llama-bench's, so that the two can be measured in turns; docs/bench.md says how.
#include "tools/bench_report.h"
#include "tools/bench_run.h"
#include "tools/cli.h"

#include <fmt/format.h>

#include <cstdio>
#include <memory>

namespace braid {
namespace {

// The report goes to stdout and, when asked for, in another format to stderr.
class Outputs {
 public:
  Outputs(const BenchOptions& o)
      : reports_{{make_bench_report(o.output), stdout}, {make_bench_report(o.output_err), stderr}} {
  }
  void begin(std::span<const BenchCase> plan) {
    write([&](BenchReport& report) { return report.begin(plan); });
  }
  void row(const BenchResult& result) {
    write([&](BenchReport& report) { return report.row(result); });
  }
  void end() {
    write([](BenchReport& report) { return report.end(); });
  }

 private:
  template <class Text>
  void write(Text&& text) {
    for (const auto& [report, file] : reports_) {
      if (report == nullptr) continue;
      fmt::print(file, "{}", text(*report));
      std::fflush(file);
    }
  }
  std::pair<std::unique_ptr<BenchReport>, FILE*> reports_[2];
};

int run_bench(const BenchOptions& o) {
  const std::vector<BenchCase> plan = bench_plan(o);
  Outputs outputs(o);
  const InterruptGuard interrupt;
  BenchRunner runner(o, interrupt);
  Progress progress(static_cast<int64_t>(plan.size()) * runner.runs(), "runs done");
  bool begun = false;
  try {
    for (const BenchCase& bench : plan) {
      const BenchResult result = runner.run(bench, progress);
      progress.result();
      if (!begun) outputs.begin(plan);  // an error before the first figure leaves stdout empty
      begun = true;
      outputs.row(result);
    }
  } catch (...) {
    if (begun) outputs.end();
    throw;
  }
  outputs.end();
  return kDone;
}

constexpr const char* kFooter =
    R"(Lists are combined: every value of one option with every one of the others. Ranges are
first-last, first-last+step and first-last*factor; -pg, -gp and -tgb take pairs, with ';' between.
Each position gets a new random token. Options of llama-bench that steer what Braid does not have
are accepted with a note. docs/bench.md explains the figures.

Examples:
  braid bench -m model.gguf
  braid bench -m model.gguf -p 512,2048 -n 64 -t 2 -r 3 -o json
  braid bench -m model.gguf -p 0 -n 32 -d 0,4096,32768 -ctk f16,bf16
  braid bench -m model.gguf -pg 512,128 -ub 256-1024*2)";

CLI::Option* add_format(CLI::App& command, const std::string& names, std::string& value,
                        const std::string& help) {
  return command.add_option(names, value, help)
      ->type_name("md|csv|json|jsonl|sql|none")
      ->check(CLI::IsMember({"md", "csv", "json", "jsonl", "sql", "none"}).description(""));
}

void add_lists(CLI::App& command, BenchOptions& o) {
  add_words(command, "-m,--model", o.models, "FILE,...",
            "The models: GGUF files or Hugging Face folders (default: the demo model)");
  add_numbers(command, "-p,--n-prompt", o.prompt, {0},
              "Prompts of so many tokens; 0: none (default: 512)");
  add_numbers(command, "-n,--n-gen", o.generate, {0}, "Tokens to generate; 0: none (default: 128)");
  add_pairs(command, "--prompt-gen", o.prompt_generate, {1},
            "-pg: read a prompt and generate, both timed");
  add_pairs(command, "--gen-after-prompt", o.generate_after, {1},
            "-gp: the same, but the prompt is not timed");
  add_numbers(command, "-d,--n-depth", o.depth, {0},
              "Tokens that are there before the timed ones (default: 0)");
  add_numbers(command, "-b,--batch-size", o.batch, {1},
              "Logits once in so many tokens of a prompt (default: 2048)");
  add_numbers(command, "--ubatch-size", o.ubatch, {1, 65536},
              "-ub: tokens of a step (default: 512)");
  add_numbers(command, "-t,--threads", o.threads, {0, 1024},
              "Threads (default: one per core but slow ones)");
  add_pairs(command, "--threads-gen-batch", o.threads_generate_batch, {0, 1024},
            "-tgb: threads for generating, and for prompts");
  const auto cache_types = [&](const char* name, std::vector<std::string>& types,
                               const char* help) {
    add_words(command, name, types, "TYPE,...", help)->check([](const std::string& text) {
      try {
        for (const std::string& type : split_list(text)) cache_type(type);
        return std::string();
      } catch (const Error& error) {
        return std::string(error.what());
      }
    });
  };
  cache_types("--cache-type-k", o.key_types, "-ctk: how keys are kept (default: f16)");
  cache_types("--cache-type-v", o.value_types, "-ctv: the same for values");
}

}  // namespace

Command bench_command(CLI::App& app) {
  const auto o = std::make_shared<BenchOptions>();
  CLI::App& command = *app.add_subcommand("bench", "Measure how fast a model reads and writes");
  command.footer(kFooter);
  add_lists(command, *o);
  add_integer(command, "-r,--repetitions", o->repetitions, 1, 1000000,
              "Times that each test is run (default: 5)");
  add_integer(command, "-w,--warmup", o->warmup, 0, 1,
              "1: run each test once before it counts, 0: do not (default: 1)");
  command.add_flag_callback(
      "--no-warmup", [o] { o->warmup = 0; }, "The same as -w 0");
  add_integer(command, "--delay", o->delay, 0, 86400, "Seconds between two tests (default: 0)");
  add_integer(command, "-s,--seed", o->seed, 0, int64_t{1} << 31,
              "Of the random tokens (default: 1)");
  add_format(command, "-o,--output", o->output, "Report on stdout (default: md)");
  add_format(command, "--output-err", o->output_err,
             "-oe: a report on stderr as well (default: none)");
  command.add_flag("--no-probe", o->no_probe,
                   "Do not measure the machine: no shares of bandwidth and peak");
  add_device_kind_options(command, o->device);
  return {&command, [o] { return run_bench(*o); }};
}

}  // namespace braid
