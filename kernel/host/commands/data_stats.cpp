// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/commands/data_of_run.h"
#include "kernel/host/run/data_statistics.h"
#include "kernel/host/services/files.h"
#include "kernel/host/services/services.h"

namespace attune {
namespace {

std::string title_of(const Json& entry, const Json& statistics, size_t dropped) {
  std::string shapes;
  for (const auto& [shape, count] : statistics.at("shapes").items()) {
    shapes += (shapes.empty() ? "" : ", ") + count.dump() + " " + shape;
  }
  return entry.at("path").get<std::string>() + " (" + entry.at("use").get<std::string>() +
         "): " + shapes + (dropped ? "; " + std::to_string(dropped) + " rows dropped" : "");
}

int stats(const Arguments& arguments, Context& context) {
  const CheckedRun checked = load_checked(arguments, context);
  const DataOfRun data = data_of_run_in(checked, arguments);
  Services services(*checked.installation, context.console);
  const auto tokenizer = services.tokenizer(data.tokenizer);
  const Json train = data.run.value("train", Json::object());
  const int64_t max_length = train.value("max_length", int64_t(0)),
                rows = arguments.integer("rows", INT64_MAX, 1);
  std::vector<std::unique_ptr<SampleSource>> sources;
  for (const Json& entry : data.entries) sources.push_back(services.samples(entry));

  Json entries = Json::array();
  DataStatistics all(*tokenizer, max_length, train.value("scored", "assistant"));
  for (size_t i = 0; i < sources.size(); ++i) {
    DataStatistics own(*tokenizer, max_length, train.value("scored", "assistant"));
    const int64_t n = std::min(rows, sources[i]->size());
    for (int64_t k = 0; k < n; ++k) {
      const SampleBuilder sample = sources[i]->at(k);
      own.add(sample.c());
      if (sources.size() > 1) all.add(sample.c());
      if (k % 256 == 255 || k + 1 == n) services.progress("stats", k + 1, n);
    }
    size_t dropped = 0;
    for (const Json& note : services.notes().value("dropped", Json::array())) {
      if (note.at("path") == data.entries[i].at("path")) dropped = note.at("rows").size();
    }
    const Json statistics = own.json();
    entries.push_back({{"title", title_of(data.entries[i], statistics, dropped)},
                       {"path", data.entries[i].at("path")},
                       {"dropped", dropped},
                       {"statistics", statistics}});
  }
  if (sources.size() > 1)
    entries.push_back({{"title", "all " + std::to_string(sources.size()) + " entries"},
                       {"statistics", all.json()}});

  if (const auto file = arguments.text("html"))
    write_atomically(*file, statistics_html(entries, max_length));
  if (arguments.flag("json")) {
    context.console.out << entries.dump(2, ' ', false, Json::error_handler_t::replace) << "\n";
    return 0;
  }
  for (const Json& entry : entries) {
    context.console.out << entry.at("title").get<std::string>() << "\n"
                        << statistics_text(entry.at("statistics"), max_length) << "\n";
  }
  return 0;
}

}  // namespace

Command data_stats_command() {
  CommandSpec spec{
      "data stats",
      "Lengths, truncation, scored share, duplicates and disagreeing labels of a run's data",
      "attune data stats configs/quickstart.toml --stage dpo --html data.html",
      {{"FILE", "The manifest (TOML)"}},
      data_options()};
  spec.options.push_back(
      {"rows,n", "N", "Samples to read of each entry, from the first (default: all)"});
  spec.options.push_back({"html", "FILE", "Write a page with histograms too"});
  spec.options.push_back({"json", "", "Print JSON"});
  return {spec, &stats};
}

}  // namespace attune
