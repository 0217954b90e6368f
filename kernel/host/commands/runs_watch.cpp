// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "kernel/host/commands/command.h"
#include "kernel/host/exit.h"
#include "kernel/host/run/live_view.h"
#include "kernel/host/services/clock.h"
#include "kernel/host/services/terminal.h"

namespace attune {
namespace {

constexpr auto kRedraw = std::chrono::milliseconds(500);
constexpr size_t kLeast = 40, kNoHeight = 1000;

/// Whether the locale says UTF-8.
bool speaks_utf8(const Environment& environment) {
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    std::string value = environment(name).value_or("");
    if (value.empty()) continue;
    std::transform(value.begin(), value.end(), value.begin(),
                   [](unsigned char c) { return std::tolower(c); });
    return value.find("utf-8") != value.npos || value.find("utf8") != value.npos;
  }
  return false;
}

ScreenStyle style_of(const Arguments& arguments, const Context& context) {
  const std::string color = arguments.text("color", "auto");
  if (color == "never") return {.unicode = false, .color = false};
  if (color == "always") return {.unicode = speaks_utf8(context.environment), .color = true};
  if (color != "auto")
    throw ExitError(Exit::kUsage,
                    "--color: expected auto, always or never, found \"" + color + "\"");
  return {.unicode = speaks_utf8(context.environment), .color = context.console.color};
}

void print(std::ostream& out, const std::vector<std::string>& lines) {
  for (const std::string& line : lines) out << line << "\n";
}

int watch(const Arguments& arguments, Context& context) {
  const ScreenStyle style = style_of(arguments, context);
  const int64_t width = arguments.integer("width", 0, kLeast);
  const bool dumb = context.environment("TERM").value_or("dumb") == "dumb";
  LiveView view(*arguments.text("RUN"));
  Console& console = context.console;
  if (arguments.flag("once") || !console.out_is_terminal || dumb) {
    print(console.out, view.frame(width > 0 ? size_t(width) : 80, kNoHeight, style, unix_now()));
    return 0;
  }
  Terminal::Size size;
  {
    Terminal terminal(console.out);
    for (char key = 0; key != 'q' && key != 'Q' && console.stop_requested() == 0;
         key = terminal.wait(kRedraw)) {
      view.refresh();
      size = terminal.size();
      if (width > 0) size.columns = std::min(size.columns, size_t(width));
      terminal.draw(view.frame(size.columns, size.rows, style, unix_now()));
    }
  }
  print(console.out,
        view.frame(size.columns, size.rows, style, unix_now()));  // What was last seen stays.
  return 0;
}

}  // namespace

Command runs_watch_command() {
  return {
      {"runs watch",
       "A live view of a run or pipeline, begun or not: progress, curves, newest answers and log",
       "attune runs watch runs/quickstart     (q leaves; the run goes on)",
       {{"RUN", "Folder of a run; it may begin later"}},
       {{"once", "", "Print one picture; so too where standard output is no terminal"},
        {"width", "COLUMNS", "At most so wide (at least 40; default: the terminal, else 80)"},
        {"color", "WHEN", "auto, always, or never: no colour and plain ASCII"}}},
      &watch};
}

}  // namespace attune
