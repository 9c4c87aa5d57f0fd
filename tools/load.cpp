// braid load: many clients at a server of OpenAI's kind, and how long their answers take.
#include "base/check.h"
#include "tools/cli.h"
#include "tools/client_options.h"
#include "tools/files.h"
#include "tools/interrupt.h"
#include "tools/load_report.h"
#include "tools/load_run.h"
#include "tools/load_synthetic.h"
#include "tools/options.h"
#include "tools/units.h"

#include <fmt/format.h>
#include <unistd.h>

#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <memory>
#include <optional>
#include <thread>

namespace braid {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kSynthetic = "Conversations made from a seed";
constexpr double kDuration = 60;  // when nothing else bounds the run

struct LoadCommandOptions {
  ServerChoice server;
  SyntheticOptions synthetic;
  std::string model, trace, write_trace, answers, compare, body, format = "md";
  std::vector<CLI::Option*> of_synthetic{};  // that a trace leaves nothing to say for
  int64_t clients = 1, seed = 1;
  std::optional<int64_t> requests, pid;
  double duration = 0;
  bool timed = false, quiet = false;
};

Json fields_of(const std::string& text) {
  if (text.empty()) return Json::object();
  Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) fail("--body: is no JSON object: write '{{\"top_k\": 20}}'");
  return json;
}

SessionSource source_of(const LoadCommandOptions& o) {
  if (o.trace.empty()) {
    if (o.synthetic.real_answers && o.synthetic.form == LoadForm::kIds)
      fail(
          "--real-answers and --completions ids: servers tell texts of their answers, not ids: "
          "take "
          "--completions text");
    SyntheticOptions synthetic = o.synthetic;
    synthetic.seed = static_cast<uint64_t>(o.seed);
    return synthetic_sessions(synthetic, o.requests);
  }
  for (const CLI::Option* option : o.of_synthetic)
    if (option->count() > 0)
      fail("{} and --trace: a trace says all of its requests", option->get_name());
  return as_source(read_trace(o.trace), o.requests);
}

int write_trace(const LoadCommandOptions& o) {
  if (!o.requests) fail("--write-trace: say with --requests how many");
  const SessionSource source = source_of(o);
  FileWriter file(o.write_trace);
  while (const std::optional<LoadSession> session = source())
    for (const AskedRequest& request : *session) file.write(trace_line(request));
  file.close();
  return kDone;
}

// How the run goes, on a line that is gone when it ends.
void watch(LoadRun& run, const LoadOptions& options, const InterruptGuard& interrupt, bool shown) {
  for (int ticks = 0;; ++ticks) {
    const LoadRun::Progress p = run.progress();
    if (p.over) break;
    if (interrupt.interrupted()) run.stop();
    if (shown && ticks % 10 == 0) {
      std::string line = fmt::format("{} answered, {} running", p.answered, p.running);
      if (p.failed > 0) line += fmt::format(", {} failed", p.failed);
      if (p.seconds > 1)
        line += fmt::format(", {:.1f} pieces/s", static_cast<double>(p.pieces) / p.seconds);
      line += ", " + duration_text(p.seconds);
      if (options.duration > 0) line += " of " + duration_text(options.duration);
      fmt::print(stderr, "\r\033[K{}", line);
      std::fflush(stderr);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  if (shown) fmt::print(stderr, "\r\033[K");
}

// Whether the answers are those of the file.
bool compare(const LoadCommandOptions& o, const RecordedAnswers& recorded,
             std::span<const LoadResult> results) {
  const AnswerComparison comparison = compare_answers(recorded, results);
  fmt::print(o.format == "json" ? stderr : stdout, "{}{}", o.format == "json" ? "" : "\n",
             comparison_text(comparison, recorded.path));
  if (comparison.equal + comparison.different == 0)
    fail("{}: has no answer to any of these requests", recorded.path);
  return comparison.different == 0;
}

int run_load(const LoadCommandOptions& o) {
  if (!o.write_trace.empty()) return write_trace(o);
  std::signal(SIGPIPE, SIG_IGN);
  LoadOptions options;
  options.target = target_of(o.server);
  options.clients = static_cast<int>(o.clients);
  options.timed = o.timed;
  options.more = fields_of(o.body);
  options.duration = o.duration;
  if (o.duration == 0 && o.trace.empty() && !o.requests) options.duration = kDuration;
  SessionSource source = source_of(o);
  {
    HttpClient http(options.target);
    const std::string served = served_model(http);
    options.model = o.model.empty() ? served : o.model;
  }
  std::optional<RecordedAnswers> recorded;
  if (!o.compare.empty()) recorded = read_answers(o.compare);
  std::optional<FileWriter> answers;
  if (!o.answers.empty()) answers.emplace(o.answers);
  std::optional<MemoryWatch> memory;
  if (o.pid) memory.emplace(*o.pid, 1.0);
  const InterruptGuard interrupt;  // until here there is nothing that Ctrl-C should keep
  LoadRun run(options, std::move(source));
  watch(run, options, interrupt, !o.quiet && isatty(STDERR_FILENO) != 0);
  const std::vector<LoadResult> results = run.results();
  const LoadSummary summary =
      summarize(results, options, memory ? memory->end() : std::vector<MemorySample>());
  if (o.format == "json")
    fmt::print("{}\n",
               load_report_json(summary).dump(2, ' ', false, Json::error_handler_t::replace));
  else
    fmt::print("{}", load_report_md(summary));
  if (answers) write_answers(*answers, results);
  const bool same = !recorded || compare(o, *recorded, results);
  if (interrupt.interrupted()) return kInterrupted;
  return same && summary.failed == 0 && summary.answered > 0 ? kDone : kFailed;
}

// "64-2048", or one number.
LengthRange parse_range(const std::string& name, const std::string& text, int64_t min) {
  LengthRange range;
  const char* end = text.data() + text.size();
  std::from_chars_result read = std::from_chars(text.data(), end, range.min);
  range.max = range.min;
  if (read.ec == std::errc{} && read.ptr != end && *read.ptr == '-')
    read = std::from_chars(read.ptr + 1, end, range.max);
  if (read.ec != std::errc{} || read.ptr != end || range.min < min || range.max < range.min ||
      range.max > int64_t{1} << 24)
    throw CLI::ValidationError(
        name,
        fmt::format("{} is neither a number from {} on nor two of them, as 64-2048", text, min));
  return range;
}

void add_range(CLI::App& command, LoadCommandOptions& o, const std::string& name,
               LengthRange& range, int64_t min, const std::string& help) {
  o.of_synthetic.push_back(command
                               .add_option_function<std::string>(
                                   name,
                                   [&range, name, min](const std::string& text) {
                                     range = parse_range(name, text, min);
                                   },
                                   fmt::format("{} (default: {}-{})", help, range.min, range.max))
                               ->type_name("FROM-TO")
                               ->group(kSynthetic));
}

void add_run_options(CLI::App& command, LoadCommandOptions& o) {
  constexpr const char* kGroup = "The run";
  add_integer(command, "--clients", o.clients, 1, 4096, "Requests at a time (default: 1)")
      ->group(kGroup);
  command
      .add_option("--duration", o.duration,
                  "Seconds after which no request is begun; those that run are waited for "
                  "(default: 60 where neither --requests nor --trace ends it)")
      ->type_name("SECONDS")
      ->check(CLI::Range(0.0, 1e7).description(""))
      ->group(kGroup);
  command.add_option("--requests", o.requests, "So many requests, the first of a trace")
      ->type_name("N")
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 40).description(""))
      ->group(kGroup);
  command.add_option("--trace", o.trace, "Requests from this file, one a line (docs/load.md)")
      ->type_name("FILE")
      ->group(kGroup);
  command
      .add_option("--write-trace", o.write_trace,
                  "Write the conversations of --requests to a file, and ask nobody")
      ->type_name("FILE")
      ->group(kGroup);
  command
      .add_flag("--timed", o.timed, "Requests wait for their time (\"at\"), when a client is free")
      ->group(kGroup);
  command.add_option("--model-name", o.model, "The model to ask for (default: the server's first)")
      ->type_name("NAME")
      ->group(kGroup);
  command.add_option("--body", o.body, "Fields for each request, as '{\"top_k\": 20}'")
      ->type_name("JSON")
      ->group(kGroup);
}

void add_report_options(CLI::App& command, LoadCommandOptions& o) {
  constexpr const char* kGroup = "What is told";
  command.add_option("--answers", o.answers, "Write each answer to a file, one a line, in order")
      ->type_name("FILE")
      ->group(kGroup);
  command
      .add_option("--compare", o.compare,
                  "Say which answers are not those of such a file; exit code 1 if there are any")
      ->type_name("FILE")
      ->group(kGroup);
  command
      .add_option("--watch-pid", o.pid,
                  "Resident memory of the server's process, each second, and how it grows")
      ->type_name("PID")
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 31).description(""))
      ->group(kGroup);
  command.add_option("-o,--output", o.format, "Report on stdout (default: md)")
      ->type_name("md|json")
      ->check(CLI::IsMember({"md", "json"}).description(""))
      ->group(kGroup);
  command.add_flag("-q,--quiet", o.quiet, "No line of progress")->group(kGroup);
}

void add_synthetic_options(CLI::App& command, LoadCommandOptions& o) {
  SyntheticOptions& s = o.synthetic;
  const auto ours = [&](CLI::Option* option) {
    option->group(kSynthetic);
    o.of_synthetic.push_back(option);
  };
  ours(command
           .add_option_function<std::string>(
               "--completions",
               [&s](const std::string& form) {
                 s.form = form == "ids" ? LoadForm::kIds : LoadForm::kText;
               },
               "Ask /v1/completions with texts, or with ids, which make lengths exact, instead of "
               "chats")
           ->type_name("text|ids")
           ->check(CLI::IsMember({"text", "ids"}).description("")));
  add_range(command, o, "--prompt-tokens", s.prompt, 2,
            "Tokens of the first prompt, and at most of any; those of texts are "
            "estimated");
  add_range(command, o, "--answer-tokens", s.answer, 1, "Tokens of an answer");
  add_range(command, o, "--message-tokens", s.message, 1, "Tokens that a later turn adds");
  add_range(command, o, "--turns", s.turns, 1, "Turns of a conversation");
  ours(add_integer(command, "--shared", s.shared, 0, int64_t{1} << 24,
                   "Tokens with which all conversations begin (default: 0)"));
  add_range(command, o, "--ids", s.ids, 0, "Which ids --completions ids may use");
  ours(command.add_flag("--real-answers", s.real_answers,
                        "Later turns hold what the server answered, not made answers of the same "
                        "length"));
  ours(command.add_flag("--ignore-eos,!--no-ignore-eos", s.ignore_eos,
                        "Answers are as long as asked for (default: on)"));
  ours(command
           .add_option("--temperatures", s.temperatures,
                       "Temperatures that requests have in turn; those above 0 have a seed, too "
                       "(default: 0)")
           ->type_name("T,...")
           ->delimiter(',')
           ->allow_extra_args(false)
           ->check(CLI::Range(0.0, 100.0).description("")));
  ours(
      command
          .add_option("--rate", s.rate,
                      "Conversations that begin in a second, for --timed (default: 0, all at once)")
          ->type_name("R")
          ->check(CLI::Range(0.0, 1e6).description("")));
  ours(
      command.add_option("--pause", s.pause, "Seconds from turn to turn, for --timed (default: 0)")
          ->type_name("SECONDS")
          ->check(CLI::Range(0.0, 1e6).description("")));
  ours(add_integer(command, "-s,--seed", o.seed, 0, int64_t{1} << 31,
                   "Of the conversations (default: 1)"));
}

constexpr const char* kFooter =
    R"(Asks a server of OpenAI's kind (Braid's, llama-server, vLLM, ...) as many clients would, and says how
long they waited. Each client takes a conversation and asks for one turn after the other. The same
seed gives the same requests, with any number of clients. Ctrl-C ends the run with what there is.

Examples:
  braid load --clients 16 --duration 600 --watch-pid $(pidof braid)
  braid load --url http://127.0.0.1:8081 --clients 4 --requests 100 --completions ids -o json
  braid load --requests 200 --write-trace trace.jsonl
  braid load --trace trace.jsonl --clients 1 --answers alone.jsonl
  braid load --trace trace.jsonl --clients 16 --compare alone.jsonl)";

}  // namespace

Command load_command(CLI::App& app) {
  const auto o = std::make_shared<LoadCommandOptions>();
  CLI::App& command =
      *app.add_subcommand("load", "Ask a server as many clients at a time, and time it");
  command.footer(kFooter);
  add_server_options(command, o->server);
  add_run_options(command, *o);
  add_synthetic_options(command, *o);
  add_report_options(command, *o);
  return {&command, [o] { return run_load(*o); }};
}

}  // namespace braid
