// No memory is asked for after the first token of a sequence.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <new>

#include "sample/test_vocabulary.h"

#ifndef BRAID_SMALL_TESTS  // sanitizers have an allocator of their own

namespace {
std::atomic<size_t> n_allocations{0};
}

void* operator new(size_t size) {
  ++n_allocations;
  if (void* memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }

namespace braid {
namespace {

TEST(Sampler, NoAllocationAfterTheFirstToken) {
  constexpr size_t kTokens = 60000;
  const SamplerVocabulary vocabulary = plain_vocabulary(kTokens);
  for (const bool truncated : {true, false}) {
    SamplerOptions options = plain_options();
    options.temperature = 1.2f;
    options.typical_p = 0.9f;
    options.top_p = 0.9f;
    options.top_k = truncated ? 40 : 0;
    options.xtc_probability = 0.5f;
    options.repeat_penalty = 1.1f;
    options.dry_multiplier = 0.8f;
    options.adaptive_target = truncated ? 0.3f : -1.0f;
    options.adaptive_updt_w_cur = true;
    if (truncated) options.samplers.push_back(SamplerStage::kInfill);
    Sampler sampler(options, vocabulary);
    sampler.accept(std::vector<int32_t>(100, 3));
    const std::vector<float> logits = random_logits(kTokens, 1);
    sampler.sample(logits);
    const size_t before = n_allocations;
    for (int i = 0; i < 5; ++i) sampler.sample(logits);
    EXPECT_EQ(n_allocations, before);
  }
}

}  // namespace
}  // namespace braid

#endif
