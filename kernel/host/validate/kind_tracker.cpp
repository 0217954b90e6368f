// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <filesystem>
#include <limits>

#include "kernel/host/validate/forms.h"
#include "kernel/host/validate/kinds.h"

namespace attune::validate {
namespace {

namespace fs = std::filesystem;

const attune_tracker* table_of(const void* table) { return static_cast<const attune_tracker*>(table); }

class Tracker final : public Kind {
 public:
  std::string_view id() const override { return "tracker/1"; }
  std::string missing(const void* table) const override {
    const auto* t = table_of(table);
    return first_missing({{"destroy", ATTUNE_HAS(t, attune_tracker, destroy) != 0}, {"log", ATTUNE_HAS(t, attune_tracker, log) != 0}});
  }
  void destroy(void* table) const override { table_of(table)->destroy(table_of(table)->self); }
  void supply(const Subject& subject, Json& options) const override {
    if (!options.contains("folder")) options["folder"] = subject.out();
  }
  std::string hint() const override { return "options are missing that it needs"; }

  std::vector<Input> good(const Subject& subject) const override {
    return {{"two metrics", subject.complete({}), {{"steps", Json::array({1, 2, 3})}, {"metrics", {{"loss", 1.5}, {"tokens", 100}}}}},
            {"another step", subject.complete({}), {{"steps", Json::array({4})}, {"metrics", {{"loss", 0.25}}}}}};
  }
  std::vector<Input> bad(const Subject& subject) const override {
    const Json options = subject.complete({});
    return {{"no metric", options, {{"steps", Json::array({1})}, {"metrics", Json::object()}}},
            {"a metric without a name", options, {{"steps", Json::array({1})}, {"metrics", {{"", 1.0}}}}},
            {"values that are no numbers",
             options,
             {{"steps", Json::array({1})}, {"metrics", {{"a", "x"}, {"b", nullptr}, {"c", Json::array()}}}}},
            {"numbers without end",
             options,
             {{"steps", Json::array({1})},
              {"metrics", {{"a", std::numeric_limits<double>::infinity()}, {"b", std::numeric_limits<double>::quiet_NaN()}}}}},
            {"a step below 0", options, {{"steps", Json::array({-1})}, {"metrics", {{"loss", 1.0}}}}}};
  }
  std::vector<Input> huge(const Subject& subject) const override {
    Json many = Json::object();
    for (int i = 0; i < 5000; ++i) many["metric/" + std::to_string(i)] = i;
    return {{"5,000 metrics", subject.complete({}), {{"steps", Json::array({1})}, {"metrics", many}}},
            {"a name of 1 MiB", subject.complete({}), {{"steps", Json::array({1})}, {"metrics", {{std::string(1 << 20, 'x'), 1.0}}}}}};
  }

  Json use(Witness& witness, void* table, const Json& given, SinkRule&) const override {
    const auto* t = table_of(table);
    Json ends = Json::array();
    for (const Json& step : given.at("steps")) {
      Arena arena;
      const attune_value metrics = to_value(given.at("metrics"), arena);
      ends.push_back(witness.call("log", [&] { return t->log(t->self, step, 1.7e9 + step.get<double>(), &metrics); }).json());
    }
    return {{"ends", ends}};
  }

  std::vector<Test> tests(Engine*) const override {
    return {
        {"steps", "Steps in order are taken, and those that come again after a resume", [this](const Subject& subject) { steps(subject); }},
        {"folder", "Something is written, within the folder; one that cannot be written is an error in words",
         [this](const Subject& subject) { folder(subject); }}};
  }

 private:
  void steps(const Subject& subject) const {
    Stage stage(subject);
    for (const Json& range : {Json::array({1, 2, 3, 4, 5}), Json::array({3, 4, 5, 6})}) {
      const Json made = use_fresh(subject, stage, {"", subject.complete({}), {{"steps", range}, {"metrics", {{"loss", 1.0}}}}});
      for (const Json& end : made.value("ends", Json::array({made}))) {
        if (end != "ok") throw Failed("steps " + range.dump() + ": expected them to be taken, found " + brief(end));
      }
    }
  }

  void folder(const Subject& subject) const {
    Stage stage(subject);
    const Input usual{"", subject.complete({}), {{"steps", Json::array({1})}, {"metrics", {{"loss", 1.0}}}}};
    use_fresh(subject, stage, usual);
    // One that goes elsewhere, over a network, has no such option.
    const bool local = find_option(subject.factory.options, "folder") != nullptr;
    if (!local) throw Skipped("it has no option `folder`");
    if (fs::is_empty(subject.out())) throw Failed("a step was taken, and nothing was written to the folder");
    const std::string blocked = subject.out() + "/file";
    spill(blocked, "");
    const Json made = use_fresh(subject, stage, {"", subject.complete({{"folder", blocked + "/below"}}), usual.given});
    const Json end = made.contains("create") ? made["create"] : made["ends"][0];
    if (end == "ok") throw Failed("a folder that cannot be there: expected an error, found success");
    if (const auto faults = stage.witness.faults(); !faults.empty()) throw Failed(faults.front());
  }
};

}  // namespace

const Kind& tracker_kind() {
  static const Tracker kind;
  return kind;
}

}  // namespace attune::validate
