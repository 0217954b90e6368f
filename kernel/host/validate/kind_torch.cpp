// SPDX-License-Identifier: Apache-2.0
// Models and algorithms: the engine uses and tries them.
#include "kernel/host/validate/child.h"
#include "kernel/host/validate/forms.h"
#include "kernel/host/validate/kinds.h"

namespace attune::validate {
namespace {

attune_object* object_of(void* table) { return static_cast<attune_object*>(table); }

class TorchKind : public Kind {
 public:
  std::string missing(const void* table) const override {
    const auto* t = static_cast<const attune_object*>(table);
    return first_missing({{"object", ATTUNE_HAS(t, attune_object, object) != 0}, {"destroy", ATTUNE_HAS(t, attune_object, destroy) != 0}});
  }
  void destroy(void* table) const override { object_of(table)->destroy(object_of(table)); }
  std::vector<Input> good(const Subject& subject) const override {
    if (!usable(subject)) return {};
    std::vector<Input> found;
    for (const int seed : {1, 2}) {
      found.push_back(
          {"random samples " + std::to_string(seed), subject.complete({}), {{"seed", seed}, {"metadata", subject.factory.metadata}}});
    }
    return found;
  }
  std::vector<Input> bad(const Subject&) const override { return {}; }
  std::vector<Input> huge(const Subject&) const override { return {}; }

  Json use(Witness& witness, void* table, const Json& given, SinkRule&) const override {
    doing("using it");
    return witness.engine->trials().use(id(), *object_of(table), given.at("metadata"), given);
  }

  std::vector<Test> tests(Engine* engine) const override {
    std::vector<Test> all;
    for (const TorchTrials::Trial& trial : engine->trials().trials(id())) {
      all.push_back({trial.name, trial.about, [this, name = trial.name](const Subject& subject) { run(subject, name); }});
    }
    return all;
  }

 protected:
  virtual bool usable(const Subject&) const { return true; }

 private:
  void run(const Subject& subject, const std::string& name) const {
    if (!usable(subject)) throw Skipped(hint());
    Stage stage(subject);
    const auto make = [&](const Json& options) { return object(subject, stage, options); };
    doing("the trial");
    const std::string skipped = subject.engine->trials().run(id(), name, make, subject.complete({}), subject.factory.metadata);
    if (!skipped.empty()) throw Skipped(skipped);
  }

  Plugin<attune_object> object(const Subject& subject, Stage& stage, const Json& options) const {
    Arena arena;
    void* table = nullptr;
    const Answer answer = create(subject, stage, options, arena, &table);
    if (!answer.ok()) throw Error("create failed with code " + std::to_string(answer.code) + ": " + answer.why);
    if (const std::string what = missing(table); !what.empty()) throw Error("the table that create made " + what);
    return {object_of(table), [](attune_object* made) { made->destroy(made); }};
  }
};

class ModelKind final : public TorchKind {
 public:
  std::string_view id() const override { return "model/1"; }
  std::string hint() const override { return "no configuration is known; name a small config.json with --config"; }
  void supply(const Subject& subject, Json& options) const override {
    if (!subject.config.is_null() && !options.contains("config")) options["config"] = subject.config;
  }

 protected:
  bool usable(const Subject& subject) const override { return !subject.config.is_null(); }
};

class AlgorithmKind final : public TorchKind {
 public:
  std::string_view id() const override { return "algorithm/1"; }
  std::string hint() const override { return "options are missing that it needs"; }
};

}  // namespace

const Kind& model_kind() {
  static const ModelKind kind;
  return kind;
}

const Kind& algorithm_kind() {
  static const AlgorithmKind kind;
  return kind;
}

}  // namespace attune::validate
