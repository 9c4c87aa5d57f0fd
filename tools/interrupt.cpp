#include "tools/interrupt.h"

#include <csignal>

namespace braid {
namespace {

volatile std::sig_atomic_t wish_to_stop = 0;
int guards = 0;  // that live; the outermost owns the handler

void handle(int signal, void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  sigaction(signal, &action, nullptr);
}

// Whichever of the two comes next ends the process.
extern "C" void note_signal(int) {
  wish_to_stop = 1;
  handle(SIGINT, SIG_DFL);
  handle(SIGTERM, SIG_DFL);
}

}  // namespace

InterruptGuard::InterruptGuard() {
  if (guards++ > 0) return;
  wish_to_stop = 0;
  handle(SIGINT, note_signal);
  handle(SIGTERM, note_signal);
}

InterruptGuard::~InterruptGuard() {
  if (--guards > 0) return;
  handle(SIGINT, SIG_DFL);
  handle(SIGTERM, SIG_DFL);
}

bool InterruptGuard::interrupted() const { return wish_to_stop != 0; }

}  // namespace braid
