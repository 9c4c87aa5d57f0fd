// Memory is taken at the start: afterwards the device gives out none, and running a program
// allocates nothing on any thread.
#include "tests/isolation/isolation_support.h"

#include <atomic>
#include <cstdlib>
#include <new>

// The thread sanitizer's runtime has the only operator new that a program may have.
#if defined(__SANITIZE_THREAD__)
#define BRAID_COUNTS 0
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define BRAID_COUNTS 0
#endif
#endif
#ifndef BRAID_COUNTS
#define BRAID_COUNTS 1
#endif

namespace {

std::atomic<bool> counting{false};
std::atomic<int> allocations{0};

#if BRAID_COUNTS
void* counted_allocation(size_t bytes) {
  if (counting.load(std::memory_order_relaxed)) ++allocations;
  if (void* p = std::malloc(bytes ? bytes : 1)) return p;
  throw std::bad_alloc();
}
#endif

}  // namespace

#if BRAID_COUNTS
// For the whole test program. Not the aligned ones: nothing that a program runs uses them.
void* operator new(size_t bytes) { return counted_allocation(bytes); }
void* operator new[](size_t bytes) { return counted_allocation(bytes); }
void* operator new(size_t bytes, const std::nothrow_t&) noexcept { return std::malloc(bytes); }
void* operator new[](size_t bytes, const std::nothrow_t&) noexcept { return std::malloc(bytes); }
void operator delete(void* p) noexcept { std::free(p); }
void operator delete[](void* p) noexcept { std::free(p); }
void operator delete(void* p, size_t) noexcept { std::free(p); }
void operator delete[](void* p, size_t) noexcept { std::free(p); }
#endif

namespace braid::isolation {
namespace {

class Memory : public testing::TestWithParam<Setup> {};

EngineOptions options() {
  EngineOptions o;
  o.context = 128;
  o.sequences = 4;
  o.ubatch = o.logit_rows = 32;
  return o;
}

TEST_P(Memory, TheAllocatorIsFrozenAfterStart) {
  Bench bench(GetParam(), best_isa(), options());
  const size_t allocated = bench.device->allocated();
  EXPECT_GT(allocated, 0u);
  EXPECT_THROW(bench.device->allocate(1, "one byte"), InternalError);
  Sequence a = bench.engine.new_sequence(), b = bench.engine.new_sequence();
  const Tokens tokens = timeline(0, 32);
  for (int i = 0; i < 3; ++i) {
    for (Sequence* s : {&a, &b}) {
      const Feed feed{s, tokens, 32};
      bench.engine.step({&feed, 1});
    }
    a = b.fork();
    a = restore(bench.engine.pool(), take(b));
  }
  EXPECT_EQ(bench.device->allocated(), allocated);
  EXPECT_THROW(bench.device->allocate(1, "one byte"), InternalError);
}

int allocations_in(const std::function<void()>& f) {
  allocations = 0;
  counting = true;
  f();
  counting = false;
  return allocations;
}

TEST_P(Memory, AllocationsAreCounted) {
  if (!BRAID_COUNTS) GTEST_SKIP() << "allocations cannot be counted here";
  EXPECT_EQ(allocations_in([] {}), 0);
  EXPECT_EQ(
      allocations_in([] { std::vector<int>(1000).swap(*std::make_unique<std::vector<int>>()); }),
      2);
}

TEST_P(Memory, RunningAProgramAllocatesNothingOnAnyThread) {
  if (!BRAID_COUNTS) GTEST_SKIP() << "allocations cannot be counted here";
  for (const std::string& isa : isas(GetParam())) {
    const auto device = open_device("cpu", {GetParam().threads, isa});
    const Buffer workspace = device->allocate(size_t{64} << 20, "the test");
    EngineOptions o = options();
    o.key_type = o.value_type = GetParam().cache;
    Engine engine(model_file(GetParam().model), *device, o);
    Sequence a = engine.new_sequence(), b = engine.new_sequence();
    // The first run may note what it likes; each one after a step repeats that step.
    for (const int64_t rows : {1, 3, 8, 9, 16}) {
      const Tokens tokens = timeline(0, rows);
      const Feed feeds[] = {{&a, tokens, rows}, {&b, tokens, rows}};
      engine.step(feeds);
      const Program& program = engine.program(2 * rows);
      ASSERT_LE(program.workspace(), workspace.size());
      device->run(program, workspace);
      EXPECT_EQ(allocations_in([&] { device->run(program, workspace); }), 0)
          << isa << ", " << 2 * rows << " rows";
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, Memory, testing::ValuesIn(setups()), name_of);

}  // namespace
}  // namespace braid::isolation
