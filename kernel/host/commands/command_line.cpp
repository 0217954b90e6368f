// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/commands/command_line.h"

#include <algorithm>
#include <boost/program_options.hpp>
#include <charconv>
#include <cmath>

#include "kernel/host/exit.h"
#include "kernel/host/manifest/nearest.h"

namespace attune {
namespace {

namespace po = boost::program_options;

[[noreturn]] void refuse(const std::string& command, const std::string& what) {
  throw ExitError(Exit::kUsage, what + "\nSee: attune " + command + " --help");
}

std::string long_name(const OptionSpec& option) {
  return option.name.substr(0, option.name.find(','));
}

bool optional(const PositionalSpec& spec) { return spec.name.starts_with("["); }

bool repeats(const PositionalSpec& spec) { return spec.name.find("...") != spec.name.npos; }

/// "[PROMPT]" -> "PROMPT", "RUN..." -> "RUN".
std::string plain_name(const PositionalSpec& spec) {
  std::string name = optional(spec) ? spec.name.substr(1, spec.name.size() - 2) : spec.name;
  return repeats(spec) ? name.substr(0, name.find("...")) : name;
}

std::string option_words(const OptionSpec& option) {
  const size_t comma = option.name.find(',');
  std::string words = "--" + long_name(option);
  if (comma != option.name.npos) words = "-" + option.name.substr(comma + 1) + ", " + words;
  return option.argument.empty() ? words : words + " " + option.argument;
}

std::string suggestion(const CommandSpec& spec, std::string word) {
  word.erase(0, word.find_first_not_of('-'));
  word = word.substr(0, word.find('='));
  std::vector<std::string> known{"help"};
  for (const OptionSpec& option : spec.options) known.push_back(long_name(option));
  const std::string near = nearest(word, known);
  return near.empty() ? "" : "; did you mean --" + near + "?";
}

po::options_description declare(const CommandSpec& spec) {
  po::options_description options;
  options.add_options()("help,h", "");
  for (const OptionSpec& option : spec.options) {
    if (option.argument.empty()) {
      options.add_options()(option.name.c_str(), "");
    } else {
      options.add_options()(option.name.c_str(), po::value<std::vector<std::string>>(), "");
    }
  }
  return options;
}

std::string row(const std::string& left, const std::string& right, size_t width) {
  const size_t space = left.size() < width ? width - left.size() : 1;
  return "  " + left + std::string(space, ' ') + "  " + right + "\n";
}

}  // namespace

std::optional<std::string> Arguments::text(const std::string& name) const {
  const auto found = values_.find(name);
  if (found == values_.end() || found->second.empty()) return std::nullopt;
  return found->second.back();
}

std::vector<std::string> Arguments::all(const std::string& name) const {
  const auto found = values_.find(name);
  return found == values_.end() ? std::vector<std::string>() : found->second;
}

int64_t Arguments::integer(const std::string& name, int64_t otherwise, int64_t least) const {
  const auto given = text(name);
  if (!given) return otherwise;
  int64_t value = 0;
  const auto [end, error] = std::from_chars(given->data(), given->data() + given->size(), value);
  if (error != std::errc() || end != given->data() + given->size() || value < least) {
    throw ExitError(Exit::kUsage, "--" + name + ": expected an integer of at least " +
                                      std::to_string(least) + ", found \"" + *given + "\"");
  }
  return value;
}

double Arguments::number(const std::string& name, double otherwise) const {
  const auto given = text(name);
  if (!given) return otherwise;
  double value = 0;
  const auto [end, error] = std::from_chars(given->data(), given->data() + given->size(), value);
  if (error != std::errc() || end != given->data() + given->size() || !std::isfinite(value) ||
      value < 0) {
    throw ExitError(Exit::kUsage,
                    "--" + name + ": expected a number of at least 0, found \"" + *given + "\"");
  }
  return value;
}

Arguments parse_arguments(const CommandSpec& spec, const std::vector<std::string>& words) {
  namespace style = po::command_line_style;
  const po::options_description options = declare(spec);
  po::parsed_options parsed(&options);
  try {
    parsed = po::command_line_parser(words)
                 .options(options)
                 .style(style::unix_style & ~style::allow_guessing & ~style::allow_sticky)
                 .run();
  } catch (const po::unknown_option& error) {
    refuse(spec.name,
           "unknown option " + error.get_option_name() + suggestion(spec, error.get_option_name()));
  } catch (const po::error& error) {
    refuse(spec.name, error.what());
  }

  Arguments made;
  std::vector<std::string> positional;
  for (const po::option& option : parsed.options) {
    if (option.position_key >= 0) {
      positional.insert(positional.end(), option.value.begin(), option.value.end());
      continue;
    }
    auto& values = made.values_[option.string_key];
    values.insert(values.end(), option.value.begin(), option.value.end());
  }
  made.help = made.values_.contains("help");
  if (made.help) return made;

  for (const OptionSpec& option : spec.options) {
    if (!option.repeats && made.all(long_name(option)).size() > 1) {
      refuse(spec.name, "--" + long_name(option) + " is given twice");
    }
  }
  for (size_t i = 0; i < spec.positional.size(); ++i) {
    if (i < positional.size()) {
      auto& values = made.values_[plain_name(spec.positional[i])];
      values = {positional[i]};
      if (repeats(spec.positional[i])) {
        values.assign(positional.begin() + static_cast<std::ptrdiff_t>(i), positional.end());
        positional.resize(i + 1);
      }
    } else if (!optional(spec.positional[i])) {
      refuse(spec.name, "missing " + spec.positional[i].name + ": " + spec.positional[i].help);
    }
  }
  if (positional.size() > spec.positional.size()) {
    refuse(spec.name, "unexpected argument \"" + positional[spec.positional.size()] + "\"");
  }
  return made;
}

std::string help_text(const CommandSpec& spec) {
  std::string usage = "Usage: attune " + spec.name;
  size_t width = 12;
  for (const PositionalSpec& word : spec.positional) {
    usage += " " + word.name;
    width = std::max(width, plain_name(word).size());
  }
  for (const OptionSpec& option : spec.options)
    width = std::max(width, option_words(option).size());
  std::string text = usage + " [options]\n\n" + spec.summary + "\n\n";
  for (const PositionalSpec& word : spec.positional)
    text += row(plain_name(word), word.help, width);
  if (!spec.positional.empty()) text += "\n";
  for (const OptionSpec& option : spec.options) {
    text += row(option_words(option), option.help + (option.repeats ? " (may be repeated)" : ""),
                width);
  }
  text += row("-h, --help", "Show this text", width);
  return text + "\nExample:\n  " + spec.example + "\n";
}

}  // namespace attune
