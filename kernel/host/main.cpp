// SPDX-License-Identifier: Apache-2.0
// The only place that reads the environment, catches signals, prints errors and chooses the exit
// code.
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <iostream>
#include <optional>
#include <string>
#include <vector>

#include "kernel/host/commands/command.h"
#include "kernel/host/exit.h"

namespace {

using attune::Exit;

std::atomic<int> stop_signal = 0;

/// A signal asks the run to stop at a good place. A second SIGINT ends the process: a person asks
/// again who cannot wait; a scheduler may repeat itself, and has SIGKILL.
extern "C" void on_signal(int number) {
  stop_signal.store(number);
  if (number == SIGINT) ::signal(number, SIG_DFL);
}

std::string variable(const char* name) {
  const char* const value = std::getenv(name);
  return value ? value : "";
}

/// A process with more rights than its caller takes no folders of code from the caller.
bool privileged() { return ::geteuid() != ::getuid() || ::getegid() != ::getgid(); }

/// A folder of the user's, as the XDG base directories name it.
std::string user_folder(const char* name, const char* otherwise) {
  if (privileged()) return "";
  if (const std::string given = variable(name); !given.empty()) return given;
  const std::string home = variable("HOME");
  return home.empty() ? "" : home + otherwise;
}

/// The administrator's file comes first: nobody else's then counts.
std::vector<attune::SiteFile> site_files(const std::filesystem::path& executable) {
  const auto prefix = executable.parent_path().parent_path();
  std::vector<attune::SiteFile> files = {{"/etc/attune/site.toml"},
                                         {(prefix / "etc/attune/site.toml").string()}};
  if (privileged()) return files;
  if (const std::string named = variable("ATTUNE_SITE"); !named.empty())
    files.push_back({named, /*required=*/true});
  if (const std::string config = user_folder("XDG_CONFIG_HOME", "/.config"); !config.empty())
    files.push_back({config + "/attune/site.toml"});
  return files;
}

std::string typed(int argc, char** argv) {
  std::string text;
  for (int i = 0; i < argc; ++i) {
    const std::string word = argv[i];
    const bool plain = !word.empty() && word.find_first_of(" \t\n'\"$&|;<>()*?[]{}\\") == word.npos;
    std::string quoted = "'";
    for (const char c : word) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
    text += (i ? " " : "") + (plain ? word : quoted + "'");
  }
  return text;
}

int report(const std::string& what, Exit exit) {
  std::cerr << "error: " << what << std::endl;
  return static_cast<int>(exit);
}

int run(int argc, char** argv) {
  attune::Console console{std::cin, std::cout, std::cerr};
  console.out_is_terminal = ::isatty(STDOUT_FILENO) == 1;
  console.err_is_terminal = ::isatty(STDERR_FILENO) == 1 && variable("TERM") != "dumb";
  console.color = console.out_is_terminal && variable("NO_COLOR").empty();
  console.signal = &stop_signal;

  std::error_code unknown;
  const auto executable = std::filesystem::read_symlink("/proc/self/exe", unknown);
  attune::Context context{
      .console = console,
      .surroundings = {.executable = unknown ? argv[0] : executable.string(),
                       .plugin_path = privileged() ? "" : variable("ATTUNE_PLUGIN_PATH"),
                       .data_home = user_folder("XDG_DATA_HOME", "/.local/share"),
                       .cache_home = user_folder("XDG_CACHE_HOME", "/.cache"),
                       .command_line = typed(argc, argv),
                       .site_files = site_files(unknown ? argv[0] : executable)},
      .environment = [](const std::string& name) -> std::optional<std::string> {
        const char* const value = std::getenv(name.c_str());
        return value ? std::optional<std::string>(value) : std::nullopt;
      }};
  const int code = attune::dispatch(std::vector<std::string>(argv + 1, argv + argc), context);
  if (!std::cout.flush())
    return report("standard output cannot be written; is its disk full or its reader gone?",
                  Exit::kRunFailed);
  return code;
}

}  // namespace

int main(int argc, char** argv) {
  // Threads that wait give way soon: beside another busy process, spinning ones make small runs forty times slower.
  setenv("GOMP_SPINCOUNT", "20000", /*overwrite=*/0);
  for (const int number : {SIGINT, SIGTERM, SIGUSR1}) ::signal(number, &on_signal);
  std::ios::sync_with_stdio(false);
  try {
    return run(argc, argv);
  } catch (const attune::ManifestError& error) {
    for (const attune::Diagnostic& diagnostic : error.diagnostics())
      std::cerr << attune::format(diagnostic) << "\n";
    const size_t count = error.diagnostics().size();
    std::cerr << count << (count == 1 ? " error" : " errors") << std::endl;
    return static_cast<int>(error.exit());
  } catch (const attune::ExitError& error) {
    return report(error.what(), error.exit());
  } catch (const std::bad_alloc&) {
    return report("out of memory; use a smaller tokens_per_batch or batch", Exit::kRunFailed);
  } catch (const std::exception& error) {
    return report(error.what(), Exit::kRunFailed);
  }
}
