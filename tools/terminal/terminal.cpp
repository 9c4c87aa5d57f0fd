#include "tools/terminal/terminal.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>

namespace braid {
namespace {

constexpr std::string_view kMarkPastes = "\x1B[?2004h";
constexpr std::string_view kMarkNoPastes = "\x1B[?2004l\x1B[0m";

// Read by signal handlers: what to put back, and what to set again after a suspension.
struct Modes {
  termios found, set;
  volatile std::sig_atomic_t changed = 0, marks_pastes = 0;
};
Modes modes;

volatile std::sig_atomic_t interrupt_wish = 0;

// A write in a handler whose failure nobody can mend.
void put(std::string_view bytes) {
  [[maybe_unused]] const ssize_t written = ::write(STDOUT_FILENO, bytes.data(), bytes.size());
}

// From here to the handlers: only what a signal handler may do.
void put_back() {
  if (modes.changed == 0) return;
  if (modes.marks_pastes != 0) put(kMarkNoPastes);
  ::tcsetattr(STDIN_FILENO, TCSADRAIN, &modes.found);
}

void set_again() {
  if (modes.changed == 0) return;
  ::tcsetattr(STDIN_FILENO, TCSADRAIN, &modes.set);
  if (modes.marks_pastes != 0) put(kMarkPastes);
}

void handle(int signal, void (*handler)(int), int flags) {
  struct sigaction action {};
  action.sa_handler = handler;
  action.sa_flags = flags;
  sigemptyset(&action.sa_mask);
  sigaction(signal, &action, nullptr);
}

extern "C" void end_restored(int signal) {
  put_back();
  modes.changed = 0;
  std::raise(signal);  // SA_RESETHAND: what it does without us
}

extern "C" void stop_restored(int) {
  const int saved = errno;
  put_back();
  ::kill(::getpid(), SIGSTOP);
  set_again();
  errno = saved;
}

extern "C" void wake_up(int) {}

extern "C" void note_ctrl_c(int) { interrupt_wish = 1; }

constexpr std::array kEndingSignals = {SIGTERM, SIGHUP, SIGQUIT, SIGSEGV,
                                       SIGABRT, SIGBUS, SIGFPE,  SIGILL};

bool has_cursor(const char* type) {
  return type != nullptr && type[0] != '\0' && std::strcmp(type, "dumb") != 0;
}

int dimension(unsigned short winsize::*member, int otherwise) {
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.*member == 0) return otherwise;
  return size.*member;
}

}  // namespace

Terminal::Terminal(const char* type)
    : interactive_(::isatty(STDIN_FILENO) != 0 && ::isatty(STDOUT_FILENO) != 0),
      can_edit_(interactive_ && has_cursor(type) && ::tcgetattr(STDIN_FILENO, &modes.found) == 0) {
  if (!can_edit_) return;
  static const bool at_end = std::atexit(put_back) == 0;
  static_cast<void>(at_end);
  for (const int signal : kEndingSignals) handle(signal, end_restored, SA_RESETHAND | SA_NODEFER);
  handle(SIGTSTP, stop_restored, SA_RESTART);
  handle(SIGWINCH, wake_up, 0);
}

Terminal::~Terminal() {
  if (!can_edit_) return;
  set_mode(TerminalMode::kFound);
  for (const int signal : kEndingSignals) handle(signal, SIG_DFL, 0);
  handle(SIGTSTP, SIG_DFL, 0);
  handle(SIGWINCH, SIG_DFL, 0);
}

void Terminal::set_mode(TerminalMode mode) {
  if (!can_edit_ || mode == mode_) return;
  termios wanted = modes.found;
  if (mode != TerminalMode::kFound) {
    wanted.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO | IEXTEN);
    wanted.c_iflag &= ~static_cast<tcflag_t>(ICRNL | INLCR | IGNCR | ISTRIP | IXON);
    wanted.c_cc[VMIN] = 1;
    wanted.c_cc[VTIME] = 0;
  }
  if (mode == TerminalMode::kEditing) wanted.c_lflag &= ~static_cast<tcflag_t>(ISIG);
  const bool marks = mode == TerminalMode::kEditing;
  modes.set = wanted;
  modes.changed = mode != TerminalMode::kFound;
  if (marks != (modes.marks_pastes != 0)) put(marks ? kMarkPastes : kMarkNoPastes);
  modes.marks_pastes = marks ? 1 : 0;
  ::tcsetattr(STDIN_FILENO, TCSADRAIN, &wanted);
  mode_ = mode;
}

int Terminal::columns() const { return dimension(&winsize::ws_col, 80); }
int Terminal::rows() const { return dimension(&winsize::ws_row, 24); }

Terminal::Wait Terminal::read(std::string& bytes, int timeout_ms) {
  pollfd input{STDIN_FILENO, POLLIN, 0};
  const int ready = ::poll(&input, 1, timeout_ms);
  if (ready < 0) return errno == EINTR ? Wait::kSignal : Wait::kEnd;
  if (ready == 0) return Wait::kTimeout;
  std::array<char, 4096> buffer;
  const ssize_t n = ::read(STDIN_FILENO, buffer.data(), buffer.size());
  if (n < 0 && errno == EINTR) return Wait::kSignal;
  if (n <= 0) return Wait::kEnd;
  bytes.append(buffer.data(), static_cast<size_t>(n));
  return Wait::kBytes;
}

bool Terminal::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(STDOUT_FILENO, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return true;
}

void Terminal::suspend() { std::raise(SIGTSTP); }

InterruptFlag::InterruptFlag() {
  lower();
  handle(SIGINT, note_ctrl_c, SA_RESTART);
}

InterruptFlag::~InterruptFlag() { handle(SIGINT, SIG_DFL, 0); }

bool InterruptFlag::raised() { return interrupt_wish != 0; }
void InterruptFlag::lower() { interrupt_wish = 0; }

}  // namespace braid
