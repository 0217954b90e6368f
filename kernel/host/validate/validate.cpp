// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/validate/validate.h"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <set>

#include "kernel/host/manifest/nearest.h"
#include "kernel/host/plugins/refusal.h"
#include "kernel/host/plugins/rules.h"
#include "kernel/host/services/files.h"
#include "kernel/host/validate/child.h"
#include "kernel/host/validate/kind.h"
#include "kernel/host/validate/tests.h"

namespace attune::validate {
namespace {

namespace fs = std::filesystem;

/// A test of the whole file.
struct FileTest {
  std::string name, about;
  std::function<void(const PluginInfo&)> run;
};

void opening(const PluginInfo& plugin) {
  const Specimen specimen(plugin);
  for (int i = 0; i < 3; ++i) {
    if (specimen.ask() != &specimen.entry())
      throw Failed("attune_plugin_v1 returns another entry each time; expected one that never changes");
  }
}

void starting(const PluginInfo& plugin) {
  Witness& witness = *new Witness;
  const Specimen specimen(plugin);
  for (int i = 0; i < 3; ++i) {
    specimen.init(witness);
    specimen.deinit();
  }
  if (const auto faults = witness.faults(); !faults.empty()) throw Failed(faults.front());
}

std::vector<FileTest> file_tests() {
  return {{"opening", "It loads within a second, and its code is what plugin.toml says", opening},
          {"init-deinit", "It can be initialised again after deinit", starting}};
}

class Suite {
 public:
  explicit Suite(const Request& request) : request_(request) {}

  std::vector<Verdict> run() {
    read_inputs();
    const bool loadable = rules();
    if (plugin_ && loadable) {
      if (plugin_->tier == Tier::kTorch) engine_ = request_.engine(), engine_->threads(1);
      for (const FileTest& test : file_tests()) add(test.name, test.about, nullptr, [&](const std::string&) { test.run(*plugin_); });
      if (failed("opening")) return verdicts_;
      for (const Provided& factory : plugin_->provides) of(factory);
      refuse_unknown();
    }
    return verdicts_;
  }

 private:
  void read_inputs() {
    if (!fs::exists(request_.file)) throw ExitError(Exit::kPluginMissing, request_.file + ": expected a plugin's file, found none");
    if (!request_.cases.empty()) cases_ = read_json(request_.cases);
    if (!cases_.is_array()) throw ExitError(Exit::kData, request_.cases + ": expected a list of cases");
    if (!request_.config.empty()) config_ = read_json(request_.config);
  }

  /// Rules that are checked without loading; whether the file may be loaded.
  bool rules() {
    Verdict made{.test = "rules", .about = "This host would load it", .kind = "", .name = "", .why = ""};
    try {
      plugin_ = read_plugin(fs::absolute(request_.file).lexically_normal().string());
      const auto refusals = check_file(*plugin_, this_host());
      for (const Refusal& refusal : refusals) made.why += (made.why.empty() ? "" : "\n") + refusal.text();
    } catch (const Refused& refused) {
      made.why = refused.what();
    }
    made.state = made.why.empty() ? State::kPass : State::kFail;
    const bool fine = made.why.empty();
    if (wanted(made.test)) verdicts_.push_back(made);
    return fine;
  }

  void of(const Provided& factory) {
    const Kind* const kind = find_kind(factory.kind);
    if (!kind) {
      Verdict made{.test = "kind",
                   .about = "The kind is one that this host knows",
                   .kind = factory.kind,
                   .name = factory.name,
                   .state = State::kSkip,
                   .why = ""};
      made.why = "this validator has no tests for " + factory.kind;
      verdicts_.push_back(made);
      return;
    }
    const std::string folder = request_.cases.empty() ? "." : fs::absolute(request_.cases).parent_path().string();
    for (const auto& tests : {tests_of_use(), tests_of_process(), kind->tests(engine_)}) {
      for (const Test& test : tests) {
        add(test.name, test.about, &factory,
            [&](const std::string& scratch) { test.run({*plugin_, factory, *kind, cases_, folder, config_, engine_, scratch}); });
      }
    }
  }

  void add(const std::string& name, const std::string& about, const Provided* factory,
           const std::function<void(const std::string&)>& body) {
    names_.insert(name);
    if (!wanted(name)) return;
    Verdict made = in_child(body, {.seconds = request_.seconds});
    made.test = name;
    made.about = about;
    if (factory) made.kind = factory->kind, made.name = factory->name;
    verdicts_.push_back(std::move(made));
  }

  bool wanted(const std::string& test) const {
    return request_.tests.empty() || std::find(request_.tests.begin(), request_.tests.end(), test) != request_.tests.end();
  }
  bool failed(const std::string& test) const {
    return std::any_of(verdicts_.begin(), verdicts_.end(),
                       [&](const Verdict& one) { return one.test == test && one.state == State::kFail; });
  }
  void refuse_unknown() const {
    for (const std::string& test : request_.tests) {
      if (test == "rules" || names_.contains(test)) continue;
      const std::vector<std::string> all(names_.begin(), names_.end());
      const std::string near = nearest(test, all);
      throw ExitError(Exit::kUsage, "--test: there is no test \"" + test + "\"; " +
                                        (near.empty() ? "expected one of " + join(all) : "did you mean \"" + near + "\"?"));
    }
  }

  const Request& request_;
  Json cases_ = Json::array(), config_;
  std::optional<PluginInfo> plugin_;
  Engine* engine_ = nullptr;
  std::set<std::string> names_;
  std::vector<Verdict> verdicts_;
};

}  // namespace

std::vector<Verdict> validate(const Request& request) { return Suite(request).run(); }

}  // namespace attune::validate
