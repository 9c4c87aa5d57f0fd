// Lines to a descriptor, in order, by a thread of its own: nobody waits for whoever reads them.
//
// A reader that stalls costs lines, never time: what comes while a mebibyte waits is dropped, and
// a line says how many were.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

namespace braid {

class LineLog {
 public:
  explicit LineLog(int fd, size_t most_bytes = size_t{1} << 20);
  ~LineLog();  // what waits is written, for a second at most
  LineLog(const LineLog&) = delete;
  LineLog& operator=(const LineLog&) = delete;

  void line(std::string_view text);  // from any thread

 private:
  void loop();
  void tell_lost();
  bool write_some(std::string& text) const;  // false: the reader takes nothing now

  const int fd_;
  const size_t most_bytes_;
  std::mutex mutex_;  // of all below
  std::condition_variable came_;
  std::string waiting_;
  int64_t dropped_ = 0;
  bool ending_ = false;
  std::thread thread_;
};

}  // namespace braid
