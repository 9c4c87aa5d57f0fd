// braid chat: a conversation in a terminal. In a pipe: one message in, one answer out.
#include "text/call_arguments.h"
#include "tools/chat_options.h"
#include "tools/chat_remote.h"
#include "tools/chat_session.h"
#include "tools/cli.h"
#include "tools/client_options.h"
#include "tools/files.h"
#include "tools/generation.h"
#include "tools/loaded_model.h"
#include "tools/progress.h"
#include "tools/terminal/line_reader.h"
#include "tools/units.h"
#include "tools/write_options.h"

#include "base/check.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>

namespace braid {
namespace {

using Json = nlohmann::ordered_json;

// As of a program that SIGPIPE ended, which this one is not where its parent ignores the signal.
constexpr int kOutputGone = 141;

struct ChatCommandOptions {
  ModelChoice model;
  ServerChoice server;     // instead of it, when it has a URL
  std::string model_name;  // of those that the server has
  SamplerOverrides sampler;
  ChatFlags flags;
  WriteFlags answers;
  std::string prompt, file;
  bool history = true, stats = true;
};

struct OutputGone {};

void write_all(Terminal& terminal, std::string_view bytes) {
  if (terminal.write(bytes)) return;
  if (errno == EPIPE) throw OutputGone{};
  fail("the output could not be written: {}", std::strerror(errno));
}

// How much of a prompt is read, on a line that is gone when the answer begins.
class PrefillLine {
 public:
  PrefillLine(Terminal& terminal, bool shown, bool styled)
      : terminal_(terminal), shown_(shown), styled_(styled), start_(Clock::now()) {}

  void advance(int64_t done, int64_t total) {
    const double seconds = std::chrono::duration<double>(Clock::now() - start_).count();
    if (!shown_ || done == total || seconds < 0.3) return wipe();
    const std::string text = progress_text(done, total, "tokens read", seconds);
    write_all(terminal_, "\r\x1B[K" + (styled_ ? "\x1B[2m" + text + "\x1B[0m" : text));
    visible_ = true;
  }
  void wipe() {
    if (visible_) write_all(terminal_, "\r\x1B[K");
    visible_ = false;
  }

 private:
  using Clock = std::chrono::steady_clock;
  Terminal& terminal_;
  bool shown_, styled_, visible_ = false;
  Clock::time_point start_;
};

// The model's side of the conversation: template and tokenizer, engine, sampler.
class Partner {
 public:
  Partner(const ChatCommandOptions& options, LoadedModel& model, Terminal& terminal, bool styled)
      : options_(options),
        terminal_(terminal),
        styled_(styled),
        tools_(offered_tools(options.flags)),
        call_arguments_(wanted_call_arguments(model.chat_template())),
        model_(model),
        encoder_(model_.tokenizer()),
        writer_(model_) {}

  ChatModel as_chat_model() {
    ChatModel chat;
    chat.context = model_.context();
    chat.encode = [this](const Json& messages, const Json& extra) {
      ChatInput input;
      input.messages = &messages;
      input.tools = tools_.is_null() ? nullptr : &tools_;
      input.bos_token = model_.text().bos_token;
      input.eos_token = model_.text().eos_token;
      input.extra = &extra;
      input.call_arguments = call_arguments_;
      return encoder_.encode(model_.chat_template(), input);
    };
    chat.generate = [this](const ChatPrompt& prompt, const SamplerOptions& sampler, int64_t limit,
                           const std::function<void(std::string_view)>& on_text) {
      return generate(prompt, sampler, limit, on_text);
    };
    return chat;
  }

 private:
  ChatReply generate(const ChatPrompt& prompt, SamplerOptions options, int64_t limit,
                     const std::function<void(std::string_view)>& on_text) {
    if (options_.answers.ignore_ends) ban_ends(model_, options);
    Sampler sampler(std::move(options), model_.sampler_vocabulary());
    PrefillLine line(terminal_, terminal_.can_edit(), styled_);
    terminal_.set_mode(TerminalMode::kAnswer);
    const WriteListener listener{
        .prefill = [&](int64_t done, int64_t total) { line.advance(done, total); },
        .text = on_text,
        .stop = [] { return InterruptFlag::raised(); }};
    WriteOptions write = options_.answers.write;
    write.max_tokens = limit;
    const Written written = writer_.write(prompt.ids, sampler, write, listener);
    line.wipe();
    InterruptFlag::lower();
    return {written.ended, written.stats};
  }

  const ChatCommandOptions& options_;
  Terminal& terminal_;
  bool styled_;
  Json tools_;
  CallArguments call_arguments_;  // conversations that are loaded may hold calls
  LoadedModel& model_;
  ChatEncoder encoder_;
  Writer writer_;
};

// The same for a server that is asked.
ChatModel as_chat_model(RemoteChat& remote, Terminal& terminal, bool styled) {
  ChatModel chat;
  chat.context = remote.context();
  chat.answer = [&remote, &terminal, styled](const Json& messages, const Json& extra,
                                             const ChatSettings& settings, const auto& on_text) {
    PrefillLine line(terminal, terminal.can_edit(), styled);
    terminal.set_mode(TerminalMode::kAnswer);
    const RemoteChatListener listener{
        .text =
            [&](const AnswerText& piece) {
              line.wipe();
              on_text(piece);
            },
        .progress = [&](int64_t done, int64_t total) { line.advance(done, total); },
        .stop = [] { return InterruptFlag::raised(); }};
    const ChatReply reply = remote.answer(messages, extra, settings, listener);
    line.wipe();
    InterruptFlag::lower();
    return reply;
  };
  return chat;
}

// Who answers: a model in this process or a server's.
struct Talk {
  std::function<ChatModel(Terminal& terminal, bool styled)> partner;
  SamplerOptions defaults;
  std::string greeting;
  bool elsewhere = false;
};

const char* variable(const char* name) { return std::getenv(name); }

// As in run: the text that a message is about follows it.
std::string first_message(const ChatCommandOptions& o) {
  if (o.file.empty()) return o.prompt;
  const std::string text = read_file(o.file);
  return o.prompt.empty() ? text : o.prompt + "\n\n" + text;
}

ChatOptions session_options(const ChatCommandOptions& o, const Talk& talk, bool interactive) {
  ChatOptions options;
  options.settings = {o.sampler, talk.defaults, o.answers.write.max_tokens, talk.elsewhere};
  options.settings.resolved();  // a wrong value is an error before anybody types
  options.system = system_message(o.flags);
  options.extra = template_names(o.flags);
  options.show_thinking = o.flags.show_thinking.value_or(interactive);
  options.show_stats = o.stats && interactive;
  const char* home = variable("HOME");
  options.home = home == nullptr ? "" : home;
  return options;
}

// One message, one answer.
int answer_once(const ChatCommandOptions& o, const Talk& talk, Terminal& terminal,
                const std::string& message) {
  ChatModel model = talk.partner(terminal, false);
  bool stopped = false;
  const auto noting = [&stopped](auto inner) {
    return [&stopped, inner](auto&&... arguments) {
      ChatReply reply = inner(arguments...);
      stopped = reply.ended == Ended::kStopped;
      return reply;
    };
  };
  if (model.generate) model.generate = noting(model.generate);
  if (model.answer) model.answer = noting(model.answer);
  ChatScreen screen({.terminal = ::isatty(STDOUT_FILENO) != 0},
                    [&](std::string_view bytes) { write_all(terminal, bytes); });
  ChatSession session(std::move(model), session_options(o, talk, false), screen);
  session.say(message);
  return stopped ? kInterrupted : kDone;
}

int converse(const ChatCommandOptions& o, const Talk& talk, Terminal& terminal,
             const std::string& first) {
  const char* no_color = variable("NO_COLOR");
  const bool styled = terminal.can_edit() && (no_color == nullptr || no_color[0] == '\0');
  History history(o.history ? history_path(variable("XDG_DATA_HOME"), variable("HOME")) : "");
  ChatScreen screen({.terminal = true, .styled = styled},
                    [&](std::string_view bytes) { write_all(terminal, bytes); });
  const History no_history;
  LineReader questions(terminal, no_history, {}, styled);
  const Ask ask = [&](std::string_view question) {
    const ReadMessage answer = questions.read(question, "");
    return answer.kind == ReadMessage::Kind::kText ? answer.text : "";
  };
  ChatSession session(talk.partner(terminal, styled), session_options(o, talk, true), screen, ask);
  LineReader reader(
      terminal, history, [&](std::string_view before) { return session.completions(before); },
      styled);
  screen.note(talk.greeting + " /help helps, Ctrl-D leaves.");
  if (!first.empty()) session.say(first);
  for (;;) {
    reader.set_enter_sends(session.enter_sends());
    const ReadMessage typed = reader.read(">>> ", "... ", session.take_draft());
    if (typed.kind == ReadMessage::Kind::kEnd) return kDone;
    if (typed.kind == ReadMessage::Kind::kInterrupt) {
      if (typed.text.empty()) screen.note("Ctrl-D or /bye leaves.");
      continue;
    }
    history.add(typed.text);
    if (session.handle(typed.text) == ChatSession::Next::kLeave) return kDone;
  }
}

std::string without_line_ends(std::string text) {
  while (text.ends_with('\n') || text.ends_with('\r')) text.pop_back();
  return text;
}

RemoteChatOptions remote_options(const ChatCommandOptions& o) {
  RemoteChatOptions remote;
  remote.target = target_of(o.server);
  remote.model = o.model_name;
  remote.tools = offered_tools(o.flags);
  remote.stops = o.answers.write.stops;
  remote.ignore_ends = o.answers.ignore_ends;
  return remote;
}

std::string greeting_of(const std::string& name, int64_t context) {
  return context > 0 ? fmt::format("{}, context of {} tokens.", name, count_text(context))
                     : name + ".";
}

Talk talk_with(RemoteChat& remote) {
  return {[&remote](Terminal& terminal, bool styled) {
            return as_chat_model(remote, terminal, styled);
          },
          SamplerOptions(), greeting_of(remote.name(), remote.context()), true};
}

// `partner` keeps who answers for as long as the conversation lasts.
Talk talk_with(const ChatCommandOptions& o, LoadedModel& model, std::unique_ptr<Partner>& partner) {
  return {[&](Terminal& terminal, bool styled) {
            partner = std::make_unique<Partner>(o, model, terminal, styled);
            return partner->as_chat_model();
          },
          model.sampling(), greeting_of(model.name(), model.context())};
}

int run_chat(const ChatCommandOptions& o) {
  const bool talks = ::isatty(STDIN_FILENO) != 0 && ::isatty(STDOUT_FILENO) != 0;
  std::string first = without_line_ends(first_message(o));
  if (first.empty() && !talks) first = without_line_ends(read_file("-"));
  if (first.empty() && !talks) fail("there is no message: give one on standard input or with -p");
  std::optional<LoadedModel> model;
  std::optional<RemoteChat> remote;
  std::unique_ptr<Partner> partner;
  // Loading has a Ctrl-C of its own, so what handles signals later comes after it.
  if (o.server.url.empty()) {
    model.emplace(o.model);
  } else {
    std::signal(SIGPIPE, SIG_IGN);  // a server that goes is an error of its own
    remote.emplace(remote_options(o));
  }
  const Talk talk = remote ? talk_with(*remote) : talk_with(o, *model, partner);
  Terminal terminal(variable("TERM"));
  const InterruptFlag interrupts;
  try {
    return talks ? converse(o, talk, terminal, first) : answer_once(o, talk, terminal, first);
  } catch (const OutputGone&) {
    return kOutputGone;
  }
}

void add_message_options(CLI::App& command, ChatCommandOptions& o) {
  command.add_option("-p,--prompt", o.prompt, "The first message")->type_name("TEXT");
  command.add_option("-f,--file", o.file, "A file that holds it, or that it is about")
      ->type_name("FILE");
  add_chat_options(command, o.flags);
  add_write_options(command, o.answers);
}

void add_look_options(CLI::App& command, ChatCommandOptions& o) {
  command.add_flag("--stats,!--no-stats", o.stats,
                   "A line about tokens and time after each answer (default: on)");
  command.add_flag("--history,!--no-history", o.history,
                   "Keep what is typed in ~/.local/share/braid/history (default: on)");
}

}  // namespace

Command chat_command(CLI::App& app) {
  const auto o = std::make_shared<ChatCommandOptions>();
  CLI::App& command = *app.add_subcommand("chat", "Talk with a model");
  add_model_options(command, o->model);
  add_server_options(command, o->server);
  command.get_option("--url")
      ->description(
          "Talk with the model of a server instead of loading one: http://host:port, https://host, "
          "unix:/path; options about loading have no effect then")
      ->excludes(command.get_option("--model"));
  command
      .add_option("--model-name", o->model_name,
                  "Which of the server's models (default: its first)")
      ->type_name("NAME")
      ->group("The server");
  add_message_options(command, *o);
  add_look_options(command, *o);
  add_sampler_options(command, o->sampler);
  command.footer(R"(Examples:
  braid chat
  braid chat -m model.gguf -sys "You answer in one sentence." --temp 0.6
  echo "How old is the moon?" | braid chat -m model.gguf
  braid chat --url http://127.0.0.1:8080)");
  return {&command, [o] { return run_chat(*o); }};
}

}  // namespace braid
