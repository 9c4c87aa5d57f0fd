#include "format/fingerprint.h"

#include "base/checksum.h"
#include "base/system_files.h"
#include "format/tensor_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <span>

namespace braid {

namespace {

constexpr size_t kSample = 256;  // bytes of a tensor, at two places

// Two sums that begin differently, for one of 64 bits is no name.
class Sums {
 public:
  void put(std::span<const std::byte> bytes) {
    const uint64_t sum = checksum64(bytes);
    for (uint64_t& s : sums_) {
      const std::array<uint64_t, 2> both = {s, sum};
      s = checksum64(std::as_bytes(std::span(both)));
    }
  }
  void put(const std::string& text) { put(std::as_bytes(std::span(text))); }
  void put(uint64_t number) { put(std::as_bytes(std::span(&number, 1))); }
  std::string text() const { return fmt::format("{:016x}{:016x}", sums_[0], sums_[1]); }

 private:
  std::array<uint64_t, 2> sums_ = {1, 2};
};

}  // namespace

std::string fingerprint(const TensorFile& file) {
  Sums sums;
  for (const MmapFile& part : file.files()) {
    sums.put(part.bytes().size());
    sums.put(static_cast<uint64_t>(part.modified_ns()));
  }
  if (file.config()) sums.put(read_text(file.folder() + "/config.json"));
  for (const FileTensor& tensor : file.tensors()) {
    sums.put(tensor.name);
    sums.put(info(tensor.dtype).gguf_id);
    for (const int64_t n : tensor.shape) sums.put(static_cast<uint64_t>(n));
    const size_t bytes = tensor.bytes.size(), sample = std::min(kSample, bytes);
    sums.put(tensor.bytes.subspan(std::min(bytes / 3, bytes - sample), sample));
    sums.put(tensor.bytes.last(sample));
  }
  return sums.text();
}

}  // namespace braid
