// braid perplexity: how surprised a model is by a text. Options, chunks, scoring and closing line
// are llama-perplexity's, so that the figures of two programs can be laid side by side.
#include "tools/cli.h"

#include "base/check.h"
#include "base/team.h"
#include "engine/engine.h"
#include "format/open.h"
#include "text/model_text.h"
#include "text/tokenizer.h"
#include "tools/files.h"
#include "tools/interrupt.h"
#include "tools/load_progress.h"
#include "tools/options.h"
#include "tools/perplexity_score.h"
#include "tools/progress.h"
#include "tools/units.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <memory>

namespace braid {
namespace {

// The logits of a step are held for at most this much, on the device and once more on the host: a
// vocabulary of 248,320 makes 1 MB a row.
constexpr int64_t kLogitBytes = int64_t{128} << 20;

struct PerplexityOptions {
  std::string model, text;
  DeviceChoice device;
  EngineOptions engine{.context = 512};
  int64_t batch = 2048;
  int64_t chunks = -1;  // below 1: all
};

std::string read_text(const std::string& path) {
  std::string text = read_file(path);
  if (text.ends_with('\n')) text.pop_back();  // as llama-perplexity does
  return text;
}

// The ids of the text, the first of each chunk replaced by the beginning-of-sequence token where
// the vocabulary asks for that, and nothing after the last whole chunk.
struct Text {
  std::vector<int32_t> ids, inputs;
  int64_t chunks = 0;
};
Text cut_text(const Tokenizer& tokenizer, const std::string& path, int64_t size, int64_t chunks) {
  Text text;
  text.ids = tokenizer.encode(read_text(path), {.add_special = true});
  const auto n = static_cast<int64_t>(text.ids.size());
  if (n < 2 * size)
    fail(
        "{}: {} tokens; -c {} needs a text of at least {} (2 chunks): take a longer text or a "
        "smaller -c",
        path, n, size, 2 * size);
  text.chunks = chunks <= 0 ? n / size : std::min(chunks, n / size);
  text.inputs = text.ids;
  if (tokenizer.adds_bos())
    for (int64_t chunk = 0; chunk < text.chunks; ++chunk)
      text.inputs[static_cast<size_t>(chunk * size)] = *tokenizer.bos();
  return text;
}

// Runs groups of chunks, each chunk as a sequence of its own, all of a group at the same position.
class Runner {
 public:
  Runner(Engine& engine, const Text& text, Chunks chunks)
      : engine_(engine), text_(text), chunks_(chunks), team_(engine.device().threads(2)) {
    for (int i = 0; i < engine.options().sequences; ++i)
      sequences_.push_back(engine.new_sequence());
  }

  // The losses of chunks [begin, begin + count), chunk by chunk; nothing when interrupted.
  std::vector<std::vector<double>> losses(int64_t begin, int64_t count, Progress& progress,
                                          const InterruptGuard& interrupt) {
    std::vector<std::vector<double>> losses(static_cast<size_t>(count));
    for (Sequence& sequence : sequences_) sequence.reset();
    for (int64_t position = 0; position < chunks_.rows();) {
      if (interrupt.interrupted()) return {};
      const auto [rows, scored] = chunks_.piece(position, engine_.options().ubatch / count,
                                                engine_.options().logit_rows / count);
      std::vector<Feed> feeds;
      for (int64_t i = 0; i < count; ++i)
        feeds.push_back({&sequences_[static_cast<size_t>(i)],
                         std::span(text_.inputs)
                             .subspan(static_cast<size_t>((begin + i) * chunks_.size + position),
                                      static_cast<size_t>(rows)),
                         scored});
      engine_.step(feeds);
      position += rows;
      for (int64_t i = 0; i < count; ++i)
        score(begin + i, position - scored, i * scored, scored, losses[static_cast<size_t>(i)]);
      progress.advance(rows * count);
    }
    return losses;
  }

 private:
  // Appends the losses of positions [from, from + n) of a chunk, whose logits begin at `row`.
  void score(int64_t chunk, int64_t from, int64_t row, int64_t n, std::vector<double>& losses) {
    const size_t before = losses.size();
    losses.resize(before + static_cast<size_t>(n));
    team_.run(1, [&](int, int thread) {
      for (int64_t r = thread; r < n; r += team_.threads())
        losses[before + static_cast<size_t>(r)] =
            loss_of(engine_.logits(row + r),
                    text_.ids[static_cast<size_t>(chunk * chunks_.size + from + r + 1)]);
    });
    for (int64_t r = 0; r < n; ++r)
      if (std::isnan(losses[before + static_cast<size_t>(r)]))
        fail(
            "chunk {}, position {}: the logits are not numbers: the weights are damaged, or too "
            "large for the cache types",
            chunk + 1, from + r);
  }

  Engine& engine_;
  const Text& text_;
  Chunks chunks_;
  Team team_;  // for the scoring; the device has its own
  std::vector<Sequence> sequences_;
};

// The figures so far; the last line has the form of llama-perplexity's, the one above it all the
// digits that there are to compare.
void print_result(const char* title, const PerplexityEstimate& estimate, int64_t chunks,
                  int64_t size) {
  fmt::print("\nExact: PPL = {}, {} predictions in {} chunks of {}\n", estimate.value(),
             estimate.count(), chunks, size);
  fmt::print("{}: PPL = {:.4f} +/- {:.5f}\n", title, estimate.value(), estimate.error());
}

int run_perplexity(const PerplexityOptions& o) {
  const auto file = open_model_file(o.model);
  const Tokenizer tokenizer(read_model_text(*file).vocabulary);
  const Chunks chunks{o.engine.context};
  const Text text = cut_text(tokenizer, o.text, chunks.size, o.chunks);

  EngineOptions planned = o.engine;
  planned.ubatch = std::min({planned.ubatch, o.batch, chunks.size * text.chunks});
  const int64_t together =
      std::clamp<int64_t>(std::min({o.batch / chunks.size, text.chunks, planned.ubatch}), 1, 4096);
  planned.sequences = static_cast<int>(together);
  planned.logit_rows =
      std::max(together, kLogitBytes / static_cast<int64_t>(sizeof(float) * tokenizer.n_tokens()));
  const auto device = open_device(o.device);
  Engine engine(*file, *device, planned, LoadWatch().hooks());
  if (chunks.size > engine.spec().context)
    fmt::print(stderr, "braid: the model was trained on {} tokens; -c is {}\n",
               engine.spec().context, chunks.size);

  Runner runner(engine, text, chunks);
  Progress progress(text.chunks * chunks.rows(), "tokens");
  const InterruptGuard interrupt;
  PerplexityEstimate estimate;
  for (int64_t chunk = 0; chunk < text.chunks;) {
    const auto losses =
        runner.losses(chunk, std::min(together, text.chunks - chunk), progress, interrupt);
    if (losses.empty()) {
      if (chunk > 0)
        print_result(fmt::format("Stopped after {} of {} chunks", chunk, text.chunks).c_str(),
                     estimate, chunk, chunks.size);
      else
        fmt::print(stderr, "braid: stopped before the first chunk was done\n");
      return kInterrupted;
    }
    progress.result();
    for (const std::vector<double>& of_chunk : losses) {
      for (const double loss : of_chunk) estimate.add(loss);
      fmt::print("[{}]{:.4f},", ++chunk, estimate.value());
    }
    std::fflush(stdout);
  }
  print_result("Final estimate", estimate, text.chunks, chunks.size);
  return kDone;
}

constexpr const char* kFooter =
    R"(The text is cut into chunks of -c tokens; in the second half of each, every position predicts the
next token. Options of llama-perplexity that steer what Braid does not have are accepted with a note.

Examples:
  braid perplexity -m model.gguf -f text.txt
  braid perplexity -m model.gguf -f text.txt -c 2048 --chunks 16 -t 8
  braid perplexity -m model.gguf -f text.txt --device ref     # the scalar reference
  braid perplexity -m model.gguf -f text.txt -b 1             # token by token, same figure)";

}  // namespace

Command perplexity_command(CLI::App& app) {
  const auto o = std::make_shared<PerplexityOptions>();
  CLI::App& command = *app.add_subcommand("perplexity", "Measure a model's perplexity on a text");
  command.footer(kFooter);
  command.add_option("-m,--model", o->model, "The model: a GGUF file or a Hugging Face folder")
      ->required()
      ->type_name("FILE");
  command.add_option("-f,--file", o->text, "The text")->required()->type_name("FILE");
  add_engine_options(command, o->engine);
  command.get_option("--ctx-size")->check(CLI::Range(int64_t{4}, int64_t{1} << 30).description(""));
  add_integer(command, "-b,--batch-size", o->batch, 1, int64_t{1} << 30,
              "Tokens worked on together; above -c these are several chunks (default: 2048)");
  add_integer(command, "--chunks", o->chunks, -1, int64_t{1} << 40,
              "Stop after this many chunks (default: -1, all)");
  add_device_options(command, o->device);
  return {&command, [o] { return run_perplexity(*o); }};
}

}  // namespace braid
