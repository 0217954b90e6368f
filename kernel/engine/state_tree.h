// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "attune/algorithm.h"
#include "kernel/host/json.h"

namespace attune {

/// All that changes while a run goes on, each thing declared once, by name. What is not here is a
/// function of the manifest, the data and the step: a checkpoint is this tree and nothing else.
class StateTree {
 public:
  /// Tensors that are saved, and overwritten in place on resuming; named `branch`/NAME. Throws Error
  /// where a name is taken.
  void add(const std::string& branch, const NamedTensors& tensors);
  /// A number or text.
  template <typename T>
  void add(const std::string& name, T& value) {
    add(name, [&value] { return Json(value); }, [&value](const Json& saved) { value = saved.get<T>(); });
  }
  void add(const std::string& name, std::function<Json()> get, std::function<void(const Json&)> set);

  const NamedTensors& tensors() const { return tensors_; }
  Json numbers() const;
  /// Throws Error where `saved` lacks a declared name or has one that is not declared.
  void restore(const Json& saved) const;

 private:
  struct Number {
    std::string name;
    std::function<Json()> get;
    std::function<void(const Json&)> set;
  };
  NamedTensors tensors_;
  std::set<std::string> names_;
  std::vector<Number> numbers_;
};

}  // namespace attune
