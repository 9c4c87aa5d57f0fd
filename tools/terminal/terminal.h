// Standard input and output as a terminal: modes, size, bytes in and out.
//
// Whatever mode a Terminal has set, the one it found comes back: at its end, when the process ends,
// while it is suspended, and when a signal ends it. One lives at a time, on the main thread. Where
// input or output is no terminal nothing is changed; reading and writing still work.
#pragma once

#include <string>
#include <string_view>

namespace braid {

enum class TerminalMode {
  kFound,    // as it was
  kEditing,  // every byte arrives at once and none is a signal; pastes are marked
  kAnswer,   // nothing typed is shown; Ctrl-C and Ctrl-Z are signals
};

class Terminal {
 public:
  // `type` is what TERM says; null or "dumb" has no cursor to move.
  explicit Terminal(const char* type);
  ~Terminal();
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  bool interactive() const { return interactive_; }  // input and output are terminals
  bool can_edit() const { return can_edit_; }        // and have a cursor to move

  void set_mode(TerminalMode mode);
  int columns() const;
  int rows() const;

  enum class Wait { kBytes, kTimeout, kSignal, kEnd };
  // Waits for input, appends it to `bytes`. Without a limit when timeout_ms is negative; kSignal: a
  // signal came meanwhile (another size, Ctrl-C in a mode that has it).
  Wait read(std::string& bytes, int timeout_ms);

  // Writes all of it. False when nobody reads any more.
  bool write(std::string_view bytes);

  // Stops the process as Ctrl-Z does, and comes back in the mode that was set.
  void suspend();

 private:
  bool interactive_, can_edit_;
  TerminalMode mode_ = TerminalMode::kFound;
};

// Ctrl-C as a flag while one lives; it is never more than a wish. Nothing else changes.
class InterruptFlag {
 public:
  InterruptFlag();
  ~InterruptFlag();
  InterruptFlag(const InterruptFlag&) = delete;
  InterruptFlag& operator=(const InterruptFlag&) = delete;

  static bool raised();
  static void lower();
};

}  // namespace braid
