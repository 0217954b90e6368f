// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/validate/shapes.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <set>
#include <string_view>

#include "attune/value.h"

namespace attune {
namespace {

using Texts = std::vector<std::string>;

/// Role and parts of a turn, so that two turns can be compared.
Texts content(const attune_turn& turn) {
  Texts made = {string(turn.role)};
  for (size_t p = 0; p < turn.n_parts; ++p) {
    const attune_part& part = turn.parts[p];
    made.push_back(string(part.uri));
    made.back().append(static_cast<const char*>(part.data.data), part.data.size);
  }
  return made;
}

std::vector<Texts> contents(const attune_view& view, size_t begin, size_t end) {
  std::vector<Texts> made;
  for (size_t t = begin; t < end; ++t) made.push_back(content(view.turns[t]));
  return made;
}

/// What is wrong with the conversations, whatever their shape.
std::string turns_fault(const attune_sample& sample) {
  static const std::set<std::string_view> roles = {"system", "user", "assistant", "tool"};
  if (sample.n_views == 0) return "no conversation";
  for (size_t v = 0; v < sample.n_views; ++v) {
    const attune_view& view = sample.views[v];
    if (sample.n_prompt > view.n_turns) return "the prompt is longer than a conversation";
    for (size_t t = 0; t < view.n_turns; ++t) {
      if (!roles.contains(attune::view(view.turns[t].role))) return "an unknown role";
      if (view.turns[t].n_parts == 0) return "a turn without content";
    }
    if (contents(view, 0, sample.n_prompt) != contents(sample.views[0], 0, sample.n_prompt)) {
      return "the conversations do not share the prompt";
    }
  }
  return "";
}

bool answers(const attune_sample& sample) {
  return std::all_of(sample.views, sample.views + sample.n_views, [&](const attune_view& view) {
    return view.n_turns > sample.n_prompt && attune::view(view.turns[view.n_turns - 1].role) == "assistant" &&
           attune::view(view.turns[sample.n_prompt].role) == "assistant";
  });
}

bool differ(const attune_view& a, const attune_view& b, size_t from) {
  return contents(a, from, a.n_turns) != contents(b, from, b.n_turns);
}

bool steps(const attune_sample& sample, const Value& labels) {
  const attune_view& view = sample.views[0];
  const Value given = labels["steps"];
  if (!given.is_list() || given.size() != view.turns[view.n_turns - 1].n_parts) return false;
  for (size_t i = 0; i < given.size(); ++i) {
    if (!given[i].is_integer() || std::abs(given[i].integer()) > 1) return false;
  }
  return true;
}

bool is(const std::string& shape, const attune_sample& sample) {
  const attune_view* views = sample.views;
  const Value labels(sample.labels);
  if (shape == "prompt") {
    return sample.n_views == 1 && sample.n_prompt > 0 && views[0].n_turns == sample.n_prompt &&
           attune::view(views[0].turns[sample.n_prompt - 1].role) != "assistant";
  }
  if (!answers(sample)) return false;
  if (shape == "pair") {
    return sample.n_views == 2 && differ(views[0], views[1], sample.n_prompt) && !(views[0].rating <= views[1].rating);
  }
  if (shape == "ranking") {
    const attune_view* end = views + sample.n_views;
    const auto rating = [](const attune_view& view) { return view.rating; };
    return sample.n_views >= 2 && std::ranges::is_sorted(views, end, std::greater<>(), rating) && views[0].rating > end[-1].rating &&
           std::ranges::none_of(views, end, [](double of) { return std::isnan(of); }, rating);
  }
  if (sample.n_views != 1) return false;
  if (shape == "unpaired") return labels["desirable"].is_bool();
  if (shape == "labelled") return labels["class"].is_integer();
  if (shape == "steps") return steps(sample, labels);
  return shape == "supervised";
}

}  // namespace

std::string shape_fault(const attune_sample& sample, const std::vector<std::string>& shapes) {
  if (const std::string fault = turns_fault(sample); !fault.empty()) return fault;
  std::string all;
  for (const std::string& shape : shapes) {
    if (is(shape, sample)) return "";
    all += (all.empty() ? "no " : " or ") + shape;
  }
  return all;
}

}  // namespace attune
