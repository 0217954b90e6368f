// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/run/requests.h"

#include <optional>

#include "kernel/host/services/plugin_failure.h"

namespace attune {

OwnedAnswer::OwnedAnswer(const attune_answer& answer)
    : stop(answer.stop),
      id(answer.id),
      text(string(answer.text)),
      ids(answer.ids, answer.ids + answer.n_ids),
      logprobs(answer.logprobs, answer.logprobs + (answer.logprobs ? answer.n_ids : 0)) {
  if (answer.size < ATTUNE_END(attune_answer, n_outputs)) return;
  n_places = answer.n_places;
  n_outputs = answer.n_outputs;
  values.assign(answer.values, answer.values + n_places * n_outputs);
}

attune_answer OwnedAnswer::c() const {
  attune_answer made{};
  made.size = ATTUNE_END(attune_answer, n_outputs);
  made.stop = stop;
  made.id = id;
  made.text = str(text);
  made.ids = ids.data();
  made.logprobs = logprobs.empty() ? nullptr : logprobs.data();
  made.n_ids = ids.size();
  made.values = values.data();
  made.n_places = n_places;
  made.n_outputs = n_outputs;
  return made;
}

std::string stop_name(int32_t stop) {
  switch (stop) {
    case ATTUNE_STOP_END:
      return "end";
    case ATTUNE_STOP_STRING:
      return "stop_string";
    case ATTUNE_STOP_LENGTH:
      return "length";
    default:
      return "unknown";
  }
}

void RequestList::add(const attune_request& request) {
  Owned& owned = owned_.emplace_back();
  owned.turns.add_view({request.turns, request.n_turns, 0, {}});
  for (size_t i = 0; i < request.n_stops; ++i) owned.stop_texts.push_back(string(request.stops[i]));
  for (const std::string& text : owned.stop_texts) owned.stops.push_back(str(text));

  attune_request& made = requests_.emplace_back(request);
  made.size = ATTUNE_END(attune_request, reserved);
  made.id = requests_.size() - 1;
  made.seed = seed_;
  made.turns = owned.turns.c().views[0].turns;
  made.stops = owned.stops.data();
}

std::vector<const attune_request*> RequestList::pointers() const {
  std::vector<const attune_request*> made;
  for (const attune_request& request : requests_) made.push_back(&request);
  return made;
}

std::vector<OwnedAnswer> ask(attune_generator& generator, const RequestList& requests,
                             RunServices& host) {
  const PluginFailure failure("generator", [&] { return host.last_failure(); });
  std::vector<std::optional<OwnedAnswer>> found(requests.size());
  const auto take = [&](const attune_answer* answer) {
    if (answer->id >= found.size() || found[answer->id]) {
      throw ExitError(Exit::kRunFailed,
                      "generator: gave an answer to request " + std::to_string(answer->id) +
                          (answer->id < found.size() ? " twice" : ", which was not asked"));
    }
    found[answer->id].emplace(*answer);
    host.check_cancelled();
  };
  const auto pointers = requests.pointers();
  failure.check(collect<AnswerSinkOf>(take,
                                      [&](const attune_answer_sink* sink) {
                                        return generator.generate(generator.self, pointers.data(),
                                                                  pointers.size(), sink);
                                      }),
                "answering " + std::to_string(requests.size()) + " requests");
  std::vector<OwnedAnswer> answers;
  for (size_t i = 0; i < found.size(); ++i) {
    if (!found[i]) {
      throw ExitError(Exit::kRunFailed, "generator: gave no answer to request " +
                                            std::to_string(i) + " of " +
                                            std::to_string(found.size()));
    }
    answers.push_back(std::move(*found[i]));
  }
  return answers;
}

}  // namespace attune
