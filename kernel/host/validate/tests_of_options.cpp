// SPDX-License-Identifier: Apache-2.0
// What holds for `create`, whatever the kind.
#include <cmath>
#include <cstdint>
#include <limits>
#include <set>

#include "kernel/host/validate/child.h"
#include "kernel/host/validate/tests.h"
#include "kernel/host/validate/world.h"

namespace attune::validate {
namespace {

/// Makes an instance and takes it down; a refusal must be told.
Answer try_options(const Subject& subject, Stage& stage, const Json& options) {
  Arena arena;
  void* table = nullptr;
  const Answer answer = create(subject, stage, options, arena, &table);
  if (answer.ok()) subject.kind.destroy(table);
  if (!stage.witness.faults().empty()) throw Failed("with options " + brief(options) + ": " + stage.witness.faults().front());
  return answer;
}

/// Values at the bounds of an option and in the middle of what it may be.
std::vector<Json> values_of(const OptionSchema& schema) {
  std::vector<Json> values;
  const bool whole = schema.type == "int" || schema.type == "count";
  const auto number = [&](double value) { values.push_back(whole ? Json(static_cast<int64_t>(value)) : Json(value)); };
  if (schema.default_value) values.push_back(*schema.default_value);
  if (schema.min) number(*schema.min);
  if (schema.max) number(*schema.max);
  if (schema.above) number(whole ? *schema.above + 1 : std::nextafter(*schema.above, std::numeric_limits<double>::max()));
  if (schema.below) number(whole ? *schema.below - 1 : std::nextafter(*schema.below, std::numeric_limits<double>::lowest()));
  if (schema.type == "bool") values.push_back(false), values.push_back(true);
  if (schema.type == "int" && !schema.max && !schema.below) values.push_back(std::numeric_limits<int64_t>::max());
  if (schema.type == "int" && !schema.min && !schema.above) values.push_back(std::numeric_limits<int64_t>::min());
  if (schema.type == "string") values.push_back(""), values.push_back(std::string(100000, 'x')), values.push_back("\xC3\xA9");
  if (schema.type == "list") values.push_back(Json::array());
  for (const std::string& choice : schema.choices) values.push_back(choice);
  return values;
}

/// Options that make an instance: those of a good input, else the defaults. Throws Skipped where others must be given.
Json usual_options(const Subject& subject) {
  const auto good = subject.kind.good(subject);
  if (!good.empty()) return good.front().options;
  for (const OptionSchema& schema : subject.factory.options) {
    if (schema.required) throw Skipped(subject.kind.hint());
  }
  return subject.complete({});
}

void defaults(const Subject& subject) {
  Stage stage(subject);
  const Instance made(subject, stage, usual_options(subject));
}

void bounds(const Subject& subject) {
  Stage stage(subject);
  const Json usual = usual_options(subject);
  for (const OptionSchema& schema : subject.factory.options) {
    if (schema.type == "path") continue;
    for (const Json& value : values_of(schema)) {
      Json options = usual;
      options[schema.name] = value;
      try {
        validate_options(subject.factory.options, options);
      } catch (const Error&) {
        continue;  // No value that the host would let through.
      }
      with("`" + schema.name + "` = " + brief(value));
      const Answer answer = try_options(subject, stage, options);
      const bool choice = schema.type == "enum" || schema.type == "bool";
      const bool unlike = options.size() > 1 || !choice;  // Other options may forbid it.
      if (!answer.ok() && !unlike) throw Failed("`" + schema.name + "` = " + brief(value) + " is declared, and refused: " + answer.why);
    }
  }
}

void types(const Subject& subject) {
  Stage stage(subject);
  const Json usual = usual_options(subject);
  const Json wrong[] = {nullptr, true, 3, -0.5, "x", Json::array({1}), {{"a", 1}}};
  for (const OptionSchema& schema : subject.factory.options) {
    for (const Json& value : wrong) {
      Json options = usual;
      options[schema.name] = value;
      with("`" + schema.name + "` = " + brief(value) + ", which its type forbids,");
      try_options(subject, stage, options);
    }
    Json options = usual;
    options.erase(schema.name);
    with("no `" + schema.name + "`");
    try_options(subject, stage, options);
  }
}

void declarations(const Subject& subject) {
  std::string wrong;
  for (const OptionSchema& schema : subject.factory.options) {
    if (schema.help.empty()) wrong += (wrong.empty() ? "`" : ", `") + schema.name + "`";
  }
  if (!wrong.empty()) throw Failed("expected `help` for every option, found none for " + wrong);
  if (subject.factory.summary.empty()) throw Failed("expected a `summary`, found none");
  subject.complete({});
}

void again_and_again(const Subject& subject) {
  Stage stage(subject);
  const auto good = subject.kind.good(subject);
  const Json options = usual_options(subject);
  const auto rounds = [&](int n) {
    for (int i = 0; i < n; ++i) {
      const Instance made(subject, stage, options);
      if (!good.empty() && subject.plugin.tier == Tier::kPure) use(made, subject, good.front());
    }
  };
  const Stopwatch watch;
  rounds(20);
  const int n = std::clamp(static_cast<int>(20 * 3.0 / std::max(watch.seconds(), 1e-6)), 10, 300);
  const size_t allowed = 40 * static_cast<size_t>(n);
  const size_t left = Memory::grown_by([&] { rounds(n); }, {allowed, SIZE_MAX}).heap;
  if (left > allowed) {
    throw Failed("destroy leaves memory behind: " + std::to_string(left / static_cast<size_t>(n)) +
                 " bytes for each of " + std::to_string(n) + " instances");
  }
}

}  // namespace

std::vector<Test> tests_of_options() {
  return {{"declarations", "Options have a help text, and defaults that fit", declarations},
          {"options-default", "Default options make an instance whose table is whole", defaults},
          {"options-bounds", "Options at their bounds are taken, or refused in words", bounds},
          {"options-types", "Options of another type, or left out, do no harm", types},
          {"create-destroy", "Instances come and go, and leave no memory behind", again_and_again}};
}

}  // namespace attune::validate
