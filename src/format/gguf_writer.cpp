#include "format/gguf_writer.h"

#include "base/check.h"
#include "format/gguf_part.h"
#include "format/printable.h"
#include "format/tensor_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <system_error>
#include <unordered_set>
#include <utility>

namespace braid {

// The temporary file. Small pieces are gathered, large ones go straight through.
class GgufWriter::Output {
 public:
  explicit Output(std::string path) : path_(std::move(path)) {
    static std::atomic<int> counter;  // two writers of one process may write the same model
    temporary_ = fmt::format("{}.{}-{}.part", path_, ::getpid(), counter++);
    fd_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd_ < 0) fail_with("cannot create", errno);
  }

  ~Output() {
    if (fd_ >= 0) ::close(fd_);
    if (!temporary_.empty()) ::unlink(temporary_.c_str());
  }

  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;

  uint64_t position() const { return position_; }

  void put(std::span<const std::byte> bytes) {
    position_ += bytes.size();
    if (buffer_.size() + bytes.size() > kBufferBytes) flush();
    if (bytes.size() > kBufferBytes) return write_all(bytes);
    buffer_.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }

  // Only a complete file gets the model's name.
  void commit() {
    flush();
    if (::fsync(fd_) != 0) fail_with("cannot write", errno);
    if (::close(std::exchange(fd_, -1)) != 0) fail_with("cannot write", errno);
    if (std::rename(temporary_.c_str(), path_.c_str()) != 0) {
      fail_with(fmt::format("cannot rename {} to it", temporary_), errno);
    }
    temporary_.clear();
  }

 private:
  static constexpr size_t kBufferBytes = 1 << 20;

  [[noreturn]] void fail_with(std::string_view what, int error) {
    fail("{}: {}: {}", path_, what, std::generic_category().message(error));
  }

  void flush() {
    write_all(std::as_bytes(std::span(buffer_)));
    buffer_.clear();
  }

  void write_all(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
      const ssize_t n = ::write(fd_, bytes.data(), bytes.size());
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) fail_with("cannot write", errno);
      bytes = bytes.subspan(static_cast<size_t>(n));
    }
  }

  std::string path_;
  std::string temporary_;
  int fd_ = -1;
  std::string buffer_;
  uint64_t position_ = 0;
};

namespace {

template <class T>
void append(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof(value));
}

void append_string(std::string& out, std::string_view text) {
  append(out, uint64_t{text.size()});
  out.append(text);
}

void check_name(const std::string& path, std::string_view what, std::string_view name, size_t max) {
  if (is_plain_name(name) && name.size() <= max) return;
  fail("{}: the {} \"{}\" of {} bytes cannot be written, expected plain text of at most {} bytes",
       path, what, printable(name), name.size(), max);
}

}  // namespace

GgufWriter::GgufWriter(std::string path, int64_t alignment)
    : path_(std::move(path)), alignment_(alignment) {
  CHECK_THAT(alignment >= 1 && alignment <= kGgufMaxAlignment &&
                 std::has_single_bit(static_cast<uint64_t>(alignment)),
             "alignment {}", alignment);
  output_ = std::make_unique<Output>(path_);
  if (alignment != kGgufDefaultAlignment) {
    add("general.alignment", static_cast<uint32_t>(alignment));
  }
}

GgufWriter::~GgufWriter() = default;

void GgufWriter::add(std::string_view key, std::string_view value) {
  MetaEntry entry;
  entry.key = key;
  entry.type = MetaType::String;
  entry.strings = {value};
  add_entry(entry);
}

void GgufWriter::add_array(std::string_view key, std::span<const std::string_view> values) {
  MetaEntry entry;
  entry.key = key;
  entry.type = MetaType::String;
  entry.is_array = true;
  entry.count = values.size();
  entry.strings.assign(values.begin(), values.end());
  add_entry(entry);
}

void GgufWriter::add_entry(const MetaEntry& entry) {
  CHECK(!in_data_);
  const bool is_string = entry.type == MetaType::String;
  CHECK(entry.type != MetaType::Array && (entry.is_array || entry.count == 1));
  CHECK(is_string ? entry.strings.size() == entry.count
                  : entry.bytes.size() == entry.count * size_of(entry.type));
  check_name(path_, "key", entry.key, kGgufMaxKey);
  key_names_.emplace_back(entry.key);
  append_string(keys_, entry.key);
  if (entry.is_array) append(keys_, static_cast<uint32_t>(MetaType::Array));
  append(keys_, static_cast<uint32_t>(entry.type));
  if (entry.is_array) append(keys_, uint64_t{entry.count});
  keys_.append(reinterpret_cast<const char*>(entry.bytes.data()), entry.bytes.size());
  for (const std::string_view text : entry.strings) append_string(keys_, text);
}

void GgufWriter::add_all(const Metadata& metadata) {
  for (const MetaEntry& entry : metadata.entries()) {
    if (entry.key != "general.alignment" && !entry.key.starts_with("split.")) add_entry(entry);
  }
}

void GgufWriter::add_tensor(std::string_view name, DType dtype, std::vector<int64_t> shape) {
  CHECK(!in_data_);
  check_name(path_, "tensor name", name, kGgufMaxTensorName);
  const bool has_dims = !shape.empty() && shape.size() <= kGgufMaxDims &&
                        std::all_of(shape.begin(), shape.end(), [](int64_t n) { return n > 0; });
  const std::optional<size_t> bytes = checked_bytes(dtype, shape);
  if (!has_dims || !bytes) {
    fail(
        "{}: tensor {}: shape {} of {} cannot be written, expected 1 to {} dimensions above 0 and "
        "rows of a multiple of {}",
        path_, name, shape_text(shape), info(dtype).name, kGgufMaxDims, info(dtype).block);
  }
  tensors_.push_back({std::string(name), dtype, std::move(shape), *bytes});
}

void GgufWriter::begin_data() {
  in_data_ = true;
  std::unordered_set<std::string_view> seen;
  for (const std::string& key : key_names_) {
    if (!seen.insert(key).second) fail("{}: key {} was given twice", path_, key);
  }
  seen.clear();
  for (const Tensor& tensor : tensors_) {
    if (!seen.insert(tensor.name).second) fail("{}: tensor {} was given twice", path_, tensor.name);
  }
  std::string head = "GGUF";
  append(head, kGgufVersion);
  append(head, uint64_t{tensors_.size()});
  append(head, uint64_t{key_names_.size()});
  head += keys_;
  const uint64_t mask = static_cast<uint64_t>(alignment_) - 1;
  uint64_t offset = 0;
  for (const Tensor& tensor : tensors_) {
    append_string(head, tensor.name);
    append(head, static_cast<uint32_t>(tensor.shape.size()));
    for (size_t i = tensor.shape.size(); i-- > 0;) append(head, tensor.shape[i]);
    append(head, static_cast<uint32_t>(info(tensor.dtype).gguf_id));
    append(head, offset);
    offset = (offset + tensor.bytes + mask) & ~mask;
  }
  output_->put(std::as_bytes(std::span(head)));
  pad();
}

void GgufWriter::pad() {
  const uint64_t over = output_->position() & (static_cast<uint64_t>(alignment_) - 1);
  if (over == 0) return;
  const std::string zeros(static_cast<size_t>(alignment_) - over, '\0');
  output_->put(std::as_bytes(std::span(zeros)));
}

void GgufWriter::write(std::span<const std::byte> bytes) {
  CHECK(output_ != nullptr);
  if (!in_data_) begin_data();
  while (!bytes.empty()) {
    CHECK_THAT(current_ < tensors_.size(), "{} bytes after the last tensor", bytes.size());
    const size_t n = std::min(bytes.size(), tensors_[current_].bytes - done_);
    output_->put(bytes.first(n));
    bytes = bytes.subspan(n);
    done_ += n;
    if (done_ < tensors_[current_].bytes) return;
    pad();
    ++current_;
    done_ = 0;
  }
}

void GgufWriter::finish() {
  CHECK(output_ != nullptr);
  if (!in_data_) begin_data();
  CHECK_THAT(current_ == tensors_.size(), "tensor {} has {} of its {} bytes",
             tensors_[current_].name, done_, tensors_[current_].bytes);
  output_->commit();
  output_.reset();
}

}  // namespace braid
