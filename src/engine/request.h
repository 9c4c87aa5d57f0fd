// What a caller asks of the scheduler, and what it hears.
//
// Callbacks run on the scheduler's thread, between steps, so they must be quick: put into a queue
// what takes long. One that throws, whatever it throws, ends its own request and harms no other.
#pragma once

#include "base/check.h"
#include "engine/shared_tokens.h"
#include "sample/options.h"
#include "state/prefix_tree.h"

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace braid {

using RequestId = uint64_t;

// Why submit() takes nothing now, though it might at another time.
class QueueFull : public Error {
 public:
  using Error::Error;
};
class ShuttingDown : public Error {
 public:
  using Error::Error;
};

enum class EndReason {
  kEndToken,
  kMaxTokens,
  kContextFull,
  kStopped,  // by on_token
  kCancelled,
  kDeadline,
  kHandedBack,  // the scheduler shut down
  kFailed,
  // What on_token and judge may have had in mind, for whoever gave them to tell.
  kLoop,
  kIndent,
  // And kBanned is the scheduler's own word where bans of tokens leave none to choose.
  kBanned,
};
inline constexpr size_t kEndReasons = 11;
std::string_view name_of(EndReason reason);

// Of a prompt, while it runs.
struct PromptProgress {
  int64_t tokens = 0, cached = 0, done = 0;  // done: cached ones included
};

struct Outcome {
  EndReason reason = EndReason::kFailed;
  std::string error;            // of kFailed
  std::vector<int32_t> tokens;  // the answer, without the end token
  int32_t end_token = -1;
  uint64_t seed = 0;        // given as an option it makes the same answer again
  PrefixMatch cached;       // what was there when the request started, and why no more
  int64_t prompt_rows = 0;  // of the prompt, through the layers
  // Since it was submitted, to its start (or to the end, without one), first token and end.
  double queue_seconds = 0, first_token_seconds = 0, seconds = 0;
};

// What judge() wants instead of the token that was chosen.
struct StepBack {
  bool ends = false;  // the answer ends here, without that token (kStopped)
  int64_t keep = 0;   // tokens of the answer that stay
  struct Bias {
    int64_t place = 0;  // in the answer
    int32_t token = 0;
    float bias = 0;  // of its logit there; -inf bans it
  };
  std::vector<Bias> biases;  // beside those for places that stay
};

struct Request {
  SharedTokens prompt;
  std::vector<int64_t> messages;  // positions in the prompt where messages end, for snapshots
  int realm = 0;  // what a prompt leaves behind serves, and shows itself to, its own realm alone
  SamplerOptions sampling;
  int64_t max_tokens = -1;      // below 0: as many as the context takes
  bool may_be_shorter = false;  // where all pages together cannot hold so many
  std::vector<int32_t> end_tokens;
  int priority = 0;  // the highest first; equal ones as they came
  std::optional<std::chrono::steady_clock::time_point> deadline;

  // Before each token: one to take in place of the sampler's choice, -1 for none.
  std::function<int32_t()> forced;
  // Each token that the sampler chose, end tokens too, before it is a part of the answer: nothing,
  // or where to go on instead. The state goes back by the ring or from a snapshot, so what follows
  // has the bits of an answer that never went that way.
  std::function<std::optional<StepBack>(int32_t token, bool ends)> judge;
  // Each token of the answer but the end token, with the model's logits; false ends the answer
  // with this token.
  std::function<bool(int32_t token, std::span<const float> logits)> on_token;
  std::function<void(const PromptProgress&)> on_progress;
  // The normed vector of the prompt's last token, before any token of the answer; needs
  // EngineOptions::hidden.
  std::function<void(std::span<const float> hidden)> on_hidden;
  std::function<void(const Outcome&)> on_end;  // exactly once
};

}  // namespace braid
