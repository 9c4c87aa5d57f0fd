// A prompt's tokens in, text out, piece by piece: one sequence that stays between prompts.
//
// The next prompt starts where it stops agreeing with what the sequence holds. A recurrent state
// goes back by 16 tokens at most, so the writer also keeps the state at the end of the last
// prompts: a chat template that drops or rewrites the last answer costs the answer, not the
// conversation.
#pragma once

#include "engine/engine.h"
#include "sample/sampler.h"

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace braid {

class LoadedModel;

struct WriteOptions {
  int64_t max_tokens = -1;           // below 0: until the model ends or the context is full
  std::vector<std::string> stops{};  // an answer ends before the first of these
  bool show_control = false;         // control tokens as text
  int logprobs = -1;  // from 0: note the log-probability of each token and of so many
                      // of the most likely ones
};

// Called between steps.
struct WriteListener {
  std::function<void(int64_t done, int64_t total)> prefill;  // tokens of the prompt
  std::function<void(std::string_view text)> text;           // whole characters
  std::function<bool()> stop;                                // true: enough
};

enum class Ended { kEndToken, kStopString, kLength, kContextFull, kStopped };
std::string_view name_of(Ended ended);  // "end", "stop", "length", "context", "interrupted"

struct TokenNote {
  int32_t id;
  double logprob;
  std::vector<std::pair<int32_t, double>> top;
};

struct WriteStats {
  int64_t prompt = 0, reused = 0;  // tokens of the prompt; of these were in the sequence already
  int64_t written = 0;             // tokens of the answer
  double first_token = 0;          // seconds from the call to the first token of the answer
  double prefill = 0, decode = 0;  // seconds in the prompt, and after the first token
  double prompt_speed() const;     // tokens a second; 0 when there was nothing to measure
  double write_speed() const;
};

struct Written {
  Ended ended = Ended::kEndToken;
  std::vector<int32_t> ids;  // without the end token
  std::vector<TokenNote> notes;
  WriteStats stats;
};

// "12 tokens in (8 reused), 103 out; first after 0.21 s; 310.5 tokens/s in, 92.1 out"
std::string stats_text(const WriteStats& stats);

// So that an answer goes on until something else ends it (--ignore-eos).
void ban_ends(const LoadedModel& model, SamplerOptions& options);

class Writer {
 public:
  explicit Writer(LoadedModel& model);  // outlives the writer

  // The sampler's history becomes prompt and answer. Throws Error for an empty prompt and for one
  // that leaves no room in the context. When it throws or is stopped, what was computed stays.
  Written write(std::span<const int32_t> prompt, Sampler& sampler, const WriteOptions& options,
                const WriteListener& listener);

  std::span<const int32_t> tokens() const { return live_.tokens(); }

 private:
  void go_back_to(std::span<const int32_t> prompt);
  bool feed(std::span<const int32_t> prompt, const WriteListener& listener);
  void keep_place();

  LoadedModel& model_;
  Engine& engine_;
  Sequence live_;
  std::vector<Sequence> places_;  // forks of live_ at the ends of prompts, oldest first
  SampleWorkspace workspace_;
};

}  // namespace braid
