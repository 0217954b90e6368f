// SPDX-License-Identifier: Apache-2.0
// --set path=value: one value of the manifest, from the command line.
#include <algorithm>
#include <cctype>

#include "kernel/host/manifest/toml_text.h"
#include "kernel/host/manifest/written.h"

namespace attune::manifest {
namespace {

constexpr std::string_view kName = "v = ";

// One step of a path: a name, or an index of a list.
struct Step {
  std::string name;
  size_t index = 0;
  bool is_index = false;
  Place place;
};

bool is_bare(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '-'; }

class PathReader {
 public:
  PathReader(const std::string& text, const SourceText& source) : text_(text), source_(source) {}

  // Empty where the text does not start with a path and "=".
  std::vector<Step> read() {
    std::vector<Step> steps;
    do {
      Step name = read_name();
      if (name.name.empty()) return {};
      steps.push_back(std::move(name));
      while (at_ < text_.size() && text_[at_] == '[') {
        const auto index = read_index();
        if (!index) return {};
        steps.push_back(*index);
      }
    } while (take('.'));
    skip_space();
    return take('=') ? steps : std::vector<Step>();
  }

  size_t end() const { return at_; }

 private:
  bool take(char c) {
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  void skip_space() {
    while (at_ < text_.size() && text_[at_] == ' ') ++at_;
  }

  Place place(size_t begin) const {
    return {&source_, 1, static_cast<int>(begin) + 1, static_cast<int>(at_ - begin)};
  }

  Step read_name() {
    const size_t begin = at_;
    Step step;
    if (take('"')) {
      const size_t end = text_.find('"', at_);
      if (end == text_.npos) return {};
      step.name = text_.substr(at_, end - at_);
      at_ = end + 1;
    } else {
      while (at_ < text_.size() && is_bare(text_[at_])) ++at_;
      step.name = text_.substr(begin, at_ - begin);
    }
    step.place = place(begin);
    return step;
  }

  std::optional<Step> read_index() {
    const size_t begin = at_++;
    Step step{.is_index = true};
    while (at_ < text_.size() && std::isdigit(static_cast<unsigned char>(text_[at_]))) {
      step.index = step.index * 10 + static_cast<size_t>(text_[at_++] - '0');
    }
    if (at_ - begin < 2 || at_ - begin > 7 || !take(']')) return std::nullopt;
    step.place = place(begin);
    return step;
  }

  const std::string& text_;
  const SourceText& source_;
  size_t at_ = 0;
};

std::optional<Node> read_value(const std::string& text, size_t begin, const SourceText& source,
                               Report& report) {
  const std::string value = text.substr(begin);
  const Place whole{&source, 1, static_cast<int>(begin) + 1, static_cast<int>(value.size())};
  try {
    Node table = parse_toml(std::string(kName) + value, &source,
                            static_cast<int>(begin) - static_cast<int>(kName.size()));
    if (table.members.size() == 1) return std::move(table.members[0].value);
    report.add(whole, {"--set takes one value", "this is more than one", ""});
  } catch (const SyntaxError& error) {
    report.add(whole, {"the value is not TOML", value.empty() ? "nothing after the =" : error.what,
                       "a string needs quotes, and the shell too: --set '" + text.substr(0, begin) +
                           "\"" + (value.find('"') == value.npos ? value : "...") + "\"'"});
  }
  return std::nullopt;
}

void report_not_inside(const Step& step, const Node& node, Report& report) {
  if (!step.is_index || !node.is_list()) {
    report.add(step.place, {"nothing to set here",
                            std::string(describe(node.type)) +
                                (step.is_index ? " has no [index]" : " has no keys"),
                            node.is_list() ? "name the entry: [0] is the first" : ""});
    return;
  }
  const auto size = std::to_string(node.items.size());
  report.add(step.place, {"no such entry", "the list has " + size, "[0] is the first"});
}

// The value at a step, made where a table has no such key yet; null after a mistake.
Node* descend(Node& node, const Step& step, Report& report) {
  if (step.is_index && node.is_list() && step.index < node.items.size()) {
    return &node.items[step.index];
  }
  if (step.is_index || !node.is_table()) {
    report_not_inside(step, node, report);
    return nullptr;
  }
  if (Member* member = node.find(step.name)) return &member->value;
  Node made;
  made.place = step.place;
  return &node.put(step.name, step.place, std::move(made)).value;
}

}  // namespace

void apply_set(const std::string& argument, Written& written, Report& report) {
  std::string line = argument;
  std::ranges::replace_if(
      line, [](char c) { return std::iscntrl(static_cast<unsigned char>(c)); }, ' ');
  const auto order = static_cast<int>(written.texts.size());
  const SourceText& source = written.texts.emplace_back(
      SourceText{"--set " + line, std::filesystem::current_path(), {line}, order, false});
  PathReader reader(argument, source);
  const auto steps = reader.read();
  if (steps.empty()) {
    report.add({&source, 1, 1, static_cast<int>(argument.size())},
               {"--set takes PATH=VALUE", "this is not of that form",
                "for example --set train.steps=50 or --set 'data.train[0].path=\"x.jsonl\"'"});
    return;
  }
  if (steps[0].name == "schema" || steps[0].name == "include") {
    report.add(steps[0].place, {"`" + steps[0].name + "` cannot be set from the command line",
                                "it is read before", "write it in the file"});
    return;
  }
  auto value = read_value(argument, reader.end(), source, report);
  if (!value) return;
  Node* node = &written.root;
  for (size_t i = 0; i + 1 < steps.size(); ++i) {
    node = descend(*node, steps[i], report);
    if (!node) return;
  }
  const Step& last = steps.back();
  if (!last.is_index && node->is_table() && !node->find(last.name)) {
    node->put(last.name, last.place, std::move(*value));
    return;
  }
  Node* replaced = descend(*node, last, report);
  if (!replaced) return;
  if (!last.is_index) node->find(last.name)->key = last.place;
  merge(*replaced, std::move(*value));
}

}  // namespace attune::manifest
