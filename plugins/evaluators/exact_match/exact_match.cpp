// SPDX-License-Identifier: Apache-2.0
// Is the answer the expected one? The references are the label `answer` (a text, a number, or a
// list of accepted ones), or else the last assistant turn:
//   prompt "What is 6 * 7?", labels {"answer": ["42", "forty-two"]}
// lowercase, strip_punctuation, strip_articles and collapse_whitespace together are the
// normalisation of SQuAD's official scorer (Rajpurkar et al., 2016; evaluate-v1.1.py: lower, remove
// punctuation, articles to a space, single spaces).
#include <cctype>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <regex>
#include <string>
#include <string_view>
#include <vector>

#include "attune/evaluator.h"

namespace {

using namespace attune;

constexpr std::string_view kSpace = " \t\r\n\v\f";

std::string_view stripped(std::string_view text) {
  const size_t begin = text.find_first_not_of(kSpace);
  return begin == text.npos ? std::string_view()
                            : text.substr(begin, text.find_last_not_of(kSpace) - begin + 1);
}

/// Bytes of letters beyond ASCII count as letters.
bool in_word(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte >= 0x80 || c == '_' || std::isalnum(byte);
}

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

std::string without_articles(std::string_view text) {
  std::string made;
  for (size_t begin = 0; begin < text.size();) {
    size_t end = begin + 1;
    while (in_word(text[begin]) && end < text.size() && in_word(text[end])) ++end;
    std::string word(text.substr(begin, end - begin));
    for (char& c : word) c = lower(c);
    const bool article = word == "a" || word == "an" || word == "the";
    made.append(article ? std::string_view(" ") : text.substr(begin, end - begin));
    begin = end;
  }
  return made;
}

std::string collapsed(std::string_view text) {
  std::string made;
  for (const char c : text) {
    const bool space = kSpace.find(c) != kSpace.npos;
    if (!space || (!made.empty() && made.back() != ' ')) made += space ? ' ' : c;
  }
  return made;
}

/// The number that a text is, if it is one and nothing else.
std::optional<double> number(std::string_view text) {
  std::string digits;
  text = stripped(text);
  if (text.ends_with('.')) text.remove_suffix(1);
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  if (text.starts_with('$')) text.remove_prefix(1);
  if (text.empty() || (text.front() != '.' && !std::isdigit(static_cast<unsigned char>(text[0])))) {
    return std::nullopt;
  }
  for (const char c : text) {
    if (c != ',') digits += c;
  }
  if (digits.find_first_not_of("0123456789.eE+-") != digits.npos) return std::nullopt;
  char* end = nullptr;
  const double value = std::strtod(digits.c_str(), &end);
  if (end != digits.c_str() + digits.size() || !std::isfinite(value)) return std::nullopt;
  return negative ? -value : value;
}

/// Rationale: libstdc++ matches by backtracking unless told otherwise, and then a long answer
/// overflows the stack.
#ifdef __GLIBCXX__
constexpr auto kSyntax = std::regex::ECMAScript | std::regex_constants::__polynomial;
#else
constexpr auto kSyntax = std::regex::ECMAScript;
#endif

/// The option `name` as an expression with one group; nothing where it is empty.
std::optional<std::regex> expression(const Value& option) {
  const std::string source(option.text(""));
  if (source.empty()) return std::nullopt;
  // libstdc++ reads an expression by recursion.
  if (source.size() > 4096) {
    throw Error("`" + option.path() + "`: expected at most 4096 bytes, found " +
                std::to_string(source.size()));
  }
  const auto refuse = [&](const std::string& why) {
    throw Error("`" + option.path() + "` = \"" + source + "\": " + why);
  };
  std::regex made;
  try {
    made.assign(source, kSyntax);
  } catch (const std::regex_error& error) {
    refuse(std::string("expected an ECMAScript regular expression; ") + error.what());
  }
  if (made.mark_count() != 1) {
    refuse("expected one group (...) around the result, found " +
           std::to_string(made.mark_count()) + "; write (?:...) for a group that only groups");
  }
  return made;
}

/// The group of the last match; nothing where there is none.
std::optional<std::string> extracted(const std::string& text, const std::regex& pattern) {
  std::optional<std::string> found;
  for (std::sregex_iterator at(text.begin(), text.end(), pattern), end; at != end; ++at) {
    found = (*at)[1].str();
  }
  return found;
}

class ExactMatch {
 public:
  explicit ExactMatch(Value options)
      : max_tokens_(options["max_tokens"].integer(64)),
        extract_(expression(options["extract"])),
        extract_reference_(expression(options["extract_reference"])),
        numeric_(options["numeric"].boolean(false)),
        lowercase_(options["lowercase"].boolean(false)),
        punctuation_(options["strip_punctuation"].boolean(false)),
        articles_(options["strip_articles"].boolean(false)),
        whitespace_(options["collapse_whitespace"].boolean(false)) {
    for (size_t i = 0; i < options["stop"].size(); ++i)
      stops_.emplace_back(options["stop"][i].text());
  }

  void request(const attune_sample& sample, const RequestSink& emit) const {
    references(sample);  // A sample that nothing can be compared with costs no generation.
    std::vector<attune_str> stops;
    for (const std::string& stop : stops_) stops.push_back(str(stop));
    auto made = make_request(ATTUNE_REQUEST_GENERATE, sample.views[0].turns, prompt_size(sample));
    made.max_tokens = max_tokens_;
    made.stops = stops.data();
    made.n_stops = stops.size();
    emit(made);
  }

  Metrics score(const attune_sample& sample, const Answers& answers) const {
    if (answers.size() != 1) {
      throw Error("expected 1 answer, found " + std::to_string(answers.size()), ATTUNE_E_INTERNAL);
    }
    std::optional<std::string> answer = string(answers[0]->text);
    if (extract_) answer = extracted(*answer, *extract_);
    bool matches = false;
    for (const std::string& reference : references(sample)) {
      matches = matches || (answer && equal(*answer, reference));
    }
    return {{"exact_match", matches ? 1.0 : 0.0}};
  }

 private:
  /// Everything before the last assistant turn; all turns where the sample is a prompt alone.
  static size_t prompt_size(const attune_sample& sample) {
    if (sample.n_views == 0) throw Error("the sample has no view: nothing to ask");
    const attune_view& asked = sample.views[0];
    const bool answered =
        asked.n_turns > sample.n_prompt && view(asked.turns[asked.n_turns - 1].role) == "assistant";
    const size_t n = answered ? asked.n_turns - 1 : asked.n_turns;
    if (n == 0) throw Error("the sample has no prompt: nothing to ask");
    return n;
  }

  std::vector<std::string> references(const attune_sample& sample) const {
    std::vector<std::string> found;
    const size_t n_prompt = prompt_size(sample);
    const bool has_labels = sample.size >= ATTUNE_END(attune_sample, labels);
    const Value labels(has_labels ? sample.labels : nullptr, "labels");
    const Value label = labels["answer"];
    if (label.is_list()) {
      for (size_t i = 0; i < label.size(); ++i) found.push_back(reference(label[i]));
    } else if (label) {
      found.push_back(reference(label));
    } else if (n_prompt < sample.views[0].n_turns) {
      found.push_back(text_of(sample.views[0].turns[n_prompt], "exact_match"));
    }
    if (found.empty()) {
      throw Error(
          "nothing to compare with: expected a label `answer` or an assistant turn; with the "
          "dataset "
          "`columns` write labels = { answer = \"column\" }");
    }
    if (extract_reference_) {
      for (std::string& text : found) text = result_in(text);
    }
    return found;
  }

  static std::string reference(const Value& value) {
    if (value.is_integer()) return std::to_string(value.integer());
    if (!value.is_number()) return std::string(value.text());
    char text[32];
    std::snprintf(text, sizeof text, "%.15g", value.number());
    return text;
  }

  std::string result_in(const std::string& text) const {
    if (auto result = extracted(text, *extract_reference_)) return *result;
    throw Error("`extract_reference` finds no result in the reference \"" + text + "\"");
  }

  bool equal(const std::string& answer, const std::string& reference) const {
    if (numeric_) {
      const auto a = number(answer), b = number(reference);
      if (a && b) return *a == *b;
    }
    return normalised(answer) == normalised(reference);
  }

  std::string normalised(std::string text) const {
    if (lowercase_) {
      for (char& c : text) c = lower(c);
    }
    if (punctuation_) {
      std::erase_if(text, [](unsigned char c) { return c < 0x80 && std::ispunct(c); });
    }
    if (articles_) text = without_articles(text);
    if (whitespace_) text = collapsed(text);
    return std::string(stripped(text));
  }

  int64_t max_tokens_;
  std::vector<std::string> stops_;
  std::optional<std::regex> extract_, extract_reference_;
  bool numeric_, lowercase_, punctuation_, articles_, whitespace_;
};

ATTUNE_EVALUATOR(exact_match, "exact_match", ExactMatch);

}  // namespace

ATTUNE_PLUGIN(&exact_match)
