// Against the demo model: a second prompt on the same writer must give what a new one gives.
#include "tools/generation.h"

#include "base/check.h"
#include "tools/loaded_model.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace braid {
namespace {

SamplerOptions sampling(float temperature, int64_t seed = 1) {
  SamplerOptions options;
  options.temperature = temperature;
  options.seed = seed;
  return options;
}
const SamplerOptions kGreedy = sampling(0);

class Generation : public testing::Test {
 protected:
  static std::unique_ptr<LoadedModel> load(int64_t context = 512, int spare_slots = 2) {
    ModelChoice choice;
    choice.path = BRAID_TEST_DATA "/../../assets/braid-demo.gguf";
    choice.engine.context = context;
    choice.engine.spare_slots = spare_slots;
    choice.engine.ubatch = 32;
    choice.device.options.threads = 1;
    return std::make_unique<LoadedModel>(choice);
  }
  std::vector<int32_t> ids(std::string_view text) const {
    return model_->tokenizer().encode(text, {.add_special = false, .parse_special = true});
  }
  struct Result {
    Written written;
    std::string text;
  };
  Result write(Writer& writer, std::span<const int32_t> prompt, WriteOptions options = {},
               SamplerOptions how = kGreedy, int64_t stop_after = -1) {
    Result out;
    int64_t pieces = 0;
    const WriteListener listener{.prefill = {},
                                 .text = [&](std::string_view text) { out.text += text; },
                                 .stop = [&] { return ++pieces == stop_after; }};
    Sampler sampler(std::move(how), model_->sampler_vocabulary());
    out.written = writer.write(prompt, sampler, options, listener);
    return out;
  }
  Result fresh(std::span<const int32_t> prompt, WriteOptions options = {},
               const SamplerOptions& how = kGreedy) {
    Writer writer(*other_);
    return write(writer, prompt, std::move(options), how);
  }

  std::unique_ptr<LoadedModel> model_ = load();
  std::unique_ptr<LoadedModel> other_ = load();  // for new writers: an engine has slots for one
};

const std::string kLong =
    "In Tidewell there was a baker who kept a lantern at her window. Every evening she lit it for "
    "the boats, and every morning she put it out. One day the lantern was gone, and";

TEST_F(Generation, OneWriterForManyPromptsWritesWhatNewOnesWrite) {
  const WriteOptions some{.max_tokens = 20};
  const std::vector<int32_t> first = ids(kLong);
  std::vector<int32_t> longer, changed_end = first, changed_early = first, shorter = first;
  changed_end.back() = ids(" while")[0];
  changed_early[3] = ids(" cook")[0];
  shorter.resize(first.size() - 20);
  const Result answer = fresh(first, some);
  longer = first;
  longer.insert(longer.end(), answer.written.ids.begin(), answer.written.ids.end());
  const auto more = ids(" Then the sea was quiet and");
  longer.insert(longer.end(), more.begin(), more.end());

  Writer writer(*model_);
  const std::vector<const std::vector<int32_t>*> prompts = {
      &first, &longer, &first, &changed_end, &longer, &changed_early, &shorter, &first, &first};
  for (const std::vector<int32_t>* prompt : prompts) {
    const Result got = write(writer, *prompt, some), wanted = fresh(*prompt, some);
    EXPECT_EQ(got.written.ids, wanted.written.ids);
    EXPECT_EQ(got.text, wanted.text);
    EXPECT_FALSE(got.text.empty());
  }
}

TEST_F(Generation, WhatAgreesIsNotComputedAgain) {
  const std::vector<int32_t> prompt = ids(kLong);
  const auto n = static_cast<int64_t>(prompt.size());
  Writer writer(*model_);
  const Result answer = write(writer, prompt, {.max_tokens = 60});
  EXPECT_EQ(answer.written.stats.reused, 0);
  ASSERT_EQ(answer.written.stats.written, 60);

  // The answer is 60 tokens long, further than a state goes back: this takes the kept place.
  EXPECT_EQ(write(writer, prompt, {.max_tokens = 60}).written.stats.reused, n - 1);
  // As a template does that takes the thoughts out of the last answer.
  std::vector<int32_t> rewritten(prompt.begin(), prompt.end() - 2);
  const auto other = ids(" a gull had taken it.");
  rewritten.insert(rewritten.end(), other.begin(), other.end());
  EXPECT_EQ(write(writer, rewritten, {.max_tokens = 3}).written.stats.reused, n - 2);
  // Going on behind an answer.
  std::vector<int32_t> on(writer.tokens().begin(), writer.tokens().end());
  const auto held = static_cast<int64_t>(on.size());
  on.insert(on.end(), other.begin(), other.end());
  EXPECT_EQ(write(writer, on, {.max_tokens = 3}).written.stats.reused, held);
}

TEST_F(Generation, APromptAskedAgainTakesNoPlaceOfAnother) {
  const std::vector<int32_t> early = ids(kLong), late = ids(kLong + " " + kLong);
  Writer writer(*model_);
  write(writer, early, {.max_tokens = 3});
  for (int i = 0; i < 3; ++i) write(writer, late, {.max_tokens = 40});
  EXPECT_EQ(write(writer, early, {.max_tokens = 3}).written.stats.reused,
            static_cast<int64_t>(early.size()) - 1);
}

TEST_F(Generation, WithoutSpareSlotsItIsOnlySlower) {
  model_ = load(512, 0);
  const std::vector<int32_t> prompt = ids(kLong);
  Writer writer(*model_);
  const Result first = write(writer, prompt, {.max_tokens = 40});
  const Result again = write(writer, prompt, {.max_tokens = 40});
  EXPECT_EQ(again.written.stats.reused, 0);
  EXPECT_EQ(again.written.ids, first.written.ids);
}

TEST_F(Generation, StoppedInThePromptItGoesOnWhereItWas) {
  const std::vector<int32_t> prompt = ids(kLong + " " + kLong + " " + kLong);
  ASSERT_GT(prompt.size(), 96u);
  Writer writer(*model_);
  const Result stopped = write(writer, prompt, {}, kGreedy, 2);
  EXPECT_EQ(stopped.written.ended, Ended::kStopped);
  EXPECT_EQ(stopped.written.stats.written, 0);
  const Result after = write(writer, prompt, {.max_tokens = 10});
  EXPECT_EQ(after.written.stats.reused, 64);
  EXPECT_EQ(after.written.ids, fresh(prompt, {.max_tokens = 10}).written.ids);
}

TEST_F(Generation, StoppedInTheAnswerItKeepsWhatWasSaid) {
  const std::vector<int32_t> prompt = ids(kLong);
  Writer writer(*model_);
  const int64_t steps = static_cast<int64_t>((prompt.size() + 31) / 32);
  const Result stopped = write(writer, prompt, {}, kGreedy, steps + 5);
  EXPECT_EQ(stopped.written.ended, Ended::kStopped);
  EXPECT_EQ(stopped.written.stats.written, 5);
  EXPECT_EQ(stopped.text, fresh(prompt, {.max_tokens = 5}).text);
}

TEST_F(Generation, EndsForTheReasonThatItNames) {
  const std::vector<int32_t> prompt = ids(kLong);
  const Result twenty = fresh(prompt, {.max_tokens = 20});
  EXPECT_EQ(twenty.written.ended, Ended::kLength);
  EXPECT_EQ(twenty.written.ids.size(), 20u);
  EXPECT_EQ(fresh(prompt, {.max_tokens = 0}).written.stats.written, 0);

  const std::string word = twenty.text.substr(twenty.text.size() / 2, 4);
  const Result at_word = fresh(prompt, {.max_tokens = 20, .stops = {word}});
  EXPECT_EQ(at_word.written.ended, Ended::kStopString);
  EXPECT_EQ(at_word.text, twenty.text.substr(0, twenty.text.find(word)));

  const auto question =
      ids("<|im_start|>user\nHello.<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n");
  const Result answer = fresh(question);
  EXPECT_EQ(answer.written.ended, Ended::kEndToken);
  for (const int32_t id : answer.written.ids) EXPECT_FALSE(model_->ends_answer(id));
  SamplerOptions endless = kGreedy;
  ban_ends(*model_, endless);
  const Result on = fresh(question, {}, endless);
  EXPECT_EQ(on.written.ended, Ended::kContextFull);
  EXPECT_EQ(on.written.stats.prompt + on.written.stats.written, model_->context() + 1);
}

TEST_F(Generation, SameSeedSameText) {
  const std::vector<int32_t> prompt = ids(kLong);
  const auto with_seed = [&](int64_t seed) {
    return fresh(prompt, {.max_tokens = 30}, sampling(1.5F, seed)).text;
  };
  EXPECT_EQ(with_seed(7), with_seed(7));
  EXPECT_NE(with_seed(7), with_seed(8));
}

TEST_F(Generation, LogprobsAreThoseOfTheModel) {
  const Result got = fresh(ids(kLong), {.max_tokens = 5, .logprobs = 4096});
  ASSERT_EQ(got.written.notes.size(), 5u);
  for (const TokenNote& note : got.written.notes) {
    EXPECT_EQ(note.id, note.top.front().first);  // greedy
    double sum = 0;
    for (const auto& [id, logprob] : note.top) sum += std::exp(logprob);
    EXPECT_NEAR(sum, 1, 1e-6);
  }
}

TEST_F(Generation, PromptsThatCannotBeAreErrors) {
  Writer writer(*model_);
  EXPECT_THROW(write(writer, {}), Error);
  const std::vector<int32_t> full(static_cast<size_t>(model_->context()), 300);
  EXPECT_THROW(write(writer, full), Error);
  SamplerOptions never_ends = kGreedy;  // whatever the model makes of such a prompt
  never_ends.logit_bias[300] = 1000;
  EXPECT_EQ(write(writer, std::span(full).first(full.size() - 1), {}, never_ends).written.ended,
            Ended::kContextFull);
}

}  // namespace
}  // namespace braid
