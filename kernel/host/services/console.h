// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <istream>
#include <ostream>
#include <string>

namespace attune {

/// Where a command listens and speaks. Made by main; nothing else touches the process's streams.
struct Console {
  std::istream& in;
  std::ostream& out;  ///< results
  std::ostream& err;  ///< progress, notes, errors
  bool out_is_terminal = false;
  bool err_is_terminal = false;
  bool color = false;
  bool quiet = false;                        ///< no progress and no notes
  const std::atomic<int>* signal = nullptr;  ///< the one that asks to stop, or 0

  int stop_requested() const { return signal ? signal->load() : 0; }
};

}  // namespace attune
