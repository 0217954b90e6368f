// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "kernel/host/commands/data_of_run.h"
#include "kernel/host/services/services.h"
#include "kernel/host/services/tokenizer.h"

namespace attune {
namespace {

constexpr const char* kOpen = "⟦";
constexpr const char* kClose = "⟧";
constexpr const char* kGreen = "\x1b[1;32m";
constexpr const char* kPlain = "\x1b[0m";

/// The rendered text with what a loss covers marked.
std::string marked(const std::string& text, const std::vector<attune_span>& scored, bool color) {
  std::string made;
  size_t at = 0;
  for (const attune_span& span : scored) {
    made += text.substr(at, span.begin - at) + (color ? kGreen : kOpen) +
            text.substr(span.begin, span.end - span.begin) + (color ? kPlain : kClose);
    at = span.end;
  }
  return made + text.substr(at);
}

std::string view_name(size_t view, size_t views) {
  if (views == 2) return view == 0 ? "chosen" : "rejected";
  return "rank " + std::to_string(view + 1) + " of " + std::to_string(views);
}

void print_view(const attune_view& of, const attune_sample& sample, const Tokenizer& tokenizer,
                const std::string& what, bool color, std::ostream& out) {
  const std::span<const attune_turn> turns(of.turns, of.n_turns);
  const Rendering rendering = tokenizer.render(turns, false);
  const auto scored = scored_spans(rendering, turns, sample.n_prompt, what);
  const Encoding encoding = tokenizer.encode(rendering.text, false);
  const auto covered = std::count_if(
      encoding.offsets.begin(), encoding.offsets.end(), [&](const attune_token_offset& offset) {
        return std::any_of(scored.begin(), scored.end(), [&](const attune_span& span) {
          return offset.begin < span.end && offset.end > span.begin;
        });
      });
  out << marked(rendering.text, scored, color);
  if (!rendering.text.ends_with('\n')) out << "\n";
  out << "(" << encoding.ids.size() << " tokens, " << covered << " in marked spans)\n";
}

int inspect(const Arguments& arguments, Context& context) {
  const CheckedRun checked = load_checked(arguments, context);
  const DataOfRun data_of_run = data_of_run_in(checked, arguments);
  const Json& run = data_of_run.run;
  Services services(*checked.installation, context.console);
  const auto tokenizer = services.tokenizer(data_of_run.tokenizer);
  const std::string what = run.value("train", Json::object()).value("scored", "assistant");
  int64_t left = arguments.integer("rows", 3, 1);
  std::ostream& out = context.console.out;
  for (const Json& data : data_of_run.entries) {
    const auto source = services.samples(data);
    out << data.at("path").get<std::string>() << ": " << source->size() << " samples\n";
    for (int64_t i = 0; i < source->size() && left > 0; ++i, --left) {
      const SampleBuilder kept = source->at(i);
      const attune_sample sample = kept.c();
      for (size_t v = 0; v < sample.n_views; ++v) {
        out << "\n---- " << source->describe(i) << ", id " << view(sample.id);
        if (sample.n_views > 1) out << ", " << view_name(v, sample.n_views);
        out << "\n";
        print_view(sample.views[v], sample, *tokenizer, what, context.console.color, out);
      }
    }
  }
  return 0;
}

}  // namespace

Command data_inspect_command() {
  CommandSpec spec{"data inspect",
                   "Show samples as the model reads them, with what is scored marked",
                   "attune data inspect configs/quickstart.toml --stage dpo -n 2",
                   {{"FILE", "The manifest (TOML)"}},
                   data_options()};
  spec.options.push_back({"rows,n", "N", "Samples to show (default 3)"});
  return {spec, &inspect};
}

}  // namespace attune
