// SPDX-License-Identifier: Apache-2.0
#include "kernel/engine/update_rule.h"

#include "attune/error.h"
#include "kernel/engine/adamw.h"
#include "kernel/engine/adamw_int8.h"
#include "kernel/engine/muon.h"
#include "kernel/engine/sgd.h"

namespace attune {

std::unique_ptr<UpdateRule> make_update_rule(const Json& optimizer, const std::vector<Parameter>& parameters,
                                             const std::vector<at::Tensor>& masters) {
  const std::string use = optimizer.value("use", "adamw");
  if (use == "sgd") return std::make_unique<Sgd>(parameters, masters, optimizer);
  if (use == "muon") return std::make_unique<Muon>(parameters, masters, optimizer);
  if (use != "adamw") throw Error("optimizer.use: expected adamw, sgd or muon, found " + use);
  if (optimizer.value("states", "float32") == "int8") return std::make_unique<AdamWInt8>(parameters, masters, optimizer);
  return std::make_unique<AdamW>(parameters, masters, optimizer, [](const Parameter&) { return true; });
}

int64_t state_bytes(const Json& optimizer, int64_t elements, bool hidden) {
  const std::string use = optimizer.value("use", "adamw");
  if (use == "sgd") return optimizer.value("momentum", 0.0) > 0 ? 4 * elements : 0;
  if (use == "muon" && hidden) return 4 * elements;
  if (optimizer.value("states", "float32") == "int8" && elements >= AdamWInt8::kSmallest)
    return 2 * (elements + 4 * ((elements + AdamWInt8::kBlock - 1) / AdamWInt8::kBlock));
  return 8 * elements;
}

bool is_hidden_matrix(const Parameter& parameter) {
  return parameter.tensor.dim() == 2 && parameter.adapter && (parameter.adapter->usual || parameter.sparse);
}

}  // namespace attune
