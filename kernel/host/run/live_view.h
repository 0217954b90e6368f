// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "kernel/host/run/run_folder.h"
#include "kernel/host/run/screen_text.h"

namespace attune {

/// A run, or the stage of a pipeline that is at work, followed while another process writes it.
class LiveView {
 public:
  explicit LiveView(std::string folder);

  /// Reads what is new.
  void refresh();
  /// The picture: at most `height` lines of at most `width` columns. `now` in seconds since 1970.
  std::vector<std::string> frame(size_t width, size_t height, const ScreenStyle& style,
                                 double now) const;

 private:
  struct Stage {
    std::string name;
    Activity activity;
  };
  /// "✓ start  ▶ sft  · dpo", as far as it fits.
  std::string stage_line(size_t width, const ScreenStyle& style) const;

  RunFolder top_;              ///< what was asked for
  RunFolder run_;              ///< the same, or a stage of it
  std::vector<Stage> stages_;  ///< of a pipeline
  std::vector<std::string> log_, samples_;
};

}  // namespace attune
