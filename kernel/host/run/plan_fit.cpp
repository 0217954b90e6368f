// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/run/plan_fit.h"

#include <algorithm>
#include <charconv>

#include "kernel/host/exit.h"
#include "kernel/host/run/layout.h"

namespace attune {

namespace {

Json changed(const Json& run, int64_t tokens, int64_t recomputed, bool half) {
  Json made = run;
  made["train"]["tokens_per_batch"] = tokens;
  made["train"]["activation_checkpointing"] = recomputed;
  if (half) made["model"]["dtype"] = "bfloat16";
  return made;
}

int64_t asked_layers(const Json& train, int64_t layers) {
  const Json asked = train.value("activation_checkpointing", Json(false));
  return asked.is_boolean() ? asked.get<bool>() ? layers : 0
                            : std::min(asked.get<int64_t>(), layers);
}

}  // namespace

std::optional<Fit> fit_memory(const Json& run, int64_t layers, int64_t limit,
                              const std::function<int64_t(const Json&)>& planned) {
  const Json& train = run.at("train");
  const int64_t longest = train.at("max_length"),
                samples = train.value("samples_per_step", int64_t(0));
  const int64_t step =
      std::max(samples > 0 ? samples * longest : train.value("tokens_per_step", longest), longest);
  const bool half_already = run.at("model").value("dtype", "float32") == "bfloat16";
  const int64_t least = asked_layers(train, layers);
  for (const bool half : {half_already, true}) {
    std::optional<Fit> best;
    for (int64_t tokens = step;; tokens = std::max(tokens / 2, longest)) {
      const auto bytes = [&](int64_t recomputed) {
        return planned(changed(run, tokens, recomputed, half));
      };
      int64_t low = least, high = best ? best->recomputed - 1 : layers;
      if (low <= high && bytes(high) <= limit) {
        while (low < high) {
          const int64_t middle = (low + high) / 2;
          if (bytes(middle) <= limit)
            high = middle;
          else
            low = middle + 1;
        }
        best = Fit{tokens, high, half, bytes(high)};
      }
      if (tokens == longest || (best && best->recomputed == least)) break;
    }
    if (best) return best;
    if (half) break;
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

void check_memory(const std::string& run, int64_t planned, int64_t machine) {
  if (machine <= 0 || planned <= machine) return;
  throw ExitError(Exit::kRunFailed, "run \"" + run + "\" is planned to need " +
                                        bytes_text(planned) + ", this machine has " +
                                        bytes_text(machine) +
                                        "\n  = help: attune plan FILE --fit \"" +
                                        bytes_text(machine * 9 / 10) +
                                        "\" says which settings fit");
}

}  // namespace attune
