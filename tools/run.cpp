// braid run: a prompt in, text out, as it is written. What a person wants to know beside the text
// goes to stderr, and only when that is a terminal.
#include "tools/cli.h"

#include "base/check.h"
#include "text/chat_tokens.h"
#include "text/thinking_splitter.h"
#include "tools/chat_options.h"
#include "tools/chat_screen.h"
#include "tools/files.h"
#include "tools/generation.h"
#include "tools/interrupt.h"
#include "tools/loaded_model.h"
#include "tools/progress.h"
#include "tools/sampler_options.h"
#include "tools/write_options.h"

#include <fmt/format.h>
#include <unistd.h>
#include <nlohmann/json.hpp>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>

namespace braid {
namespace {

using Json = nlohmann::ordered_json;

struct RunOptions {
  ModelChoice model;
  SamplerOverrides sampler;
  ChatFlags chat_flags;
  WriteFlags answers;
  std::optional<std::string> prompt;
  std::string file;
  bool chat = false, escape = true, json = false, stats = false, quiet = false;
};

std::string read_prompt(const RunOptions& o) {
  if (o.prompt) {
    // As in llama.cpp; a prompt may hold a backslash that is none of its escapes.
    const std::string prompt = o.escape ? unescape(*o.prompt, OtherEscapes::kKeep) : *o.prompt;
    // As a person would say it: the question, and the text that it is about.
    return o.file.empty() ? prompt : prompt + "\n\n" + read_file(o.file);
  }
  if (!o.file.empty()) return read_file(o.file);
  if (isatty(STDIN_FILENO) != 0)
    fail("run: no prompt: give one with -p, with -f, or on standard input (braid chat to talk)");
  return read_file("-");
}

ChatPrompt make_prompt(const RunOptions& o, const LoadedModel& model) {
  std::string text = read_prompt(o);
  if (!o.chat) {
    std::vector<int32_t> ids =
        model.tokenizer().encode(text, {.add_special = true, .parse_special = true});
    return {std::move(text), std::move(ids)};
  }
  Json messages = Json::array();
  if (const std::string system = system_message(o.chat_flags); !system.empty())
    messages.push_back({{"role", "system"}, {"content", system}});
  messages.push_back({{"role", "user"}, {"content", std::move(text)}});
  const Json names = template_names(o.chat_flags), tools = offered_tools(o.chat_flags);
  ChatInput input;
  input.messages = &messages;
  input.tools = tools.is_null() ? nullptr : &tools;
  input.extra = &names;
  input.bos_token = model.text().bos_token;
  input.eos_token = model.text().eos_token;
  return ChatEncoder(model.tokenizer()).encode(model.chat_template(), input);
}

// The answer on stdout as it comes. Who has closed the other end wants no more of it.
class Output {
 public:
  Output(const RunOptions& o, std::string_view prompt)
      : silent_(o.json),
        chat_(o.chat),
        splitter_(prompt_opens_thinking(prompt)),
        screen_({.terminal = on_terminal(),
                 .styled = on_terminal() && std::getenv("NO_COLOR") == nullptr,
                 .show_thinking = o.chat_flags.show_thinking.value_or(on_terminal())},
                [this](std::string_view bytes) { put(bytes); }) {}

  void write(std::string_view text) {
    if (!chat_) {
      answer_.content += text;
      if (!silent_) put(text);
      return;
    }
    AnswerText piece;
    splitter_.feed(text, piece);
    take(piece);
  }
  void end() {
    AnswerText piece;
    if (chat_) splitter_.finish(piece);
    take(piece);
    if (silent_) return;
    if (chat_) {
      screen_.end_answer();
    } else if (!answer_.content.ends_with('\n')) {
      put("\n");
    }
  }
  bool closed() const { return closed_; }
  const AnswerText& answer() const { return answer_; }

 private:
  static bool on_terminal() { return isatty(STDOUT_FILENO) != 0; }

  void take(const AnswerText& piece) {
    answer_.thinking += piece.thinking;
    answer_.content += piece.content;
    if (silent_) return;
    screen_.thinking(piece.thinking);
    screen_.content(piece.content);
  }
  void put(std::string_view bytes) {
    if (closed_ || bytes.empty()) return;
    closed_ = std::fwrite(bytes.data(), 1, bytes.size(), stdout) != bytes.size() ||
              std::fflush(stdout) != 0;
  }

  bool silent_, chat_, closed_ = false;
  ThinkingSplitter splitter_;
  AnswerText answer_;
  ChatScreen screen_;
};

Json notes_json(const std::vector<TokenNote>& notes, const Tokenizer& tokenizer) {
  const auto text_of = [&](int32_t id) { return std::string(tokenizer.bytes(id)); };
  Json list = Json::array();
  for (const TokenNote& note : notes) {
    Json top = Json::array();
    for (const auto& [id, logprob] : note.top)
      top.push_back({{"id", id}, {"token", text_of(id)}, {"logprob", logprob}});
    list.push_back({{"id", note.id},
                    {"token", text_of(note.id)},
                    {"logprob", note.logprob},
                    {"top_logprobs", std::move(top)}});
  }
  return list;
}

Json result_json(const RunOptions& o, const LoadedModel& model, const Written& written,
                 const AnswerText& answer, uint64_t seed) {
  const WriteStats& s = written.stats;
  Json out = {{"model", model.name()}, {"text", answer.content}};
  if (!answer.thinking.empty()) out["thinking"] = answer.thinking;
  out["finish_reason"] = name_of(written.ended);
  out["seed"] = seed;
  out["tokens"] = written.ids;
  out["usage"] = {{"prompt_tokens", s.prompt}, {"completion_tokens", s.written}};
  out["timings"] = {{"first_token_seconds", s.first_token},
                    {"prefill_seconds", s.prefill},
                    {"decode_seconds", s.decode},
                    {"prompt_tokens_per_second", s.prompt_speed()},
                    {"completion_tokens_per_second", s.write_speed()}};
  if (o.answers.write.logprobs >= 0) out["logprobs"] = notes_json(written.notes, model.tokenizer());
  return out;
}

int run_prompt(const RunOptions& o) {
  LoadedModel model(o.model);
  const ChatPrompt prompt = make_prompt(o, model);
  SamplerOptions sampling = resolve(o.sampler, model.sampling());
  if (o.answers.ignore_ends) ban_ends(model, sampling);
  sampling.ends = model.text().end_ids;
  Sampler sampler(sampling, model.sampler_vocabulary());

  Output output(o, prompt.text);
  const InterruptGuard interrupt;
  std::optional<Progress> progress;
  if (!o.quiet) progress.emplace(static_cast<int64_t>(prompt.ids.size()), "tokens read");
  const WriteListener listener{.prefill =
                                   [&](int64_t done, int64_t) {
                                     if (progress) progress->advance(done - progress->done());
                                   },
                               .text =
                                   [&](std::string_view text) {
                                     progress.reset();
                                     output.write(text);
                                   },
                               .stop = [&] { return interrupt.interrupted() || output.closed(); }};
  Writer writer(model);
  const Written written = writer.write(prompt.ids, sampler, o.answers.write, listener);
  progress.reset();
  output.end();

  if (o.json) {
    const Json result = result_json(o, model, written, output.answer(), sampler.seed());
    fmt::print("{}\n", result.dump(2, ' ', false, Json::error_handler_t::replace));
  }
  std::fflush(stdout);
  if (o.stats || (!o.quiet && isatty(STDERR_FILENO) != 0))
    fmt::print(stderr, "{}{}\n", stats_text(written.stats),
               written.ended == Ended::kContextFull ? "; the context is full (raise it with -c)"
               : written.ended == Ended::kLength    ? "; cut at -n"
                                                    : "");
  return written.ended == Ended::kStopped && !output.closed() ? kInterrupted : kDone;
}

constexpr const char* kFooter =
    R"(The prompt goes to the model as it is; with --chat it becomes a user's message in the model's chat
template. With -p and -f both, the file follows the prompt. Only the answer goes to standard output.

Examples:
  braid run -p "The harbour was quiet when" -n 60
  braid run --chat -p "Who keeps the lighthouse?" --temp 0
  git diff | braid run -m model.gguf --chat -p "Explain this change:" -f -
  braid run -m model.gguf --chat -p "Hello" --json | jq .text)";

void add_prompt_options(CLI::App& command, RunOptions& o) {
  command.add_option("-p,--prompt", o.prompt, "The prompt")->type_name("TEXT");
  command.add_option("-f,--file", o.file, "A file that holds it, - for standard input")
      ->type_name("FILE");
  command.add_flag("--chat", o.chat, "The prompt is a message: use the chat template");
  add_chat_options(command, o.chat_flags);
  command.add_flag("-e,--escape,!--no-escape", o.escape,
                   "Read \\n, \\t, \\\" in -p as what they stand for (default: on)");
  add_write_options(command, o.answers);
  command.add_flag("--json", o.json, "One JSON object at the end in place of the text");
  command
      .add_option("--logprobs", o.answers.write.logprobs,
                  "With --json: log-probabilities, of this many tokens at each place")
      ->type_name("N")
      ->check(CLI::Range(0, 1000).description(""));
  command.add_flag("--stats", o.stats, "Figures on stderr even if that is no terminal");
  command.add_flag("-q,--quiet", o.quiet, "Neither progress nor figures");
}

}  // namespace

Command run_command(CLI::App& app) {
  const auto o = std::make_shared<RunOptions>();
  CLI::App& command = *app.add_subcommand("run", "Write a text that goes on from a prompt");
  command.footer(kFooter);
  add_model_options(command, o->model);
  add_prompt_options(command, *o);
  add_sampler_options(command, o->sampler);
  return {&command, [o] { return run_prompt(*o); }};
}

}  // namespace braid
