#include "tools/chat_session.h"

#include "base/check.h"
#include "text/thinking_splitter.h"
#include "tools/units.h"

#include <fmt/format.h>

#include <algorithm>

namespace braid {
namespace {

// A conversation has to leave room for an answer of this many tokens, or of an eighth of a small
// context.
int64_t least_answer(int64_t context) { return std::min<int64_t>(64, context / 8); }

// After turns were dropped there is room for some more.
int64_t comfortable(int64_t context) { return context * 3 / 4; }

// A context that would do, as people write them.
int64_t larger_context(int64_t tokens) {
  int64_t context = 1024;
  while (context < tokens * 5 / 4) context *= 2;
  return context;
}

}  // namespace

ChatSession::ChatSession(ChatModel model, ChatOptions options, ChatScreen& screen, Ask ask)
    : model_(std::move(model)),
      options_(std::move(options)),
      screen_(screen),
      ask_(std::move(ask)) {
  conversation_.set_system(options_.system);
  screen_.set_show_thinking(options_.show_thinking);
}

std::string ChatSession::take_draft() { return std::exchange(draft_, {}); }

int64_t ChatSession::tokens_of(const Conversation& conversation) const {
  return static_cast<int64_t>(model_.encode(conversation.messages(), options_.extra).ids.size());
}

void ChatSession::say(const std::string& text) {
  if (text.find_first_not_of(" \t\r\n") == std::string::npos) return;
  const Conversation before = conversation_;
  conversation_.add_user(text);
  bool answered = false;
  try {
    answered = answer();
  } catch (const Error&) {
    conversation_ = before;
    draft_ = text;
    throw;
  }
  if (answered) return;
  // Nothing came of it: the message goes back to where it can be changed.
  if (conversation_.last_user() == text) conversation_.remove_last_turn();
  draft_ = text;
}

// From a prompt made here. None when there is no room and nobody wants to make it.
std::optional<ChatReply> ChatSession::generate(const std::function<void(const AnswerText&)>& show) {
  const SamplerOptions sampler = options_.settings.resolved();
  ChatPrompt prompt = model_.encode(conversation_.messages(), options_.extra);
  if (static_cast<int64_t>(prompt.ids.size()) + least_answer(model_.context) > model_.context) {
    if (!make_room()) return std::nullopt;
    prompt = model_.encode(conversation_.messages(), options_.extra);
  }
  const int64_t room = model_.context - static_cast<int64_t>(prompt.ids.size());
  const int64_t wish = options_.settings.n_predict;
  ThinkingSplitter splitter(prompt_opens_thinking(prompt.text));
  const ChatReply reply = model_.generate(prompt, sampler, wish < 0 ? room : std::min(wish, room),
                                          [&](std::string_view text) {
                                            AnswerText piece;
                                            splitter.feed(text, piece);
                                            show(piece);
                                          });
  AnswerText rest;
  splitter.finish(rest);
  show(rest);
  return reply;
}

// Lets the model answer the last message. False when no answer was begun.
bool ChatSession::answer() {
  AnswerText whole;
  const auto show = [&](const AnswerText& piece) {
    screen_.thinking(piece.thinking);
    screen_.content(piece.content);
    whole.thinking += piece.thinking;
    whole.content += piece.content;
  };
  const std::optional<ChatReply> given =
      model_.answer
          ? model_.answer(conversation_.messages(), options_.extra, options_.settings, show)
          : generate(show);
  if (!given) return false;
  const ChatReply& reply = *given;
  screen_.end_answer();
  if (reply.ended == Ended::kStopped && reply.stats.written == 0) {
    screen_.note("Stopped before the answer began; the message is back for editing.");
    return false;
  }
  conversation_.add_answer(whole.thinking, whole.content);
  after_answer(reply);
  return true;
}

void ChatSession::after_answer(const ChatReply& reply) {
  const int64_t used = reply.stats.prompt + reply.stats.written;
  used_ = reply.stats.prompt > 0 ? used : 0;
  const bool full = reply.ended == Ended::kContextFull ||
                    (reply.ended == Ended::kLength && model_.context > 0 && used >= model_.context);
  if (reply.ended == Ended::kStopped)
    screen_.note("Stopped; what was said stays. /regen tries again.");
  if (reply.ended == Ended::kLength && !full)
    screen_.note(fmt::format(
        "Stopped after {} tokens ({}).", reply.stats.written,
        options_.settings.n_predict >= 0 ? "n_predict" : "as many as the server gives"));
  if (options_.show_stats && reply.stats.prompt > 0)
    screen_.note(fmt::format("[{}; context {}{}]", stats_text(reply.stats), count_text(used),
                             model_.context > 0 ? " of " + count_text(model_.context) : ""));
  if (!full) return;
  if (!ask_ || !model_.encode)
    return screen_.note(fmt::format("The context of {} tokens is full: the answer was cut.",
                                    count_text(model_.context)));
  ask_for_room(used, "The answer met the end of the context and was cut; what was said stays.");
}

// How many of the oldest turns have to go until the rest takes at most `limit` tokens; the last
// one stays. All but the last may not be enough.
size_t ChatSession::turns_to_drop(int64_t limit) const {
  const size_t most = conversation_.turns() - 1;
  for (size_t n = 1; n < most; ++n) {
    Conversation rest = conversation_;
    rest.remove_oldest(n);
    if (tokens_of(rest) <= limit) return n;
  }
  return most;
}

// Before a message that does not fit any more. False when it is not to be sent.
bool ChatSession::make_room() {
  const int64_t tokens = tokens_of(conversation_);
  const int64_t most = model_.context - least_answer(model_.context);
  Conversation alone = conversation_;
  alone.remove_oldest(alone.turns() - 1);
  const int64_t last = tokens_of(alone);
  if (last > most || !ask_) {
    fail(
        "This {} takes {} tokens and the context holds {}, some of them for the answer. Shorten "
        "it, "
        "or start with a larger context: -c {}",
        last > most ? "message" : "conversation", count_text(tokens), count_text(model_.context),
        larger_context(tokens));
  }
  const int64_t goal = std::max(last, comfortable(model_.context));
  const size_t turns = conversation_.turns() - 1, drop = turns_to_drop(goal);
  screen_.text(fmt::format(
      "The conversation takes {} tokens with this message and the context holds {}.\n"
      "  d  drop the oldest turns ({} of {}) and send it\n"
      "  n  begin a new conversation with it\n"
      "  e  go back to the message\n"
      "For more room start with a larger context: -c {}",
      count_text(tokens), count_text(model_.context), drop, turns, larger_context(tokens)));
  const std::string choice = ask_("d, n or e? ");
  if (choice == "d") {
    conversation_.remove_oldest(drop);
  } else if (choice == "n") {
    conversation_ = alone;
  } else {
    return false;
  }
  return true;
}

// After an answer that was cut. Whatever is chosen, the next message asks again if it must.
void ChatSession::ask_for_room(int64_t tokens, std::string_view what) {
  const size_t turns = conversation_.turns();
  const size_t drop = turns > 1 ? turns_to_drop(comfortable(model_.context)) : 0;
  std::string choices;
  if (drop > 0) choices = fmt::format("  d  drop the oldest turns ({} of {})\n", drop, turns);
  screen_.text(
      fmt::format("{} The context holds {} tokens.\n{}"
                  "  n  begin a new conversation\n"
                  "  k  keep all as it is\n"
                  "For more room start with a larger context: -c {}",
                  what, count_text(model_.context), choices, larger_context(tokens + 1)));
  const std::string choice = ask_(drop > 0 ? "d, n or k? " : "n or k? ");
  if (choice == "d" && drop > 0) conversation_.remove_oldest(drop);
  if (choice == "n") conversation_.clear();
}

void ChatSession::regenerate() {
  if (conversation_.empty()) fail("There is no message to answer yet.");
  const Conversation before = conversation_;
  conversation_.remove_answer();
  if (options_.settings.resolved().seed >= 0)
    screen_.note("The seed is fixed: /set seed -1 lets the answer be another one.");
  bool answered = false;
  try {
    answered = answer();
  } catch (const Error&) {
    conversation_ = before;
    throw;
  }
  if (!answered) conversation_ = before;
}

}  // namespace braid
