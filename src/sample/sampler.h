// Chooses the tokens of one sequence.
//
// The chain: logit bias, the stages of SamplerOptions::samplers in their order, then a draw from
// what is left. At temperature 0 only bias, penalties and DRY run, and the token with the largest
// logit is chosen, of equal ones the lowest id; nothing is random.
//
// A sampler's state is its history of accepted tokens, prompt included where the caller accepts it,
// and what adaptive-p knows. Random numbers depend on seed and history length alone (rng.h):
// sample() changes nothing but the note that adaptive-p reads in the next accept(), and asked twice
// it answers the same. So rewind() is exact, whatever was sampled in between.
//
// One thread at a time uses a sampler or a workspace.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <vector>

#include "base/check.h"
#include "sample/adaptive_p.h"
#include "sample/candidates.h"
#include "sample/dry.h"
#include "sample/infill.h"
#include "sample/options.h"
#include "sample/rng.h"
#include "sample/typical.h"

namespace braid {

class Tokenizer;

// What a sampler needs to know of the tokenizer; made once, outlives its samplers.
struct SamplerVocabulary {
  int32_t n_tokens = 0;         // logits from here on are padding
  std::vector<int32_t> unused;  // tokens below n_tokens that are padding too
  TokenBytes bytes;             // for DRY's breakers and infill
};
SamplerVocabulary sampler_vocabulary(const Tokenizer& tokenizer);  // refers to the tokenizer

// A quarter of a million entries of several kinds: share one between the sequences of a thread.
struct SampleWorkspace {
  Candidates candidates;
  std::vector<int32_t> by_token;
  DryScratch dry;
  TypicalScratch typical;
  InfillScratch infill;
  std::vector<Candidate> before_adaptive;
};

// Bans leave no token.
class NothingMayFollow : public Error {
 public:
  using Error::Error;
};

struct TokenProbability {
  int32_t id;
  double probability;
};

class Sampler {
 public:
  // Throws Error as SamplerOptions::validate does, and for a biased token that does not exist.
  Sampler(SamplerOptions options, const SamplerVocabulary& vocabulary);
  Sampler(SamplerOptions options, SamplerVocabulary&& vocabulary) = delete;

  // The token after the history; the caller accepts it, or another. Logits beyond n_tokens are not
  // looked at. Throws InternalError for NaN and +inf, NothingMayFollow where bans leave nothing,
  // and Error when all logits are -inf.
  int32_t sample(std::span<const float> logits, SampleWorkspace& workspace);
  int32_t sample(std::span<const float> logits);  // with a workspace of its own

  // What sample() draws from at this position, most likely first. Greedy: one token.
  std::vector<TokenProbability> distribution(std::span<const float> logits,
                                             SampleWorkspace& workspace) const;

  void accept(int32_t token);
  void accept(std::span<const int32_t> tokens);

  // Adds to a token's logit where the history has this length, beside logit_bias; -inf bans it.
  // Said again, it adds up. rewind() to before such a place forgets what was said about it.
  void bias_at(size_t length, int32_t token, float bias);

  // Takes back the last n accepted tokens.
  void rewind(size_t n);
  void reset();  // an empty history; the seed stays

  // The whole state but what bias_at said, for this sampler or another with the same options and
  // seed.
  struct Snapshot {
    std::vector<int32_t> history;
    std::vector<AdaptiveState> adaptive;
    int32_t sampled = -1;
    double probability = 0;
    bool operator==(const Snapshot&) const = default;
  };
  Snapshot snapshot() const;
  void restore(const Snapshot& snapshot);

  std::span<const int32_t> history() const { return history_; }
  // With the stages in the order in which they run.
  const SamplerOptions& options() const { return options_; }
  uint64_t seed() const { return seed_; }  // given back as an option it makes the same text

 private:
  void run_stages(std::span<const float> logits, Draws& draws, SampleWorkspace& workspace) const;
  void run_stage(SamplerStage stage, Draws& draws, SampleWorkspace& workspace) const;
  int32_t draw(std::span<const float> logits, SampleWorkspace& workspace) const;
  double counted_probability(std::span<const float> logits, const SampleWorkspace& workspace) const;

  SamplerOptions options_;
  const SamplerVocabulary* vocabulary_;
  uint64_t seed_;
  bool dry_on_;

  std::vector<int32_t> history_;
  std::map<size_t, std::map<int32_t, float>> biases_;  // by length of the history
  BreakerTracker breakers_;                            // follows the history when DRY is on
  std::vector<AdaptiveState>
      adaptive_;            // when adaptive-p is on: before the first token and after each
  int32_t sampled_ = -1;    // by the last sample(), with the probability that
  double probability_ = 0;  // adaptive-p counts if it is accepted
  std::unique_ptr<SampleWorkspace> own_workspace_;
};

}  // namespace braid
