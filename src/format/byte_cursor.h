// Reads little-endian values one after the other and never beyond the end.
//
// Whatever is missing becomes an Error that names the file, what was being read (the subject), the
// bytes needed and the bytes left.
#pragma once

#include "base/check.h"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace braid {

class ByteCursor {
 public:
  ByteCursor(std::string path, std::span<const std::byte> bytes)
      : path_(std::move(path)), bytes_(bytes) {}

  const std::string& path() const { return path_; }
  size_t position() const { return position_; }
  size_t left() const { return bytes_.size() - position_; }

  // Fit for a message: "key general.name".
  void set_subject(std::string subject) { subject_ = std::move(subject); }
  const std::string& subject() const { return subject_; }

  template <class T>
  T number(std::string_view what) {
    T value;
    std::memcpy(&value, take(sizeof(T), what).data(), sizeof(T));
    return value;
  }

  std::span<const std::byte> take(uint64_t size, std::string_view what) {
    if (size > left()) cut_short(size, what);
    const auto taken = bytes_.subspan(position_, static_cast<size_t>(size));
    position_ += taken.size();
    return taken;
  }

  // A length of 64 bits and as many bytes.
  std::string_view string(std::string_view what, uint64_t max_size = UINT64_MAX) {
    const uint64_t size = number<uint64_t>(what);
    if (size > max_size) {
      fail("{}: {}: {} of {} bytes, at most {} are allowed: the file is damaged, download it again",
           path_, subject_, what, size, max_size);
    }
    const auto bytes = take(size, what);
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }

  // Throws when fewer than `count` things of at least `size` bytes each can follow.
  void expect(uint64_t count, uint64_t size, std::string_view what) const {
    if (count <= left() / size) return;
    fail(
        "{}: {}: {} {}, but the {} bytes left hold at most {}: the file is cut short or damaged, "
        "download it again",
        path_, subject_, count, what, left(), left() / size);
  }

 private:
  [[noreturn]] void cut_short(uint64_t size, std::string_view what) const {
    fail("{}: {}: {} needs {} bytes and {} are left: the file is cut short, download it again",
         path_, subject_, what, size, left());
  }

  std::string path_;
  std::span<const std::byte> bytes_;
  size_t position_ = 0;
  std::string subject_ = "header";
};

}  // namespace braid
