// Conversations for `braid load`, made from a seed: the n-th is the same wherever it is made.
//
// Each begins with a prompt, and each of its turns adds an answer and a new message, until it has
// had its turns or its prompt would be too long. Lengths are drawn evenly from their logarithms, so
// that short ones are as usual as in practice. Tokens of texts are estimated as words.
#pragma once

#include "tools/load_trace.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace braid {

struct LengthRange {
  int64_t min = 1, max = 1;
};

enum class LoadForm { kChat, kText, kIds };

struct SyntheticOptions {
  LoadForm form = LoadForm::kChat;
  uint64_t seed = 1;
  LengthRange prompt{64, 2048};  // the first one's tokens, and the most of any
  LengthRange answer{32, 256};
  LengthRange message{16, 256};  // what a later turn adds
  LengthRange turns{1, 6};
  int64_t shared = 0;           // tokens with which every conversation begins
  LengthRange ids{256, 32000};  // for kIds: which tokens there are
  bool real_answers = false;    // a turn has the server's own answers, not made ones
  bool ignore_eos = true;
  std::vector<double> temperatures{0};  // of the requests in turn
  double pause = 0, rate = 0;  // for "at": seconds between turns, sessions that begin a second
};

// Endless, but for `requests` in all.
SessionSource synthetic_sessions(const SyntheticOptions& options, std::optional<int64_t> requests);

}  // namespace braid
