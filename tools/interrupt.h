// Ctrl-C as a wish to stop: the command sees it between two steps and ends in good order.
#pragma once

#include <exception>

namespace braid {

// While one lives, SIGINT and SIGTERM set a flag; a second signal ends the process as ever. Of
// guards inside each other all see the flag, and the outermost one clears it. One thread makes
// them.
class InterruptGuard {
 public:
  InterruptGuard();
  ~InterruptGuard();
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;

  bool interrupted() const;
};

// Where nothing is worth keeping: ends the command with kInterrupted.
class Interrupted : public std::exception {
 public:
  const char* what() const noexcept override { return "stopped"; }
};

}  // namespace braid
