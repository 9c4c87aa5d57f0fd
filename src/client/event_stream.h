// Server-sent events, taken apart as their bytes come: lines in any cut, with any line ends.
#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace braid {

class EventReader {
 public:
  // `on_event` gets the data of each event; comments and other fields are passed over. What it
  // gives back, false to stop, is what feed() gives back.
  explicit EventReader(std::function<bool(std::string_view data)> on_event);

  // Throws Error for an event that is too large to be one.
  bool feed(std::string_view piece);

 private:
  bool end_line();

  std::function<bool(std::string_view)> on_event_;
  std::string line_, data_;
  bool has_data_ = false, after_return_ = false;
};

}  // namespace braid
