// SPDX-License-Identifier: Apache-2.0
// What holds for every call, whatever the kind.
#include <malloc.h>

#include <cstdint>

#include "kernel/host/validate/child.h"
#include "kernel/host/validate/tests.h"
#include "kernel/host/validate/world.h"

namespace attune::validate {

std::string brief(const Json& json) {
  std::string text = json.dump(-1, ' ', false, Json::error_handler_t::replace);
  if (text.size() > 300) text = text.substr(0, 300) + " ... (" + std::to_string(text.size()) + " bytes)";
  return text;
}

void expect_equal(const Json& found, const Json& expected, const std::string& what) {
  if (found == expected) return;
  throw Failed(what + ": expected " + brief(expected) + ", found " + brief(found));
}

Json use(const Instance& instance, const Subject& subject, const Input& input) {
  SinkRule rule;
  return subject.kind.use(instance.witness(), instance.table(), input.given, rule);
}

std::vector<Input> some_good(const Subject& subject) {
  std::vector<Input> found = subject.kind.good(subject);
  if (found.empty()) throw Skipped(subject.kind.hint());
  return found;
}

std::vector<Input> alike(const Subject& subject) {
  std::vector<Input> found;
  for (const auto& inputs : {some_good(subject), subject.kind.bad(subject)}) {
    for (const Input& input : inputs) {
      if (found.empty() || input.options == found.front().options) found.push_back(input);
    }
  }
  return found;
}

namespace {

/// What comes of every input, each on an instance of its own.
std::vector<Json> results(const Subject& subject, Stage& stage, const std::vector<Input>& inputs) {
  std::vector<Json> made;
  for (const Input& input : inputs) {
    const Instance instance(subject, stage, input.options);
    made.push_back(use(instance, subject, input));
  }
  return made;
}

void failures(const Subject& subject) {
  Stage stage(subject);
  for (const auto& inputs : {subject.kind.good(subject), subject.kind.bad(subject)}) {
    for (const Input& input : inputs) {
      use_fresh(subject, stage, input);
      if (const auto faults = stage.witness.faults(); !faults.empty()) throw Failed(input.name + ": " + faults.front());
    }
  }
}

void small_inputs(const Subject& subject) {
  Stage stage(subject);
  std::vector<Input> bad = subject.kind.bad(subject);
  if (bad.empty()) {
    some_good(subject);
    throw Skipped("there are none of this kind");
  }
  for (const Input& input : bad) {
    use_fresh(subject, stage, input);
  }
}

void huge_inputs(const Subject& subject) {
  Stage stage(subject);
  std::vector<Input> huge = subject.kind.huge(subject);
  if (huge.empty()) {
    some_good(subject);
    throw Skipped("there are none of this kind");
  }
  for (const Input& input : huge) {
    const Stopwatch watch;
    use_fresh(subject, stage, input);
    if (watch.seconds() > 8) throw Failed(input.name + " takes " + std::to_string(watch.seconds()) + " s; at most 8 s are expected");
  }
}

void refusing_sinks(const Subject& subject) {
  Stage stage(subject);
  bool any = false;
  for (const Input& input : some_good(subject)) {
    const Instance instance(subject, stage, input.options);
    SinkRule all;
    subject.kind.use(stage.witness, instance.table(), input.given, all);
    for (int at = 0; at < std::min(all.taken, 4); ++at) {
      SinkRule rule;
      rule.refuse_at = at, rule.refusal = 1017 + at;
      subject.kind.use(stage.witness, instance.table(), input.given, rule);
      any = true;
      const std::string where = input.name + ": after item " + std::to_string(at + 1) + " was refused with " + std::to_string(rule.refusal);
      if (rule.after_refusal > 0) throw Failed(where + " the sink was given " + std::to_string(rule.after_refusal) + " more");
    }
  }
  if (!any) throw Skipped("nothing that it was given came to a sink");
}

void determinism(const Subject& subject) {
  Stage stage(subject);
  for (const Input& input : some_good(subject)) {
    const Instance one(subject, stage, input.options);
    const Json first = use(one, subject, input);
    expect_equal(use(one, subject, input), first, input.name + ", given again to the same instance");
    const Instance other(subject, stage, input.options);
    expect_equal(use(other, subject, input), first, input.name + ", given to a second instance");
  }
}

void instances_apart(const Subject& subject) {
  Stage stage(subject);
  std::vector<Input> inputs = some_good(subject);
  const std::vector<Json> alone = results(subject, stage, inputs);
  // Neighbours are of other options where there are such.
  std::vector<std::unique_ptr<Instance>> all;
  for (const Input& input : inputs) all.push_back(std::make_unique<Instance>(subject, stage, input.options));
  for (size_t i = inputs.size(); i-- > 0;)
    expect_equal(use(*all[i], subject, inputs[i]), alone[i], inputs[i].name + ", beside instances of other options");
  all.front().reset();
  for (size_t i = 1; i < inputs.size(); ++i)
    expect_equal(use(*all[i], subject, inputs[i]), alone[i], inputs[i].name + ", once a neighbour was destroyed");
}

void history(const Subject& subject) {
  Stage stage(subject);
  const std::vector<Input> inputs = alike(subject);
  const std::vector<Json> alone = results(subject, stage, inputs);
  const Instance one(subject, stage, inputs.front().options);
  for (int round = 0; round < 2; ++round) {
    for (size_t i = 0; i < inputs.size(); ++i) expect_equal(use(one, subject, inputs[i]), alone[i], inputs[i].name + ", behind others");
    for (size_t i = inputs.size(); i-- > 0;) expect_equal(use(one, subject, inputs[i]), alone[i], inputs[i].name + ", behind others");
  }
}

void keeps_nothing(const Subject& subject) {
  Stage stage(subject);
  std::vector<std::vector<Input>> groups = {alike(subject)};
  for (const Input& input : some_good(subject)) {
    if (input.options != groups.back().front().options && groups.size() < 4) groups.push_back({input});
  }
  std::vector<std::vector<Json>> expected;
  for (const auto& inputs : groups) expected.push_back(results(subject, stage, inputs));
  // From here on memory that is freed is overwritten.
  mallopt(M_PERTURB, 0x5A);
  for (size_t g = 0; g < groups.size(); ++g) {
    Instance one(subject, stage, groups[g].front().options);
    one.forget_options();
    for (int round = 0; round < 2; ++round) {
      for (size_t i = 0; i < groups[g].size(); ++i)
        expect_equal(use(one, subject, groups[g][i]), expected[g][i],
                     groups[g][i].name + ", once the options' memory and earlier inputs were gone");
    }
  }
}

/// Results are the same with a witness of another kind for a host.
void same_with(const Subject& subject, Witness::Kind kind, const std::string& what) {
  Stage usual(subject);
  const std::vector<Input> inputs = some_good(subject);
  const std::vector<Json> expected = results(subject, usual, inputs);
  usual.specimen.deinit();
  Stage other(subject, kind);
  const std::vector<Json> found = results(subject, other, inputs);
  for (size_t i = 0; i < inputs.size(); ++i) expect_equal(found[i], expected[i], inputs[i].name + what);
}

void without_services(const Subject& subject) { same_with(subject, Witness::Kind::kNoServices, ", with a host that lends no service"); }

void newer_host(const Subject& subject) { same_with(subject, Witness::Kind::kNewer, ", with a host of a newer minor"); }

void growth(const Subject& subject) {
  Stage stage(subject);
  const std::vector<Input> inputs = alike(subject);
  const std::vector<Input> fine = some_good(subject);
  const auto good =
      static_cast<size_t>(std::count_if(fine.begin(), fine.end(), [&](const Input& one) { return one.options == inputs.front().options; }));
  const Instance one(subject, stage, inputs.front().options);
  // Every other call is served; those between may be refused, for a failure may leak as well.
  const auto calls = [&](size_t n) {
    for (size_t i = 0; i < n; ++i) use(one, subject, inputs[i % 2 ? i % inputs.size() : i / 2 % good]);
  };
  const Stopwatch watch;
  const size_t probe = std::max<size_t>(inputs.size() * 3, 30);
  calls(probe);
  const double budget = 1.5;
  const auto n = std::clamp<size_t>(static_cast<size_t>(budget * static_cast<double>(probe) / std::max(watch.seconds(), 1e-6)), 20, 5000);
  calls(n / 5);
  const Memory allowed{8 * n + 16384, size_t{4} << 20}, grown = Memory::grown_by([&] { calls(n); }, allowed);
  const std::string over = " bytes in each of six times " + std::to_string(n) + " calls";
  if (grown.heap > allowed.heap) throw Failed("the heap grew by " + std::to_string(grown.heap) + over);
  if (grown.resident > allowed.resident) throw Failed("resident memory grew by " + std::to_string(grown.resident) + over);
}

}  // namespace

std::vector<Test> tests_of_calls() {
  return {{"failures", "Whatever fails says why: a code of the contract and a message", failures},
          {"empty-input", "Empty and misshapen inputs are served or refused, and nothing else", small_inputs},
          {"huge-input", "Inputs of megabytes are served or refused within seconds", huge_inputs},
          {"sinks", "A sink that refuses gets no more, and its value is returned", refusing_sinks},
          {"determinism", "The same input gives the same result, also from a second instance", determinism},
          {"instances", "Instances do not see each other", instances_apart},
          {"history", "A result does not depend on what came before", history},
          {"borrowed-memory", "Nothing is read after the call that lent it", keeps_nothing},
          {"no-services", "It works with a host that lends no service", without_services},
          {"newer-host", "It works with a host whose tables are longer", newer_host},
          {"growth", "Memory does not grow over 10,000 calls", growth}};
}

std::vector<Test> tests_of_use() {
  std::vector<Test> all;
  for (auto tests : {tests_of_options(), tests_of_calls(), tests_of_threads()}) all.insert(all.end(), tests.begin(), tests.end());
  return all;
}

}  // namespace attune::validate
