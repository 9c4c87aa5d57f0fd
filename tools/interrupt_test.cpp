#include "tools/interrupt.h"

#include "tools/bench_model.h"
#include "tools/command_test_support.h"

#include <csignal>

namespace braid {
namespace {

// Loading a model has a guard of its own: what it leaves must still notice a Ctrl-C.
TEST(InterruptGuard, OneInsideAnother) {
  const InterruptGuard outer;
  { const InterruptGuard inner; }
  EXPECT_FALSE(outer.interrupted());
  std::raise(SIGINT);
  EXPECT_TRUE(outer.interrupted());
  const InterruptGuard inner;  // clears nothing
  EXPECT_TRUE(inner.interrupted());
}

TEST(InterruptGuard, TheNextOneBeginsAnew) {
  {
    const InterruptGuard guard;
    std::raise(SIGTERM);
    EXPECT_TRUE(guard.interrupted());
  }
  const InterruptGuard next;
  EXPECT_FALSE(next.interrupted());
}

TEST(InterruptGuard, NoStepIsRunAfterIt) {
  DeviceChoice device;
  device.options.threads = 1;
  BenchModel model(test::kDemoModel, device, {.context = 64, .ubatch = 16});
  Sequence sequence = model.engine().new_sequence();
  const InterruptGuard interrupt;
  StepMeter meter(model, &interrupt);
  StepCost cost;
  meter.generate(sequence, std::vector<int32_t>{1}, cost);
  std::raise(SIGINT);
  EXPECT_THROW(meter.generate(sequence, std::vector<int32_t>{1}, cost), Interrupted);
  EXPECT_EQ(sequence.length(), 1);
  EXPECT_EQ(cost.steps, 1);
}

}  // namespace
}  // namespace braid
