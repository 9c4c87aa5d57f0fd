#include "client/event_stream.h"

#include "base/check.h"

#include <algorithm>
#include <utility>

namespace braid {
namespace {

constexpr size_t kMostBytes = size_t{64} << 20;

}  // namespace

EventReader::EventReader(std::function<bool(std::string_view data)> on_event)
    : on_event_(std::move(on_event)) {}

bool EventReader::feed(std::string_view piece) {
  while (!piece.empty()) {
    // The second half of "\r\n", which may come in the next piece.
    if (std::exchange(after_return_, false) && piece.front() == '\n') {
      piece.remove_prefix(1);
      continue;
    }
    const size_t end = std::min(piece.find_first_of("\r\n"), piece.size());
    line_ += piece.substr(0, end);
    if (line_.size() + data_.size() > kMostBytes)
      fail("the server sends an event of more than {} MiB", kMostBytes >> 20);
    if (end == piece.size()) return true;
    after_return_ = piece[end] == '\r';
    piece.remove_prefix(end + 1);
    if (!end_line()) return false;
  }
  return true;
}

bool EventReader::end_line() {
  const std::string line = std::exchange(line_, {});
  if (line.empty()) {
    const std::string data = std::exchange(data_, {});
    return !std::exchange(has_data_, false) || on_event_(data);
  }
  constexpr std::string_view kData = "data:";
  if (line == "data" || line.starts_with(kData)) {
    if (has_data_) data_ += '\n';
    has_data_ = true;
    std::string_view value = std::string_view(line).substr(std::min(kData.size(), line.size()));
    if (value.starts_with(' ')) value.remove_prefix(1);
    data_ += value;
  }
  return true;
}

}  // namespace braid
