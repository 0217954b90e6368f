// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "attune/sample.h"
#include "kernel/host/validate/readable.h"
#include "support/plugin_under_test.h"

/// For tests of evaluators: what one asks for a sample and how it scores answers, as JSON.
namespace attune::testing {

class EvaluatorUnderTest {
 public:
  EvaluatorUnderTest(const std::string& name, const Json& options = Json::object())
      : plugin_(name, "evaluator/1", name, options) {}

  /// Each request as `readable` writes it.
  Json ask(const SampleBuilder& sample) const {
    const attune_sample c = sample.c();
    Json made = Json::array();
    const attune_request_sink sink{ATTUNE_END(attune_request_sink, emit), 0, &made,
                                   [](void* context, const attune_request* request) -> int32_t {
                                     static_cast<Json*>(context)->push_back(readable(*request));
                                     return ATTUNE_OK;
                                   }};
    plugin_.check(plugin_->request(plugin_.self(), &c, &sink));
    return made;
  }

  /// Metrics of answers that are texts, lists of log-probabilities, or rewards.
  Json score(const SampleBuilder& sample, const Json& answers) const {
    const attune_sample c = sample.c();
    std::vector<std::vector<double>> logprobs;
    std::vector<attune_answer> made;
    for (const Json& answer : answers) {
      logprobs.push_back(answer.is_array() ? answer.get<std::vector<double>>()
                                           : std::vector<double>());
      attune_answer one{};
      one.size = ATTUNE_END(attune_answer, n_outputs);
      if (answer.is_string()) one.text = str(answer.get_ref<const std::string&>());
      if (answer.is_number()) one.values = answer.get_ptr<const Json::number_float_t*>(), one.n_places = one.n_outputs = 1;
      one.n_ids = logprobs.back().size();
      made.push_back(one);
    }
    std::vector<const attune_answer*> pointers;
    for (size_t i = 0; i < made.size(); ++i) {
      made[i].logprobs = logprobs[i].data();
      pointers.push_back(&made[i]);
    }
    Json metrics;
    const attune_value_sink sink{ATTUNE_END(attune_value_sink, emit), 0, &metrics,
                                 [](void* context, const attune_value* value) -> int32_t {
                                   *static_cast<Json*>(context) = to_json(*value);
                                   return ATTUNE_OK;
                                 }};
    plugin_.check(plugin_->score(plugin_.self(), &c, pointers.data(), pointers.size(), &sink));
    return metrics;
  }

 private:
  PluginUnderTest<attune_evaluator> plugin_;
};

/// What `call` throws.
template <typename Call>
std::string refusal(const Call& call) {
  try {
    call();
    return "not refused";
  } catch (const PluginFailure& failure) {
    return failure.what();
  }
}

}  // namespace attune::testing
