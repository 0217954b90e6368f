// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <termios.h>

#include <chrono>
#include <ostream>
#include <string>
#include <vector>

namespace attune {

/// The screen of the terminal at standard output, taken over for a picture that is drawn again and
/// again: the other screen, no cursor, keys without echo. All of it is given back with the object.
class Terminal {
 public:
  explicit Terminal(std::ostream& out);
  ~Terminal();
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  struct Size {
    size_t columns = 80, rows = 24;
  };
  Size size() const;
  /// As many lines as there are rows; each at most as wide as the screen.
  void draw(const std::vector<std::string>& lines);
  /// Waits for a key, a signal, another size, or until the time is over. 0: no key.
  char wait(std::chrono::milliseconds time);

 private:
  void enter();
  void leave();

  std::ostream& out_;
  bool keys_;  ///< whether standard input is a terminal too
  termios before_{};
  int resized_;  ///< a descriptor that SIGWINCH makes readable
};

}  // namespace attune
