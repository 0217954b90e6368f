// SPDX-License-Identifier: Apache-2.0
#include <optional>

#include "attune/tracker.h"
#include "event_file.h"

namespace {

using namespace attune;

class Tensorboard {
 public:
  explicit Tensorboard(Value options) : file_(std::string(options["folder"].text())) {}

  void log(int64_t step, double wall_time, Value metrics) {
    std::vector<Scalar> scalars;
    for (size_t i = 0; i < metrics.size(); ++i) {
      const Value metric = metrics[metrics.key(i)];
      const double value = metric.is_bool() ? metric.boolean() : metric.number();
      scalars.push_back({metrics.key(i), static_cast<float>(value)});
    }
    // After a resume, steps come again that an earlier file or this one already has.
    if (last_ ? step < *last_ : file_.continues()) file_.restart(wall_time, step);
    last_ = step;
    if (!scalars.empty()) file_.scalars(wall_time, step, scalars);
  }

 private:
  EventFile file_;
  std::optional<int64_t> last_;
};

ATTUNE_TRACKER(tensorboard, "tensorboard", Tensorboard);

}  // namespace

ATTUNE_PLUGIN(&tensorboard)
