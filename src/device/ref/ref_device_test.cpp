#include "device/ref/ref_device.h"

#include "device/ops_test_support.h"

#include <gtest/gtest.h>

namespace braid::ref {
namespace {

using namespace ops_test;

TEST(RefDevice, MemoryIsAlignedZeroedAndCounted) {
  const auto device = open_device("ref", {1, ""});
  {
    const Buffer buffer = device->allocate(1000, "a test");
    EXPECT_EQ(reinterpret_cast<uintptr_t>(buffer.data()) % 64, 0u);
    EXPECT_EQ(device->allocated(), 1000u);
    for (size_t i = 0; i < 1000; ++i) ASSERT_EQ(buffer.data()[i], std::byte{0});
  }
  EXPECT_EQ(device->allocated(), 0u);
}

#ifndef BRAID_SMALL_TESTS  // AddressSanitizer ends the program instead
TEST(RefDevice, TooMuchMemoryIsAnError) {
  EXPECT_THROW(open_device("ref", {1, ""})->allocate(size_t{1} << 60, "a test"), Error);
}
#endif

TEST(RefDevice, NamesWhatThereIs) {
  try {
    open_device("abacus");
    FAIL();
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("abacus"), std::string::npos);
    EXPECT_NE(std::string(e.what()).find("ref"), std::string::npos);
  }
  EXPECT_THROW(open_device("ref", {1, "avx2"}), Error);
}

TEST(RefDevice, AnExceptionOfAnyThreadArrives) {
  const auto device = open_device("ref", {3, ""});
  const Plan plan{{{{1, 0, 3}}}};
  Stage stage(*device, plan);
  RandomFile file(1);
  const PackedMatrix w = device->prepare(file.matrix(DType::F32, 2, 4),  // too few for the tokens
                                         MatrixUse::kLookup);
  Outcome outcome;
  EXPECT_THROW(
      stage.run(device->ops().embed, {stage.batch(plan.steps[0]), w, stage.output(4)}, outcome),
      InternalError);
}

TEST(RefDevice, ReadsEachRowOfWeightsOnceAStep) {
  for (int threads : {1, 2, 3}) {
    const auto device = open_device("ref", {threads, ""});
    const Plan plan{{{{1, 0, 5}, {2, 7, 1}}}};
    Stage stage(*device, plan);
    RandomFile file(1);
    const FileMatrix gate = file.matrix(DType::F16, 11, 8), up = file.matrix(DType::F16, 11, 8),
                     down = file.matrix(DType::F32, 8, 11);
    const PackedNorm norm{device->prepare(normals(2, 8))};
    const PackedMlp w = device->prepare(MlpFileWeights{gate, up, down});
    EXPECT_EQ(w.bytes, gate.bytes() + up.bytes() + down.bytes());
    Outcome outcome;
    stage.run(device->ops().mlp,
              {stage.batch(plan.steps[0]), stage.input(plan.steps[0], 8, 1), norm, w}, outcome);
    EXPECT_EQ(outcome.weight_bytes, w.bytes);
  }
}

}  // namespace
}  // namespace braid::ref
