// SPDX-License-Identifier: Apache-2.0
// Does an answer have the form that a rule asks for? match is 1 if the whole answer matches
// `pattern`, no part of it matches an item of `forbid`, and it has at most `max_words` words. With
// pattern = "Yes\\.|No\\.":
//   prompt "Is tea a plant?", answer "Yes." -> match 1
#include <regex>
#include <sstream>
#include <string>
#include <vector>

#include "attune/evaluator.h"

namespace {

using namespace attune;

/// Rationale: libstdc++ matches by backtracking unless told otherwise, and then a long answer
/// overflows the stack.
#ifdef __GLIBCXX__
constexpr auto kSyntax = std::regex::ECMAScript | std::regex_constants::__polynomial;
#else
constexpr auto kSyntax = std::regex::ECMAScript;
#endif

std::regex expression(const Value& option) {
  const std::string source(option.text());
  // libstdc++ reads an expression by recursion.
  if (source.size() > 4096) {
    throw Error("`" + option.path() + "`: expected at most 4096 bytes, found " +
                std::to_string(source.size()));
  }
  try {
    return std::regex(source, kSyntax);
  } catch (const std::regex_error& error) {
    throw Error("`" + option.path() + "` = \"" + source +
                "\": expected an ECMAScript regular expression; " + error.what());
  }
}

int64_t words(const std::string& text) {
  std::istringstream stream(text);
  int64_t count = 0;
  for (std::string word; stream >> word;) ++count;
  return count;
}

std::string stripped(const std::string& text) {
  const size_t begin = text.find_first_not_of(" \t\r\n");
  return begin == text.npos ? "" : text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1);
}

class Pattern {
 public:
  explicit Pattern(Value options)
      : pattern_(expression(options["pattern"])),
        max_words_(options["max_words"].integer(0)),
        max_tokens_(options["max_tokens"].integer(64)) {
    const Value forbid = options["forbid"], stop = options["stop"];
    for (size_t i = 0; i < forbid.size(); ++i) forbid_.push_back(expression(forbid[i]));
    for (size_t i = 0; i < stop.size(); ++i) stops_.emplace_back(stop[i].text());
  }

  void request(const attune_sample& sample, const RequestSink& emit) const {
    if (sample.n_views == 0) throw Error("the sample has no view: nothing to ask");
    if (sample.n_prompt == 0) throw Error("the sample has no prompt: nothing to ask");
    std::vector<attune_str> stops;
    for (const std::string& stop : stops_) stops.push_back(str(stop));
    auto made = make_request(ATTUNE_REQUEST_GENERATE, sample.views[0].turns, sample.n_prompt);
    made.max_tokens = max_tokens_;
    made.stops = stops.data();
    made.n_stops = stops.size();
    emit(made);
  }

  Metrics score(const attune_sample&, const Answers& answers) const {
    if (answers.size() != 1) {
      throw Error("expected 1 answer, found " + std::to_string(answers.size()), ATTUNE_E_INTERNAL);
    }
    const std::string answer = stripped(string(answers[0]->text));
    bool match = std::regex_match(answer, pattern_);
    for (const std::regex& forbidden : forbid_) {
      match = match && !std::regex_search(answer, forbidden);
    }
    match = match && (max_words_ == 0 || words(answer) <= max_words_);
    return {{"match", match ? 1.0 : 0.0}};
  }

 private:
  std::regex pattern_;
  std::vector<std::regex> forbid_;
  int64_t max_words_, max_tokens_;
  std::vector<std::string> stops_;
};

ATTUNE_EVALUATOR(pattern, "pattern", Pattern);

}  // namespace

ATTUNE_PLUGIN(&pattern)
