// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "kernel/host/validate/subject.h"

namespace attune::validate {

/// A test of one factory.
struct Test {
  std::string name;   ///< "random-access"
  std::string about;  ///< what must hold
  std::function<void(const Subject&)> run;
};

/// How plugins of one kind are used, so that what holds for all kinds can be tested alike.
class Kind {
 public:
  virtual ~Kind() = default;
  virtual std::string_view id() const = 0;
  /// What is missing from a table that `create` made; "" where nothing is.
  virtual std::string missing(const void* table) const = 0;
  virtual void destroy(void* table) const = 0;
  /// Options that the host sets itself.
  virtual void supply(const Subject&, Json& /*options*/) const {}
  /// Inputs that the plugin serves; none where it cannot be known.
  virtual std::vector<Input> good(const Subject& subject) const = 0;
  /// Inputs that have nothing in them or the wrong things. They are served or refused, in words.
  virtual std::vector<Input> bad(const Subject& subject) const = 0;
  virtual std::vector<Input> huge(const Subject& subject) const = 0;
  /// All that comes of an input: equal inputs on equal instances give equal results. Throws Failed where it is malformed.
  virtual Json use(Witness& witness, void* table, const Json& given, SinkRule& rule) const = 0;
  /// What holds for this kind alone. `engine` is null in the pure tier.
  virtual std::vector<Test> tests(Engine* engine) const = 0;
  /// What to do so that `good` is not empty.
  virtual std::string hint() const = 0;
};

/// The kind with this id; null where the validator does not know it.
const Kind* find_kind(std::string_view id);

/// Tests that hold for every kind: of options, failures, sinks, determinism, threads, memory.
std::vector<Test> tests_of_use();
/// Tests that hold for every kind: of what the process shares.
std::vector<Test> tests_of_process();

/// Uses an instance and takes what comes.
Json use(const Instance& instance, const Subject& subject, const Input& input);
/// Good inputs; throws Skipped with the hint where there are none.
std::vector<Input> some_good(const Subject& subject);
/// Throws Failed: "NAME: expected ..., found ..." with both shortened.
void expect_equal(const Json& found, const Json& expected, const std::string& what);
/// A tree as text of bounded length, for messages.
std::string brief(const Json& json);

}  // namespace attune::validate
