#include "tools/generation.h"

#include "base/check.h"
#include "sample/logprobs.h"
#include "sample/stop_matcher.h"
#include "text/stream_decoder.h"
#include "tools/loaded_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <limits>

namespace braid {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// A step of the prompt takes about this long, so that Ctrl-C is answered soon; shorter steps read
// the weights more often than they have to.
constexpr double kStepSeconds = 1.0;
constexpr int64_t kFewestRows = 128;

int64_t common_beginning(std::span<const int32_t> a, std::span<const int32_t> b) {
  const auto [end, ignored] = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
  return end - a.begin();
}

// How many of the prompt's tokens a sequence still serves; at least one is left to run, since its
// logits are wanted.
int64_t usable(const Sequence& sequence, std::span<const int32_t> prompt) {
  const int64_t common = std::min(common_beginning(sequence.tokens(), prompt),
                                  static_cast<int64_t>(prompt.size()) - 1);
  return common >= sequence.floor() ? common : 0;
}

// Ids to text that may be shown: characters made whole, stop strings held back.
class TextOut {
 public:
  TextOut(const Tokenizer& tokenizer, const WriteOptions& options, const WriteListener& listener)
      : tokenizer_(tokenizer), options_(options), listener_(listener), stops_(options.stops) {}

  // False when a stop string has ended the answer.
  bool token(int32_t id) {
    if (tokenizer_.is_control(id) && !options_.show_control) return true;
    std::string whole;
    decoder_.feed(tokenizer_.bytes(id), whole);
    return pass(whole);
  }

  void finish() {
    std::string rest;
    decoder_.finish(rest);
    if (!pass(rest)) return;
    std::string held;
    stops_.finish(held);
    show(held);
  }

 private:
  bool pass(std::string_view text) {
    std::string certain;
    const bool ended = stops_.feed(text, certain);
    show(certain);
    return !ended;
  }
  void show(std::string_view text) {
    if (!text.empty() && listener_.text) listener_.text(text);
  }

  const Tokenizer& tokenizer_;
  const WriteOptions& options_;
  const WriteListener& listener_;
  StreamDecoder decoder_;
  StopMatcher stops_;
};

TokenNote note_of(std::span<const float> logits, int32_t id, int top) {
  TokenNote note{id, logprob(logits, id), {}};
  for (const TokenLogprob& t : top_logprobs(logits, static_cast<size_t>(top)))
    note.top.emplace_back(t.id, t.logprob);
  return note;
}

}  // namespace

std::string_view name_of(Ended ended) {
  switch (ended) {
    case Ended::kEndToken:
      return "end";
    case Ended::kStopString:
      return "stop";
    case Ended::kLength:
      return "length";
    case Ended::kContextFull:
      return "context";
    case Ended::kStopped:
      return "interrupted";
  }
  return "";
}

double WriteStats::prompt_speed() const {
  return prefill > 0 ? static_cast<double>(prompt - reused) / prefill : 0;
}

double WriteStats::write_speed() const {
  return decode > 0 && written > 1 ? static_cast<double>(written - 1) / decode : 0;
}

std::string stats_text(const WriteStats& stats) {
  std::string text = fmt::format("{} tokens in", stats.prompt);
  if (stats.reused > 0) text += fmt::format(" ({} reused)", stats.reused);
  text += fmt::format(", {} out", stats.written);
  if (stats.written > 0) text += fmt::format("; first after {:.2f} s", stats.first_token);
  text += fmt::format("; {:.1f} tokens/s in", stats.prompt_speed());
  if (stats.written > 1) text += fmt::format(", {:.1f} out", stats.write_speed());
  return text;
}

void ban_ends(const LoadedModel& model, SamplerOptions& options) {
  for (const int32_t id : model.text().end_ids)
    options.logit_bias[id] = -std::numeric_limits<float>::infinity();
}

Writer::Writer(LoadedModel& model)
    : model_(model), engine_(model.engine()), live_(engine_.new_sequence()) {}

// Makes live_ the timeline that serves most of the prompt, cut to what it serves.
void Writer::go_back_to(std::span<const int32_t> prompt) {
  int64_t best = usable(live_, prompt);
  auto from = places_.end();
  for (auto place = places_.begin(); place != places_.end(); ++place)
    if (const int64_t n = usable(*place, prompt); n > best) {
      best = n;
      from = place;
    }
  if (from != places_.end()) {
    // A fork of it goes on; the place itself stays for the next time.
    { const Sequence gone = std::move(live_); }  // its slot is needed
    live_ = from->fork();
  }
  live_.truncate(best);
  // Places of another timeline would hold pages of their own, which nobody planned.
  std::erase_if(places_, [&](const Sequence& place) {
    return common_beginning(place.tokens(), prompt) < place.length();
  });
}

// The prompt from where live_ ends; false when it was stopped.
bool Writer::feed(std::span<const int32_t> prompt, const WriteListener& listener) {
  const auto total = static_cast<int64_t>(prompt.size());
  int64_t rows = engine_.options().ubatch;
  while (live_.length() < total) {
    const int64_t at = live_.length(), n = std::min(rows, total - at);
    const Clock::time_point start = Clock::now();
    const Feed feed{&live_, prompt.subspan(static_cast<size_t>(at), static_cast<size_t>(n)),
                    at + n == total ? 1 : 0};
    engine_.step(std::span(&feed, 1));
    if (listener.prefill) listener.prefill(live_.length(), total);
    if (listener.stop && listener.stop()) return false;
    const double speed = static_cast<double>(n) / std::max(seconds_since(start), 1e-6);
    rows = std::clamp(static_cast<int64_t>(speed * kStepSeconds),
                      std::min(kFewestRows, engine_.options().ubatch), engine_.options().ubatch);
  }
  return true;
}

void Writer::keep_place() {
  const auto spare = static_cast<size_t>(engine_.options().spare_slots);
  // All places are beginnings of the prompt, so one as long as it is the same: it was asked again.
  if (spare == 0 || (!places_.empty() && places_.back().length() == live_.length())) return;
  if (places_.size() == spare) places_.erase(places_.begin());
  places_.push_back(live_.fork());
}

Written Writer::write(std::span<const int32_t> prompt, Sampler& sampler,
                      const WriteOptions& options, const WriteListener& listener) {
  const Clock::time_point start = Clock::now();
  const int64_t context = engine_.options().context;
  if (prompt.empty()) fail("the prompt is empty");
  if (static_cast<int64_t>(prompt.size()) >= context)
    fail("the prompt has {} tokens, the context {}: shorten it, or raise the context with -c",
         prompt.size(), context);
  Written out;
  out.stats.prompt = static_cast<int64_t>(prompt.size());
  go_back_to(prompt);
  out.stats.reused = live_.length();
  sampler.reset();
  sampler.accept(prompt);
  const bool fed = feed(prompt, listener);
  out.stats.prefill = seconds_since(start);
  out.ended = Ended::kStopped;
  if (!fed) return out;
  keep_place();

  TextOut text(model_.tokenizer(), options, listener);
  Clock::time_point first = Clock::now();
  for (;;) {
    if (options.max_tokens >= 0 && out.stats.written >= options.max_tokens) {
      out.ended = Ended::kLength;
      break;
    }
    const auto logits = engine_.logits(0).first(static_cast<size_t>(model_.tokenizer().n_tokens()));
    const int32_t id = sampler.sample(logits, workspace_);
    if (model_.ends_answer(id)) {
      out.ended = Ended::kEndToken;
      break;
    }
    if (options.logprobs >= 0) out.notes.push_back(note_of(logits, id, options.logprobs));
    sampler.accept(id);
    out.ids.push_back(id);
    if (++out.stats.written == 1) {
      first = Clock::now();
      out.stats.first_token = seconds_since(start);
    }
    if (!text.token(id)) {
      out.ended = Ended::kStopString;
      break;
    }
    if (listener.stop && listener.stop()) break;
    if (live_.length() + 1 > context) {
      out.ended = Ended::kContextFull;
      break;
    }
    const Feed feed{&live_, std::span(&id, 1), 1};
    engine_.step(std::span(&feed, 1));
  }
  out.stats.decode = out.stats.written > 0 ? seconds_since(first) : 0;
  text.finish();
  return out;
}

}  // namespace braid
