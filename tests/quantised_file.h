// A model file whose matrices are quantised while it is opened: for tests of quantised models
// without files of their own. The encoders are the plainest there are, nothing for good quality.
#pragma once

#include "base/check.h"
#include "base/half.h"
#include "format/tensor_file.h"
#include "quant/q4_0.h"
#include "quant/q4_k.h"
#include "quant/q8_0.h"

#include <algorithm>
#include <cmath>
#include <deque>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace braid::test {

inline Block<DType::Q8_0> encode_q8_0(const float* w) {
  float largest = 0;
  for (int i = 0; i < 32; ++i) largest = std::max(largest, std::abs(w[i]));
  Block<DType::Q8_0> b{f16_from_f32(largest / 127), {}};
  for (int i = 0; i < 32 && largest > 0; ++i)
    b.q[i] = static_cast<int8_t>(std::lround(w[i] / largest * 127));
  return b;
}

inline Block<DType::Q4_0> encode_q4_0(const float* w) {
  float largest = 0;
  for (int i = 0; i < 32; ++i) largest = std::max(largest, std::abs(w[i]));
  Block<DType::Q4_0> b{f16_from_f32(largest / 7), {}};
  const auto nibble = [&](float x) {
    return static_cast<uint8_t>(largest > 0 ? std::lround(x / largest * 7) + 8 : 8);
  };
  for (int i = 0; i < 16; ++i) b.q[i] = static_cast<uint8_t>(nibble(w[i]) | nibble(w[16 + i]) << 4);
  return b;
}

inline Block<DType::Q4_K> encode_q4_k(const float* w) {
  float step[8], low[8], largest_step = 0, largest_low = 0;
  for (int s = 0; s < 8; ++s) {
    const auto [least, most] = std::minmax_element(w + 32 * s, w + 32 * s + 32);
    low[s] = std::max(0.0f, -*least);
    step[s] = (std::max(0.0f, *most) + low[s]) / 15;
    largest_step = std::max(largest_step, step[s]);
    largest_low = std::max(largest_low, low[s]);
  }
  Block<DType::Q4_K> b{f16_from_f32(largest_step / 63), f16_from_f32(largest_low / 63), {}, {}};
  for (int s = 0; s < 8; ++s) {
    const auto six = [](float x, float largest) {
      return largest > 0 ? static_cast<int>(std::lround(63 * x / largest)) : 0;
    };
    const int scale = six(step[s], largest_step), minimum = six(low[s], largest_low);
    if (s < 4) {  // k_scales.h draws where the bits lie
      b.sc[s] = static_cast<uint8_t>(b.sc[s] | scale);
      b.sc[4 + s] = static_cast<uint8_t>(b.sc[4 + s] | minimum);
    } else {
      b.sc[4 + s] = static_cast<uint8_t>((scale & 15) | (minimum & 15) << 4);
      b.sc[s - 4] = static_cast<uint8_t>(b.sc[s - 4] | (scale >> 4) << 6);
      b.sc[s] = static_cast<uint8_t>(b.sc[s] | (minimum >> 4) << 6);
    }
    const float d = f32_from_f16(b.d) * static_cast<float>(scale);
    const float m = f32_from_f16(b.dmin) * static_cast<float>(minimum);
    for (int l = 0; l < 32; ++l) {
      const float place = d > 0 ? (w[32 * s + l] + m) / d : 0;
      const auto q = static_cast<int>(std::lround(std::clamp(place, 0.0f, 15.0f)));
      uint8_t& byte = b.q[32 * (s / 2) + l];
      byte = static_cast<uint8_t>(byte | q << (4 * (s % 2)));
    }
  }
  return b;
}

class QuantisedFile final : public TensorFile {
 public:
  // Q8_0, Q4_0 or Q4_K for a matrix; its own type where rows are no whole blocks.
  using TypeOf = std::function<DType(const FileTensor&)>;

  QuantisedFile(std::unique_ptr<TensorFile> file, const TypeOf& type_of) : file_(std::move(file)) {
    path_ = file_->path();
    tensors_.assign(file_->tensors().begin(), file_->tensors().end());
    for (FileTensor& t : tensors_) {
      if (t.shape.size() < 2) continue;
      const DType type = type_of(t);
      if (type == t.dtype || t.columns() % info(type).block != 0) continue;
      quantise(t, type);
    }
    CHECK(bytes_.size() > 10);
    index();
  }
  const Metadata* metadata() const override { return file_->metadata(); }

 private:
  void quantise(FileTensor& t, DType type) {
    std::vector<float> w(static_cast<size_t>(t.elements()));
    decode_row(t.dtype, t.bytes.data(), t.elements(), w.data());
    std::vector<std::byte>& bytes = bytes_.emplace_back();
    for (size_t i = 0; i < w.size(); i += static_cast<size_t>(info(type).block)) {
      if (type == DType::Q8_0) append(bytes, encode_q8_0(&w[i]));
      if (type == DType::Q4_0) append(bytes, encode_q4_0(&w[i]));
      if (type == DType::Q4_K) append(bytes, encode_q4_k(&w[i]));
    }
    t.dtype = type;
    t.bytes = bytes;
  }
  template <class Block>
  static void append(std::vector<std::byte>& bytes, const Block& block) {
    const auto raw = std::as_bytes(std::span(&block, 1));
    bytes.insert(bytes.end(), raw.begin(), raw.end());
  }

  std::unique_ptr<TensorFile> file_;
  std::deque<std::vector<std::byte>> bytes_;
};

}  // namespace braid::test
