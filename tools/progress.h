// How far a long command is, on a terminal: a line that renews itself. Where the results go to the
// same terminal they would mix, so there the line stands once. In a pipe stderr stays silent.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace braid {

// "410 of 2044 tokens read, 102.5 tokens/s, 16 s left"; the unit's first word is what is counted
std::string progress_text(int64_t done, int64_t total, const char* unit, double seconds);

class Progress {
 public:
  Progress(int64_t total, const char* unit);
  ~Progress();  // wipes the line
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void advance(int64_t n);
  void result();           // a result is about to be printed
  double seconds() const;  // since the start
  int64_t done() const { return done_; }

 private:
  int64_t total_, done_ = 0;
  const char* unit_;
  bool visible_, renewed_;
  std::chrono::steady_clock::time_point start_, shown_;
};

}  // namespace braid
