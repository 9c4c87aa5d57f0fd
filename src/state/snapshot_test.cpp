#include "state/snapshot.h"

#include "base/checksum.h"
#include "state/state_test_support.h"

#include <algorithm>
#include <array>
#include <random>

namespace braid {
namespace {

using namespace state_test;

constexpr StateOptions kOptions{
    .slots = 6, .pages = 24, .key_type = DType::F32, .value_type = DType::F16};

struct Fixture {
  explicit Fixture(StateSpec spec = small_spec(), const StateOptions& options = kOptions)
      : pool(device, std::move(spec), options) {}

  HostDevice device;
  StatePool pool;
};

std::span<const int32_t> first(const std::vector<int32_t>& tokens, int64_t n) {
  return std::span(tokens).first(static_cast<size_t>(n));
}

std::vector<std::byte> bytes_of(const Sequence& sequence) { return state_bytes(take(sequence)); }

TEST(Snapshot, EqualTimelinesHaveEqualBytesHoweverReached) {
  Fixture f;
  const std::vector<int32_t> tokens = fresh(150);
  for (int64_t length : {0, 1, 2, 3, 15, 16, 17, 31, 32, 33, 47, 63, 64, 65, 128, 150}) {
    Sequence straight(f.pool);
    step(straight, first(tokens, length));
    const auto wanted = bytes_of(straight);

    Sequence pieces(f.pool);
    for (int64_t at = 0; at < length; at += 7)
      step(pieces,
           first(tokens, length).subspan(size_t(at), size_t(std::min<int64_t>(7, length - at))));
    EXPECT_EQ(bytes_of(pieces), wanted) << length;
    EXPECT_EQ(to_bytes(take(pieces)), to_bytes(take(straight))) << length;

    for (int64_t detour = 1; detour <= 29; ++detour) {
      Sequence sequence = straight.fork();
      step(sequence, fresh(detour));
      if (sequence.floor() > length) continue;
      sequence.truncate(length);
      EXPECT_EQ(bytes_of(sequence), wanted) << length << " + " << detour;
    }
    const Sequence restored = restore(f.pool, take(straight));
    EXPECT_EQ(bytes_of(restored), wanted) << length;
    EXPECT_EQ(to_bytes(take(restored)), to_bytes(take(straight))) << length;
  }
}

// Changes every number of slot and pages, one at a time: exactly those that the next token needs
// show.
TEST(Snapshot, HoldsExactlyWhatTheNextTokenNeeds) {
  Fixture f;
  for (int64_t length : {0, 1, 16, 21, 70}) {
    Sequence sequence(f.pool);
    step(sequence, fresh(length));
    const auto wanted = bytes_of(sequence);
    const size_t n = static_cast<size_t>(length % kBlock);
    size_t state = 0, seen = 0;
    for (const RecurrentPool& p : f.pool.recurrent()) {
      if (!p.base) continue;
      state +=
          p.layout.state_floats() / 2 +
          n * (p.layout.key_floats() + p.layout.update_floats() + p.layout.decay_floats()) / kRing +
          size_t(std::min<int64_t>(length, kConvHistory)) * p.layout.conv_dim;
      float* at = p.slot(sequence.slot()).state_base;
      for (size_t i = 0; i < p.layout.slot_floats(); ++i) {
        const float kept = std::exchange(at[i], 0.5f);
        seen += bytes_of(sequence) != wanted;
        at[i] = kept;
      }
    }
    EXPECT_EQ(seen, state) << length;

    size_t rows = 0;
    for (int32_t page : sequence.pages()) {
      for (const KvPool& p : f.pool.kv()) {
        if (!p.keys) continue;
        for (const auto& [at, size] :
             {std::pair(p.keys_of(page, 0), p.page_bytes(p.key_type)),
              std::pair(p.values_of(page, 0), p.page_bytes(p.value_type))}) {
          for (size_t i = 0; i < size; ++i) {
            at[i] ^= std::byte{1};
            rows += bytes_of(sequence) != wanted;
            at[i] ^= std::byte{1};
          }
        }
      }
    }
    EXPECT_EQ(rows, size_t(length) * StatePool::page_bytes(small_spec(), DType::F32, DType::F16) /
                        kPageTokens);
    EXPECT_TRUE(whole(sequence));
  }
}

TEST(Snapshot, ComesBackFromBytes) {
  Fixture f;
  for (int64_t length : {0, 1, 19, 64, 130}) {
    for (int64_t detour : {0, 5, 14}) {
      Sequence sequence(f.pool);
      step(sequence, fresh(length));
      step(sequence, fresh(detour));
      sequence.commit(0);
      const Snapshot taken = take(sequence);
      const auto bytes = to_bytes(taken);
      const Snapshot read = snapshot_from_bytes(bytes, "x.state");
      EXPECT_EQ(to_bytes(read), bytes);
      EXPECT_EQ(read.bytes(), taken.bytes());
      EXPECT_LE(bytes.size() - read.bytes(), 1000u);

      Fixture other(small_spec(),
                    {.slots = 1, .pages = 5, .key_type = DType::F32, .value_type = DType::F16});
      Sequence copy = restore(other.pool, read);
      EXPECT_TRUE(whole(copy));
      EXPECT_EQ(copy.floor(), read.recurrent.floor);
      step(copy, fresh(40));
      EXPECT_TRUE(whole(copy));
    }
  }
}

TEST(Snapshot, RefusesAnotherModelOrOtherTypes) {
  Fixture f;
  Sequence sequence(f.pool);
  step(sequence, fresh(40));
  const Snapshot snapshot = take(sequence);
  const auto refusal = [&](StateSpec spec, StateOptions options) {
    Fixture other(std::move(spec), options);
    const std::string error = error_of([&] { restore(other.pool, snapshot); });
    EXPECT_EQ(other.pool.free_slots(), options.slots);
    EXPECT_EQ(other.pool.free_pages(), options.pages);
    return error;
  };
  EXPECT_EQ(refusal(small_spec(), kOptions), "");
  StateSpec spec = small_spec();
  spec.layers.pop_back();
  EXPECT_NE(refusal(spec, kOptions).find("5 layers, the model 4"), std::string::npos);
  spec = small_spec();
  std::get<RecurrentLayout>(spec.layers[3]).conv_dim = 3;
  EXPECT_NE(refusal(spec, kOptions).find("layer 3"), std::string::npos);
  spec.layers[3] = KvSpec{3, 1};
  EXPECT_NE(refusal(spec, kOptions).find("3 kv heads of 1"), std::string::npos);
  StateOptions options = kOptions;
  options.key_type = DType::F16;
  EXPECT_NE(refusal(small_spec(), options).find("F32 and F16, this run F16 and F16"),
            std::string::npos);
  Snapshot torn = snapshot;
  torn.kv.rows.pop_back();
  EXPECT_THROW(restore(f.pool, torn), InternalError);
}

std::vector<std::byte> example(Fixture& f, int64_t length) {
  Sequence sequence(f.pool);
  step(sequence, fresh(length));
  return to_bytes(take(sequence));
}

void seal(std::vector<std::byte>& bytes) {
  const uint64_t sum = checksum64(std::span(bytes).first(bytes.size() - 8));
  std::memcpy(bytes.data() + bytes.size() - 8, &sum, 8);
}

TEST(SnapshotBytes, TruncatedOrFlippedAnywhereAreRefused) {
  Fixture f;
  const auto good = example(f, 5);
  ASSERT_EQ(error_of([&] { snapshot_from_bytes(good, "x"); }), "");
  for (size_t n = 0; n < good.size(); ++n)
    ASSERT_THROW(snapshot_from_bytes(std::span(good).first(n), "x"), Error) << n;
  auto bytes = good;
  bytes.push_back(std::byte{0});
  EXPECT_THROW(snapshot_from_bytes(bytes, "x"), Error);
  bytes = good;
  for (size_t i = 0; i < bytes.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      bytes[i] ^= std::byte(1 << bit);
      ASSERT_THROW(snapshot_from_bytes(bytes, "x"), Error) << i << " bit " << bit;
      bytes[i] ^= std::byte(1 << bit);
    }
  }
}

TEST(SnapshotBytes, ErrorsNameTheFileAndTheTrouble) {
  Fixture f;
  const auto good = example(f, 20);
  const auto error = [&](size_t at, uint8_t value) {
    auto bytes = good;
    bytes[at] = std::byte{value};
    return error_of([&] { snapshot_from_bytes(bytes, "x.state"); });
  };
  EXPECT_NE(error(0, 'b').find("x.state: not a snapshot"), std::string::npos);
  EXPECT_NE(error(8, 9).find("version 9, this program reads 1"), std::string::npos);
  EXPECT_NE(error(12, 4).find("blocks of 4"), std::string::npos);
  EXPECT_NE(error(good.size() - 1, static_cast<uint8_t>(~static_cast<uint8_t>(good.back())))
                .find("damaged"),
            std::string::npos);
  const std::string cut =
      error_of([&] { snapshot_from_bytes(std::span(good).first(200), "x.state"); });
  EXPECT_NE(cut.find("it has 200"), std::string::npos) << cut;
}

// With the checksum and size made right again: only the checks of the contents stand between the
// numbers and the memory.
TEST(SnapshotBytes, AbsurdNumbersAreRefusedOrHarmless) {
  Fixture f;
  const auto good = example(f, 20);
  const size_t head = 64 + 5 * 24;
  int refused = 0, tried = 0;
  const auto attempt = [&](std::vector<std::byte> bytes) {
    const uint64_t size = bytes.size();
    std::memcpy(bytes.data() + 16, &size, 8);
    seal(bytes);
    ++tried;
    try {
      const Snapshot s = snapshot_from_bytes(bytes, "x");
      const Sequence sequence = restore(f.pool, s);
      EXPECT_EQ(sequence.length(), s.length());
      const auto again = to_bytes(take(sequence));
      const auto at = std::mismatch(again.begin(), again.end(), bytes.begin(), bytes.end()).first;
      EXPECT_TRUE(again == bytes) << "byte " << at - again.begin() << " of " << again.size();
    } catch (const Error&) {
      ++refused;
    }
  };
  for (size_t at = 0; at < head; at += 4) {
    for (uint32_t value : {0u, 1u, 2u, 3u, 16u, 19u, 21u, 1u << 20, (1u << 20) + 1, 0x7fffffffu,
                           0x80000000u, 0xfffffff0u, 0xffffffffu}) {
      auto bytes = good;
      std::memcpy(bytes.data() + at, &value, 4);
      attempt(bytes);
    }
  }
  EXPECT_GT(refused, tried / 2);
  std::mt19937 random(3);
  for (int round = 0; round < 20000; ++round) {
    auto bytes = good;
    for (int n = 0; n < 3; ++n) {
      const auto value = static_cast<uint32_t>(random() >> (random() % 32));
      std::memcpy(bytes.data() + 4 * (random() % (head / 4)), &value, 4);
    }
    if (random() % 4 == 0) bytes.resize(head + random() % bytes.size());
    attempt(std::move(bytes));
  }
  EXPECT_EQ(f.pool.free_slots(), kOptions.slots);
  EXPECT_EQ(f.pool.free_pages(), kOptions.pages);

  auto bytes = good;
  const int32_t token = -1;
  std::memcpy(bytes.data() + head, &token, 4);
  seal(bytes);
  EXPECT_NE(error_of([&] { snapshot_from_bytes(bytes, "x"); }).find("token -1"), std::string::npos);
}

// 2^22 tokens of 2^42 bytes each: the product is 0 in 64 bits.
TEST(SnapshotBytes, SizesThatWrapAroundAreRefused) {
  const uint64_t tokens = 1 << 22, layers = 1, none = 0;
  const std::array<int32_t, 6> layer = {1, 1 << 20, 1 << 19, 0, 0, 0};
  Fixture f;
  std::vector<std::byte> bytes = example(f, 0);
  bytes.resize(64 + sizeof layer + tokens * 4 + 8);
  std::fill(bytes.begin() + 64, bytes.end(), std::byte{0});
  const uint64_t size = bytes.size();
  const uint32_t f32 = 0;
  std::memcpy(bytes.data() + 16, &size, 8);
  std::memcpy(bytes.data() + 28, &f32, 4);
  std::memcpy(bytes.data() + 32, &tokens, 8);
  std::memcpy(bytes.data() + 40, &none, 8);
  std::memcpy(bytes.data() + 48, &layers, 8);
  std::memcpy(bytes.data() + 64, layer.data(), sizeof layer);
  seal(bytes);
  const std::string error = error_of([&] { snapshot_from_bytes(bytes, "x"); });
  EXPECT_NE(error.find("ends inside the keys and values"), std::string::npos) << error;
}

TEST(Checksum, SeesEveryBitAndTheLength) {
  std::vector<std::byte> bytes(37);
  std::mt19937 random(5);
  for (std::byte& b : bytes) b = std::byte(random());
  const uint64_t sum = checksum64(bytes);
  for (size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    bytes[bit / 8] ^= std::byte(1 << bit % 8);
    EXPECT_NE(checksum64(bytes), sum);
    bytes[bit / 8] ^= std::byte(1 << bit % 8);
  }
  EXPECT_EQ(checksum64(bytes), sum);
  bytes.push_back(std::byte{0});
  EXPECT_NE(checksum64(bytes), sum);
}

}  // namespace
}  // namespace braid
