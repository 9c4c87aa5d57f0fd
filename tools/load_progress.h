// How far the loading of a model is: a line on the terminal, and Ctrl-C.
//
// The line shows itself after half a second, at most ten times a second, and goes away at the end.
// In a pipe stderr gets nothing but the notes.
#pragma once

#include "device/load.h"
#include "tools/interrupt.h"

#include <chrono>
#include <cstddef>
#include <string>

namespace braid {

// "packing [======                  ] 1.00 GiB of 4.00 GiB, 512.00 MiB/s, 6.0 s left"
std::string load_text(const char* what, size_t done, size_t total, double seconds);

class LoadLine {
 public:
  explicit LoadLine(const char* what);
  ~LoadLine();  // wipes it
  LoadLine(const LoadLine&) = delete;
  LoadLine& operator=(const LoadLine&) = delete;

  void show(size_t done, size_t total);
  void rename(const char* what);  // another part of the work begins
  void wipe();

 private:
  using Clock = std::chrono::steady_clock;
  const char* what_;
  bool terminal_, visible_ = false;
  Clock::time_point start_, shown_;
};

// Follows a device's loading: its hooks draw the line, print the notes to stderr and throw
// Interrupted after Ctrl-C. One thread uses it; it must outlive the loading.
class LoadWatch {
 public:
  LoadWatch();
  LoadHooks hooks();

 private:
  InterruptGuard interrupt_;
  LoadLine line_;
  LoadStage stage_ = LoadStage::kPacking;
};

}  // namespace braid
