// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/run/plan_fit.h"

#include <algorithm>
#include <charconv>

#include "kernel/host/exit.h"
#include "kernel/host/run/layout.h"

namespace attune {

std::optional<Fit> fit_memory(const Json& run, int64_t limit,
                              const std::function<int64_t(const Json&)>& planned) {
  const Json& train = run.at("train");
  const int64_t longest = train.at("max_length"),
                samples = train.value("samples_per_step", int64_t(0));
  const int64_t step =
      std::max(samples > 0 ? samples * longest : train.value("tokens_per_step", longest), longest);
  const bool half_already = run.at("model").value("dtype", "float32") == "bfloat16";
  const bool checkpointing_already = train.value("activation_checkpointing", false);
  for (const bool half : {half_already, true}) {
    for (const bool checkpointing : {checkpointing_already, true}) {
      for (int64_t tokens = step;; tokens = std::max(tokens / 2, longest)) {
        Json changed = run;
        changed["train"]["tokens_per_batch"] = tokens;
        changed["train"]["activation_checkpointing"] = checkpointing;
        if (half) changed["model"]["dtype"] = "bfloat16";
        const int64_t bytes = planned(changed);
        if (bytes <= limit) return Fit{tokens, checkpointing, half, bytes};
        if (tokens == longest) break;
      }
    }
  }
  return std::nullopt;
}

int64_t parse_bytes(const std::string& text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  std::string unit(end, text.data() + text.size());
  unit.erase(0, unit.find_first_not_of(' '));
  static constexpr std::pair<const char*, double> kUnits[] = {
      {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12}, {"MiB", 0x1p20}, {"GiB", 0x1p30}, {"TiB", 0x1p40}};
  for (const auto& [name, factor] : kUnits) {
    if (error == std::errc() && unit == name && value > 0) return int64_t(value * factor);
  }
  throw ExitError(
      Exit::kUsage,
      "expected an amount of memory such as \"8 GB\" or \"900 MiB\", found \"" + text + "\"");
}

void check_memory(const Json& run, int64_t planned, int64_t machine) {
  if (machine <= 0 || planned <= machine) return;
  throw ExitError(Exit::kRunFailed,
                  "run \"" + run.at("run").at("name").get<std::string>() +
                      "\" is planned to need " + bytes_text(planned) + ", this machine has " +
                      bytes_text(machine) + "\n  = help: attune plan FILE --fit \"" +
                      bytes_text(machine * 9 / 10) + "\" says which settings fit");
}

}  // namespace attune
