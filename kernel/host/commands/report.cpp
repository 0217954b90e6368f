// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/commands/command.h"
#include "kernel/host/exit.h"
#include "kernel/host/run/report_page.h"
#include "kernel/host/services/files.h"

namespace attune {
namespace {

int report(const Arguments& arguments, Context& context) {
  std::vector<RunFolder> runs;
  for (const std::string& path : arguments.all("RUN")) {
    for (RunFolder& run : runs_below(path)) runs.push_back(std::move(run));
  }
  if (runs.empty()) throw ExitError(Exit::kUsage, "no run found there");
  const std::string file = arguments.text("out", "report.html");
  const std::string page = report_html(runs);
  write_atomically(file, page);
  context.console.out << file << ": " << runs.size() << (runs.size() == 1 ? " run, " : " runs, ")
                      << (page.size() + 999) / 1000 << " kB\n";
  return 0;
}

}  // namespace

Command report_command() {
  return {{"report",
           "One page on runs, to look at in a browser: curves, differences, results, answers",
           "attune report runs/quickstart --out report.html",
           {{"RUN...", "Folders of runs; of a pipeline all its stages"}},
           {{"out", "FILE", "The page (default: report.html)"}}},
          &report};
}

}  // namespace attune
