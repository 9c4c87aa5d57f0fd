#include "sample/sampler.h"

#include <algorithm>
#include <limits>
#include <random>

#include "base/check.h"
#include "sample/logit_bias.h"
#include "sample/logprobs.h"
#include "sample/min_p.h"
#include "sample/penalties.h"
#include "sample/temperature.h"
#include "sample/top_k.h"
#include "sample/top_n_sigma.h"
#include "sample/top_p.h"
#include "sample/xtc.h"
#include "text/tokenizer.h"

namespace braid {
namespace {

constexpr float kBanned = -std::numeric_limits<float>::infinity();

// Walks the probabilities in descending order until they reach the draw's share.
const Candidate& choose(Candidates& candidates, double draw) {
  const Softmax softmax = candidates.softmax();
  const double wanted = draw * softmax.sum;
  double sum = 0;
  for (size_t i = 0; i < candidates.size(); ++i) {
    const Candidate& c = candidates.descending(i);
    sum += softmax.weight(c.logit);
    if (wanted < sum) return c;
  }
  return candidates.descending(0);  // the sum in this order came out below the draw by rounding
}

// The stages in the order in which they run (SamplerOptions::samplers says why).
std::vector<SamplerStage> running_order(const SamplerOptions& options) {
  std::vector<SamplerStage> order = options.samplers;
  std::erase(order, SamplerStage::kAdaptiveP);
  if (options.adaptive_on()) order.push_back(SamplerStage::kAdaptiveP);
  if (std::ranges::find(order, SamplerStage::kPenalties) == order.end()) {
    order.insert(order.begin(), SamplerStage::kPenalties);
  }
  if (options.greedy()) {
    std::erase_if(order, [](SamplerStage stage) {
      return stage != SamplerStage::kPenalties && stage != SamplerStage::kDry;
    });
  }
  return order;
}

uint64_t chosen_seed(int64_t wanted) {
  return wanted >= 0 ? static_cast<uint64_t>(wanted) : std::random_device()();
}

}  // namespace

SamplerVocabulary sampler_vocabulary(const Tokenizer& tokenizer) {
  SamplerVocabulary result{.n_tokens = tokenizer.n_tokens(), .unused = {}, .bytes = {}};
  for (int32_t id = 0; id < tokenizer.n_tokens(); ++id) {
    if (tokenizer.type(id) == TokenType::kUnused) result.unused.push_back(id);
  }
  result.bytes = [&tokenizer](int32_t id) { return tokenizer.bytes(id); };
  return result;
}

Sampler::Sampler(SamplerOptions options, const SamplerVocabulary& vocabulary)
    : options_(std::move(options)), vocabulary_(&vocabulary), seed_(chosen_seed(options_.seed)) {
  options_.validate();
  if (!options_.logit_bias.empty() && options_.logit_bias.rbegin()->first >= vocabulary.n_tokens) {
    fail("logit_bias names token {}; the vocabulary has {}", options_.logit_bias.rbegin()->first,
         vocabulary.n_tokens);
  }
  dry_on_ = options_.dry_on();
  if (dry_on_) {
    CHECK(options_.dry_sequence_breakers.empty() || vocabulary.bytes);
    breakers_ = BreakerTracker(options_.dry_sequence_breakers, vocabulary.bytes);
  }
  options_.samplers = running_order(options_);
  std::erase_if(options_.ends, [&](int32_t id) {
    const auto bias = options_.logit_bias.find(id);
    return bias != options_.logit_bias.end() && bias->second == kBanned;
  });
  reset();
}

void Sampler::run_stage(SamplerStage stage, Draws& draws, SampleWorkspace& work) const {
  const SamplerOptions& o = options_;
  const auto min_keep = static_cast<size_t>(o.min_keep);
  switch (stage) {
    case SamplerStage::kPenalties:
      return apply_penalties(work.candidates, history_, o, work.by_token);
    case SamplerStage::kDry:
      if (!dry_on_) return;
      return apply_dry(work.candidates, history_, breakers_, o, work.by_token, work.dry);
    case SamplerStage::kTopNSigma:
      return apply_top_n_sigma(work.candidates, o.top_n_sigma);
    case SamplerStage::kTopK:
      return apply_top_k(work.candidates, o.top_k, min_keep);
    case SamplerStage::kTypical:
      return apply_typical(work.candidates, o.typical_p, min_keep, work.typical);
    case SamplerStage::kTopP:
      return apply_top_p(work.candidates, o.top_p, min_keep);
    case SamplerStage::kMinP:
      return apply_min_p(work.candidates, o.min_p, min_keep);
    case SamplerStage::kXtc:
      return apply_xtc(work.candidates, o.xtc_probability, o.xtc_threshold, draws.uniform(),
                       min_keep);
    case SamplerStage::kTemperature:
      return apply_temperature(work.candidates, o.temperature);
    case SamplerStage::kAdaptiveP:
      if (o.adaptive_updt_w_cur) {
        work.before_adaptive.assign(work.candidates.items().begin(), work.candidates.items().end());
      }
      return apply_adaptive_p(work.candidates, adaptive_.back(), o);
    case SamplerStage::kInfill:
      return apply_infill(work.candidates, o.ends, vocabulary_->bytes, work.infill);
  }
}

void Sampler::run_stages(std::span<const float> logits, Draws& draws, SampleWorkspace& work) const {
  const auto n_tokens = static_cast<size_t>(vocabulary_->n_tokens);
  CHECK_THAT(logits.size() >= n_tokens, "{} logits for {} tokens", logits.size(), n_tokens);
  Candidates& candidates = work.candidates;
  candidates.assign(logits.first(n_tokens));
  apply_logit_bias(candidates, options_.logit_bias);
  if (const auto here = biases_.find(history_.size()); here != biases_.end())
    apply_logit_bias(candidates, here->second);
  const auto all = candidates.change();
  for (const int32_t id : vocabulary_->unused) all[static_cast<size_t>(id)].logit = kBanned;
  candidates.keep_if([&](size_t i) { return all[i].logit != kBanned; });
  if (candidates.empty()) {
    if (options_.logit_bias.empty() && biases_.empty())
      fail("all of {} tokens have a logit of -inf: the model computed no answer", n_tokens);
    throw NothingMayFollow(fmt::format(
        "none of {} tokens may follow: all are banned, or have a logit of -inf; see logit_bias",
        n_tokens));
  }
  if (work.by_token.size() < n_tokens) work.by_token.resize(n_tokens, 0);
  for (const SamplerStage stage : options_.samplers) run_stage(stage, draws, work);
}

int32_t Sampler::draw(std::span<const float> logits, SampleWorkspace& work) const {
  Draws draws(seed_, history_.size());
  run_stages(logits, draws, work);
  Candidates& candidates = work.candidates;
  if (options_.greedy()) return candidates.items()[candidates.best()].id;
  return choose(candidates, draws.uniform()).id;
}

// Of the sampled token: the model's own, or that among the candidates that adaptive-p was given.
double Sampler::counted_probability(std::span<const float> logits,
                                    const SampleWorkspace& work) const {
  if (!options_.adaptive_updt_w_cur) {
    return std::exp(logprob(logits.first(static_cast<size_t>(vocabulary_->n_tokens)), sampled_));
  }
  const auto& list = work.before_adaptive;
  const Softmax softmax = softmax_of(list);
  return softmax.probability(std::ranges::find(list, sampled_, &Candidate::id)->logit);
}

int32_t Sampler::sample(std::span<const float> logits, SampleWorkspace& work) {
  sampled_ = draw(logits, work);
  probability_ = options_.adaptive_on() ? counted_probability(logits, work) : 0;
  return sampled_;
}

int32_t Sampler::sample(std::span<const float> logits) {
  if (!own_workspace_) own_workspace_ = std::make_unique<SampleWorkspace>();
  return sample(logits, *own_workspace_);
}

std::vector<TokenProbability> Sampler::distribution(std::span<const float> logits,
                                                    SampleWorkspace& work) const {
  Draws draws(seed_, history_.size());
  run_stages(logits, draws, work);
  Candidates& candidates = work.candidates;
  if (options_.greedy()) candidates.keep_best(1);
  const Softmax softmax = candidates.softmax();
  std::vector<TokenProbability> result;
  result.reserve(candidates.size());
  for (size_t i = 0; i < candidates.size(); ++i) {
    const Candidate& c = candidates.descending(i);
    result.push_back({c.id, softmax.probability(c.logit)});
  }
  return result;
}

void Sampler::accept(int32_t token) {
  CHECK_THAT(token >= 0 && token < vocabulary_->n_tokens, "token {} of {}", token,
             vocabulary_->n_tokens);
  history_.push_back(token);
  if (dry_on_) breakers_.accept(history_);
  if (options_.adaptive_on()) {
    const double counted = token == sampled_ ? probability_ : 0;
    adaptive_.push_back(adaptive_after(adaptive_.back(), counted, options_));
  }
  sampled_ = -1;
}

void Sampler::accept(std::span<const int32_t> tokens) {
  for (const int32_t token : tokens) accept(token);
}

void Sampler::bias_at(size_t length, int32_t token, float bias) {
  CHECK_THAT(token >= 0 && token < vocabulary_->n_tokens, "token {} of {}", token,
             vocabulary_->n_tokens);
  biases_[length][token] += bias;
}

void Sampler::rewind(size_t n) {
  CHECK_THAT(n <= history_.size(), "{} of {} tokens", n, history_.size());
  if (n == 0) return;
  history_.resize(history_.size() - n);
  biases_.erase(biases_.upper_bound(history_.size()), biases_.end());
  if (dry_on_) breakers_.truncate(history_.size());
  if (options_.adaptive_on()) adaptive_.resize(history_.size() + 1);
  sampled_ = -1;
}

void Sampler::reset() {
  history_.clear();
  biases_.clear();
  breakers_.truncate(0);
  adaptive_.clear();
  if (options_.adaptive_on()) adaptive_.push_back(adaptive_start(options_));
  sampled_ = -1;
}

Sampler::Snapshot Sampler::snapshot() const {
  return {history_, adaptive_, sampled_, probability_};
}

void Sampler::restore(const Snapshot& snapshot) {
  const size_t n_states = options_.adaptive_on() ? snapshot.history.size() + 1 : 0;
  CHECK_THAT(snapshot.adaptive.size() == n_states, "a snapshot of a sampler with other options");
  reset();
  accept(snapshot.history);
  adaptive_ = snapshot.adaptive;
  sampled_ = snapshot.sampled;
  probability_ = snapshot.probability;
}

}  // namespace braid
