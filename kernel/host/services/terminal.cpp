// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/services/terminal.h"

#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

namespace attune {
namespace {

constexpr char kSuspend = 0x1a;  // Ctrl-Z.

sigset_t resize_signal() {
  sigset_t set;
  ::sigemptyset(&set);
  ::sigaddset(&set, SIGWINCH);
  return set;
}

}  // namespace

Terminal::Terminal(std::ostream& out) : out_(out), keys_(::isatty(STDIN_FILENO) == 1) {
  const sigset_t set = resize_signal();
  ::sigprocmask(SIG_BLOCK, &set, nullptr);
  resized_ = ::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  enter();
}

Terminal::~Terminal() {
  leave();
  ::close(resized_);
  const sigset_t set = resize_signal();
  ::sigprocmask(SIG_UNBLOCK, &set, nullptr);
}

void Terminal::enter() {
  if (keys_ && ::tcgetattr(STDIN_FILENO, &before_) == 0) {
    termios raw = before_;
    raw.c_lflag &= ~tcflag_t(ICANON | ECHO);
    raw.c_cc[VMIN] = 0, raw.c_cc[VTIME] = 0;
    raw.c_cc[VSUSP] =
        _POSIX_VDISABLE;  // It comes as a key, so that the screen is given back first.
    ::tcsetattr(STDIN_FILENO, TCSANOW, &raw);
  }
  out_ << "\x1b[?1049h\x1b[?25l" << std::flush;
}

void Terminal::leave() {
  out_ << "\x1b[?25h\x1b[?1049l" << std::flush;
  if (keys_) ::tcsetattr(STDIN_FILENO, TCSANOW, &before_);
}

Terminal::Size Terminal::size() const {
  winsize found{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &found) != 0 || found.ws_col == 0 || found.ws_row == 0)
    return {};
  return {found.ws_col, found.ws_row};
}

void Terminal::draw(const std::vector<std::string>& lines) {
  const size_t rows = std::min(size().rows, lines.size());
  std::string text = "\x1b[?2026h\x1b[H";  // Shown at once where the terminal can.
  for (size_t i = 0; i < rows; ++i) text += (i ? "\r\n" : "") + lines[i] + "\x1b[K";
  out_ << text << "\x1b[J\x1b[?2026l" << std::flush;
}

char Terminal::wait(std::chrono::milliseconds time) {
  pollfd sources[] = {{resized_, POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}};
  if (::poll(sources, keys_ ? 2 : 1, static_cast<int>(time.count())) <= 0) return 0;
  signalfd_siginfo ignored;
  while (::read(resized_, &ignored, sizeof ignored) > 0) {
  }
  char key = 0;
  if (!keys_ || (sources[1].revents & POLLIN) == 0 || ::read(STDIN_FILENO, &key, 1) != 1) return 0;
  if (key == kSuspend) {
    leave();
    ::raise(SIGTSTP);
    enter();
  }
  return key;
}

}  // namespace attune
