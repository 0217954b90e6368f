// SPDX-License-Identifier: Apache-2.0
#include "kernel/engine/state_tree.h"

#include "attune/error.h"

namespace attune {

void StateTree::add(const std::string& branch, const NamedTensors& tensors) {
  for (const auto& [name, tensor] : tensors) {
    const std::string full = branch + "/" + name;
    if (!names_.insert(full).second)
      throw Error("the state has two tensors named " + full + "; each needs a name of its own");
    tensors_.emplace_back(full, tensor);
  }
}

void StateTree::add(const std::string& name, std::function<Json()> get,
                    std::function<void(const Json&)> set) {
  numbers_.push_back({name, std::move(get), std::move(set)});
}

Json StateTree::numbers() const {
  Json all = Json::object();
  for (const Number& number : numbers_) all[number.name] = number.get();
  return all;
}

void StateTree::restore(const Json& saved) const {
  for (const Number& number : numbers_) {
    if (!saved.contains(number.name))
      throw Error("the checkpoint does not hold \"" + number.name + "\"; it is another version's");
    number.set(saved[number.name]);
  }
  if (saved.size() != numbers_.size())
    throw Error("the checkpoint holds " + std::to_string(saved.size()) + " numbers, this run has " +
                std::to_string(numbers_.size()) + "; it is another version's");
}

}  // namespace attune
