// SPDX-License-Identifier: Apache-2.0
#include "kernel/engine/conformance/trials.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include "attune/model.h"

namespace attune::conformance {
namespace {

std::string digits(double number) {
  char text[32];
  std::snprintf(text, sizeof text, "%.3g", number);
  return text;
}

class Trials final : public TorchTrials {
 public:
  Json use(std::string_view kind, attune_object& object, const Json& metadata, const Json& given) override {
    if (kind == "model/1") return use_model(*static_cast<Model*>(object.object), given);
    return use_algorithm(*static_cast<Algorithm*>(object.object), metadata, given);
  }

  std::vector<Trial> trials(std::string_view kind) override {
    std::vector<Trial> found;
    for (const auto& one : of(kind)) found.push_back(one.about);
    return found;
  }

  std::string run(std::string_view kind, std::string_view name, const Make& make, const Json& options, const Json& metadata) override {
    for (const auto& one : of(kind)) {
      if (one.about.name == name) return one.run({make, options, metadata});
    }
    throw Error("no trial \"" + std::string(name) + "\"");
  }

 private:
  static std::vector<conformance::Trial> of(std::string_view kind) {
    return kind == "model/1" ? model_trials() : kind == "algorithm/1" ? algorithm_trials() : std::vector<conformance::Trial>();
  }
};

}  // namespace

void expect_within(double gap, double limit, const std::string& what) {
  if (!(gap <= limit)) throw Error(what + ": expected a relative difference of at most " + digits(limit) + ", found " + digits(gap));
}

TorchTrials& torch_trials() {
  static auto* const trials = new Trials;
  return *trials;
}

}  // namespace attune::conformance
