// SPDX-License-Identifier: Apache-2.0
// Appends a line for each metric of each step: step, seconds, name, value.
#include "attune/tracker.h"

#include <fstream>

namespace {

using namespace attune;

class @Name@ {
 public:
  explicit @Name@(Value options) : path_(std::string(options["folder"].text()) + "/@name@.tsv"), file_(path_, std::ios::app) {
    file_.precision(17);
    if (!file_) throw Error(path_ + ": cannot be written", ATTUNE_E_IO);
  }

  void log(int64_t step, double wall_time, Value metrics) {
    for (size_t i = 0; i < metrics.size(); ++i) {
      file_ << step << '\t' << wall_time << '\t' << metrics.key(i) << '\t' << metrics[i].number() << '\n';
    }
    if (!file_.flush()) throw Error(path_ + ": cannot be written; is the disk full?", ATTUNE_E_IO);
  }

 private:
  std::string path_;
  std::ofstream file_;
};

ATTUNE_TRACKER(@name@, "@name@", @Name@);

}  // namespace

ATTUNE_PLUGIN(&@name@)
