// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/validate/verdict.h"

#include <algorithm>
#include <array>

namespace attune::validate {
namespace {

constexpr std::array kWords = {"pass", "fail", "skip"};

const char* word(State state) { return kWords[static_cast<size_t>(state)]; }

long count(const std::vector<Verdict>& verdicts, State state) {
  return std::count_if(verdicts.begin(), verdicts.end(), [&](const Verdict& one) { return one.state == state; });
}

/// Further lines of a reason stand below the first.
std::string indented(const std::string& text) {
  std::string made = "        ";
  for (const char c : text) made += c == '\n' ? std::string("\n        ") : std::string(1, c);
  return made + "\n";
}

}  // namespace

std::string text(const std::vector<Verdict>& verdicts) {
  std::string made, group = "-";
  for (const Verdict& one : verdicts) {
    const std::string heading = one.kind.empty() ? "the file" : one.kind + " \"" + one.name + "\"";
    if (heading != group) made += (made.empty() ? "" : "\n") + (group = heading) + "\n";
    std::string name = one.test;
    name.resize(std::max<size_t>(name.size(), 18), ' ');
    made += "  " + std::string(word(one.state)) + "  " + name + "  " + one.about + "\n";
    if (!one.why.empty()) made += indented(one.why);
  }
  return made + "\n" + std::to_string(count(verdicts, State::kPass)) + " passed, " + std::to_string(count(verdicts, State::kFail)) +
         " failed, " + std::to_string(count(verdicts, State::kSkip)) + " skipped\n";
}

Json json(const std::vector<Verdict>& verdicts) {
  Json tests = Json::array();
  for (const Verdict& one : verdicts) {
    Json row = {{"test", one.test}, {"about", one.about}};
    if (!one.kind.empty()) row["kind"] = one.kind, row["name"] = one.name;
    row["verdict"] = word(one.state);
    if (!one.why.empty()) row["why"] = one.why;
    row["seconds"] = one.seconds;
    tests.push_back(row);
  }
  return {{"valid", passed(verdicts)},
          {"passed", count(verdicts, State::kPass)},
          {"failed", count(verdicts, State::kFail)},
          {"skipped", count(verdicts, State::kSkip)},
          {"tests", tests}};
}

bool passed(const std::vector<Verdict>& verdicts) { return count(verdicts, State::kFail) == 0; }

}  // namespace attune::validate
