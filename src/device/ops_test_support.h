// For tests of operations: random weights of any type, steps of several sequences, and a device's
// memory filled for them.
//
// What a sequence feeds in at a position, and the state that it starts from, depend on its id and
// the position alone. So its results must not depend on the step's other rows, on slots, pages,
// row buckets or threads, and a test can compare them bit by bit.
#pragma once

#include "base/check.h"
#include "base/half.h"
#include "device/device.h"
#include "device/registry.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <deque>
#include <limits>
#include <map>
#include <numeric>
#include <random>
#include <span>
#include <string>
#include <vector>

namespace braid::ops_test {

inline uint64_t mixed(uint64_t a, uint64_t b, uint64_t c = 0) {
  uint64_t h = a * 0x9e3779b97f4a7c15 + b * 0xbf58476d1ce4e5b9 + c * 0x94d049bb133111eb + 1;
  h = (h ^ (h >> 30)) * 0xbf58476d1ce4e5b9;
  h = (h ^ (h >> 27)) * 0x94d049bb133111eb;
  return h ^ (h >> 31);
}

// Nearly normal, and cheap: the sum of four uniform numbers.
inline float normal_of(uint64_t bits) {
  int32_t sum = 0;
  for (int i = 0; i < 4; ++i, bits >>= 16) sum += static_cast<int32_t>(bits & 0xffff);
  return (static_cast<float>(sum) / 65536 - 2) * 1.7320508f;
}
inline std::vector<float> normals(uint64_t seed, int64_t n, float size = 1, float middle = 0) {
  std::vector<float> values(static_cast<size_t>(n));
  for (float& v : values) v = middle + size * normal_of(mixed(seed++, 3));
  return values;
}

// Bytes of weights, and the matrices that lie in them.
class RandomFile {
 public:
  explicit RandomFile(uint64_t seed) : random_(seed) {}

  // Every valid block of the type may occur. Weights of root mean square `size` / sqrt(cols), in
  // runs of whole rows that lie in any order.
  FileMatrix matrix(DType type, int64_t rows, int64_t cols, float size = 1) {
    const size_t row = row_bytes(type, cols);
    std::vector<std::byte>& bytes = bytes_.emplace_back(static_cast<size_t>(rows) * row);
    fill(type, bytes);
    std::vector<float> values(static_cast<size_t>(cols));
    double squares = 0;
    for (int64_t r = 0; r < rows; ++r) {
      decode_row(type, bytes.data() + static_cast<size_t>(r) * row, cols, values.data());
      for (float v : values) squares += double{v} * double{v};
    }
    CHECK(std::isfinite(squares) && squares > 0);
    const double scale = double{size} / std::sqrt(squares / static_cast<double>(rows));
    FileMatrix m{type, cols, {}};
    for (int64_t done = 0; done < rows;) {
      const int64_t n = std::min<int64_t>(rows - done, 1 + static_cast<int64_t>(random_() % 40));
      done += n;
      m.runs.push_back(
          {bytes.data() + static_cast<size_t>(rows - done) * row, n, static_cast<float>(scale)});
    }
    return m;
  }

 private:
  void fill(DType type, std::vector<std::byte>& bytes) {
    const DTypeInfo& t = info(type);
    const auto put16 = [](std::byte* at, uint16_t bits) { std::memcpy(at, &bits, 2); };
    if (t.block == 1) {
      for (size_t i = 0; i < bytes.size(); i += static_cast<size_t>(t.block_bytes)) {
        const float v = normal_of(random_());
        if (type == DType::F32) std::memcpy(&bytes[i], &v, 4);
        if (type == DType::F16) put16(&bytes[i], f16_from_f32(v));
        if (type == DType::BF16) put16(&bytes[i], bf16_from_f32(v));
      }
      return;
    }
    for (std::byte& b : bytes) b = static_cast<std::byte>(random_());
    for (size_t i = 0; i < bytes.size(); i += static_cast<size_t>(t.block_bytes))
      tame(type, &bytes[i]);
  }

  // Random bytes are a valid block but for its scales, which would be NaN or span many decades.
  void tame(DType type, std::byte* block) {
    const auto put_f16 = [&](std::initializer_list<int> offsets) {
      for (int at : offsets) {
        const uint16_t bits = random_f16();
        std::memcpy(block + at, &bits, 2);
      }
    };
    switch (type) {
      case DType::Q4_1:
      case DType::Q5_1:
      case DType::Q4_K:
      case DType::Q5_K:
        return put_f16({0, 2});
      case DType::Q2_K:
        return put_f16({80, 82});
      case DType::Q3_K:
        return put_f16({108});
      case DType::Q6_K:
        return put_f16({208});
      case DType::IQ1_M: {  // a nibble of the scale on top of each of four u16
        const uint16_t bits = random_f16();
        for (int i = 0; i < 4; ++i) {
          std::byte& top = block[48 + 2 * i + 1];
          top = (top & std::byte{15}) | static_cast<std::byte>((bits >> (4 * i) & 15) << 4);
        }
        return;
      }
      case DType::MXFP4:
        block[0] = static_cast<std::byte>(124 + random_() % 6);
        return;
      case DType::NVFP4:
        for (int i = 0; i < 4; ++i) block[i] = static_cast<std::byte>(40 + random_() % 24);
        return;
      default:
        return put_f16({0});
    }
  }
  uint16_t random_f16() {
    return f16_from_f32((random_() % 2 ? 1.0f : -1.0f) *
                        (0.5f + static_cast<float>(random_() % 1000) / 1000));
  }

  std::mt19937_64 random_;
  std::deque<std::vector<std::byte>> bytes_;
};

// Decoded, as [rows, cols].
inline std::vector<float> decoded(const FileMatrix& m) {
  std::vector<float> values(static_cast<size_t>(m.rows() * m.cols));
  float* out = values.data();
  for (const RowRun& run : m.runs)
    for (int64_t r = 0; r < run.rows; ++r, out += m.cols) {
      decode_row(m.dtype, run.data + static_cast<size_t>(r) * row_bytes(m.dtype, m.cols), m.cols,
                 out);
      for (int64_t i = 0; i < m.cols; ++i) out[i] *= run.scale;
    }
  return values;
}

// Rows [position, position + rows) of sequence `id`.
struct Piece {
  int id = 0;
  int32_t position = 0, rows = 0;
};
using Step = std::vector<Piece>;

inline int32_t rows_of(const Step& step) {
  int32_t n = 0;
  for (const Piece& p : step) n += p.rows;
  return n;
}

struct Plan {
  std::vector<Step> steps;  // one after the other; a sequence goes on where it stood
  int32_t spare_rows = 0;   // of the row bucket, beyond the rows of the largest step
  uint64_t layout = 1;      // which slots and pages are taken
};

// What came out, for each sequence: named lists of numbers.
struct Outcome {
  std::map<int, std::map<std::string, std::vector<float>>> of;
  uint64_t weight_bytes = 0;
};

inline constexpr int32_t kVocabulary = 97;
inline int32_t token_at(int id, int64_t position) {
  return static_cast<int32_t>(mixed(7, id, position) % kVocabulary);
}
inline bool wanted(int id, int64_t position) { return mixed(8, id, position) % 3 != 0; }
inline std::vector<float> input_at(int id, int64_t position, uint64_t salt, int64_t n) {
  return normals(mixed(id, position, salt), n);
}

// A device's memory, laid out for a plan.
class Stage {
 public:
  Stage(Device& device, const Plan& plan) : device_(device), plan_(plan) {
    for (const Step& step : plan.steps) {
      bucket_ = std::max(bucket_, rows_of(step));
      for (const Piece& p : step) {
        Timeline& t = timelines_.try_emplace(p.id, Timeline{p.position, 0, 0, {}}).first->second;
        t.end = p.position + p.rows;
        max_pages_ = std::max(max_pages_, pages_for(t.end));
      }
    }
    bucket_ += plan.spare_rows;
    std::vector<int32_t> slots(timelines_.size() + 2), pages;
    for (auto& [id, t] : timelines_) pages.resize(pages.size() + pages_for(t.end));
    pages.resize(pages.size() + 3);
    deal(slots, 1);
    deal(pages, 2);
    slots_ = static_cast<int32_t>(slots.size()) + 1;
    pages_ = static_cast<int32_t>(pages.size()) + 1;
    for (auto& [id, t] : timelines_) {
      t.slot = slots.back();
      slots.pop_back();
      for (int32_t i = 0; i < pages_for(t.end); ++i) {
        t.pages.push_back(pages.back());
        pages.pop_back();
      }
    }
  }

  struct Timeline {
    int32_t start = 0, end = 0, slot = 0;
    std::vector<int32_t> pages;
  };
  const std::map<int, Timeline>& timelines() const { return timelines_; }
  int32_t bucket() const { return bucket_; }
  int32_t slots() const { return slots_; }  // all that a pool has
  int32_t pages() const { return pages_; }
  Device& device() { return device_; }

  template <class T>
  T* put(std::span<const T> values) {
    Buffer& buffer = buffers_.emplace_back(
        device_.allocate(std::max<size_t>(values.size_bytes(), 64), "a test"));
    if (!values.empty()) device_.upload(buffer.data(), values.data(), values.size_bytes());
    return buffer.as<T>();
  }
  template <class T>
  T* put(const std::vector<T>& values) {
    return put(std::span<const T>(values));
  }
  template <class T>
  std::vector<T> get(const T* from, size_t n) {
    std::vector<T> values(n);
    if (n > 0) device_.download(values.data(), from, n * sizeof(T));
    return values;
  }

  BatchView batch(const Step& step) {
    BatchView::Counts counts;
    std::vector<int32_t> tokens(static_cast<size_t>(bucket_), -1), logit_rows;
    std::vector<Segment> segments;
    std::vector<int32_t> tables;
    for (const Piece& p : step) {
      const Timeline& t = timelines_.at(p.id);
      segments.push_back({counts.rows, p.rows, p.position, t.slot});
      tables.insert(tables.end(), t.pages.begin(), t.pages.end());
      tables.resize(segments.size() * static_cast<size_t>(max_pages_), 0);
      for (int32_t i = 0; i < p.rows; ++i, ++counts.rows) {
        tokens[static_cast<size_t>(counts.rows)] = token_at(p.id, p.position + i);
        if (wanted(p.id, p.position + i)) logit_rows.push_back(counts.rows);
      }
    }
    counts.segments = static_cast<int32_t>(segments.size());
    counts.logit_rows = static_cast<int32_t>(logit_rows.size());
    return {put(std::vector{counts}), put(tokens), put(segments), put(tables),
            put(logit_rows),          max_pages_};
  }

  // [bucket, cols]: what the rows feed in, NaN in the spare ones.
  Tensor input(const Step& step, int64_t cols, uint64_t salt) {
    std::vector<float> values;
    for (const Piece& p : step)
      for (int32_t i = 0; i < p.rows; ++i) {
        const std::vector<float> row = input_at(p.id, p.position + i, salt, cols);
        values.insert(values.end(), row.begin(), row.end());
      }
    values.resize(static_cast<size_t>(bucket_ * cols), std::numeric_limits<float>::quiet_NaN());
    return {put(values), bucket_, cols};
  }
  Tensor output(int64_t cols) { return input({}, cols, 0); }

  // Appends the rows of the step to each sequence's list `part`.
  void collect(const Step& step, const Tensor& from, const std::string& part, Outcome& outcome) {
    const float* data = from.data;
    for (const Piece& p : step) {
      const auto n = static_cast<size_t>(p.rows * from.cols);
      append(outcome, p.id, part, get(data, n));
      data += n;
    }
  }
  static void append(Outcome& outcome, int id, const std::string& part,
                     const std::vector<float>& values) {
    std::vector<float>& list = outcome.of[id][part];
    list.insert(list.end(), values.begin(), values.end());
  }

  template <class Args>
  void run(const Entry<Args>& entry, const Args& args, Outcome& outcome) {
    device_.load({});
    Program program(device_.threads(args.batch.counts->rows));
    program.add("the test's", entry, args);
    const Buffer workspace = device_.allocate(std::max<size_t>(program.workspace(), 1), "a test");
    const uint64_t before = device_.weight_bytes_read();
    device_.run(program, workspace);
    outcome.weight_bytes += device_.weight_bytes_read() - before;
  }

 private:
  static int32_t pages_for(int32_t tokens) { return (tokens + kPageTokens - 1) / kPageTokens; }
  // 1 .. n in an order that the plan's layout decides.
  void deal(std::vector<int32_t>& numbers, uint64_t salt) {
    std::iota(numbers.begin(), numbers.end(), 1);
    std::shuffle(numbers.begin(), numbers.end(), std::mt19937_64(mixed(plan_.layout, salt)));
  }

  Device& device_;
  Plan plan_;
  std::map<int, Timeline> timelines_;
  int32_t bucket_ = 0, max_pages_ = 0, slots_ = 0, pages_ = 0;
  std::deque<Buffer> buffers_;
};

}  // namespace braid::ops_test
