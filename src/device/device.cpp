#include "device/device.h"

#include "base/check.h"

#include <utility>

namespace braid {

Buffer& Buffer::operator=(Buffer&& other) noexcept {
  std::swap(device_, other.device_);
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

Buffer::~Buffer() {
  if (!data_) return;
  device_->release_bytes(data_, size_);
  device_->allocated_ -= size_;
}

Buffer Device::allocate(size_t bytes, std::string_view what) {
  CHECK_THAT(!frozen_, "{} bytes for {} asked of {} after start: memory is planned", bytes, what,
             name());
  std::byte* data = allocate_bytes(bytes);
  if (!data)
    fail(
        "{}: not enough memory for {} ({:.1f} MiB, beside {:.1f} MiB already taken); take a "
        "shorter "
        "context (-c), fewer sequences or smaller cache types (-ctk, -ctv)",
        name(), what, static_cast<double>(bytes) / 1048576,
        static_cast<double>(allocated_) / 1048576);
  allocated_ += bytes;
  return Buffer(this, data, bytes);
}

void Device::get_kv_rows(const KvPool& pool, const KvSpan& span, std::byte* rows) {
  const size_t row = pool.row(span.side);
  download(rows, pool.part(span.side, span.page, span.head) + static_cast<size_t>(span.first) * row,
           static_cast<size_t>(span.count) * row);
}

void Device::put_kv_rows(const KvPool& pool, const KvSpan& span, const std::byte* rows) {
  const size_t row = pool.row(span.side);
  upload(pool.part(span.side, span.page, span.head) + static_cast<size_t>(span.first) * row, rows,
         static_cast<size_t>(span.count) * row);
}

}  // namespace braid
