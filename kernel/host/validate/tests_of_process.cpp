// SPDX-License-Identifier: Apache-2.0
// What plugins share with the process, and leave as it is.
#include <cmath>

#include "kernel/host/validate/child.h"
#include "kernel/host/validate/tests.h"
#include "kernel/host/validate/world.h"

namespace attune::validate {
namespace {

/// The life of a plugin: opened, used in every way that is known, taken down.
void live(const Subject& subject) {
  Stage stage(subject);
  for (const auto& inputs : {subject.kind.good(subject), subject.kind.bad(subject)}) {
    for (const Input& input : inputs) use_fresh(subject, stage, input);
  }
  stage.specimen.deinit();
}

std::pair<World, World> worlds(const Subject& subject) {
  const World before = World::now(subject.scratch);
  live(subject);
  return {before, World::now(subject.scratch)};
}

template <typename Member>
std::function<void(const Subject&)> unchanged(Member World::* member, const std::string& what, const std::string& cure) {
  return [=](const Subject& subject) {
    const auto [before, after] = worlds(subject);
    if (before.*member == after.*member) return;
    std::string found;
    if constexpr (std::is_same_v<Member, std::vector<std::string>>) {
      found = difference(before.*member, after.*member);
    } else if constexpr (std::is_same_v<Member, std::string>) {
      found = after.*member + ", before it was " + before.*member;
    } else {
      found = std::to_string(after.*member) + ", before there were " + std::to_string(before.*member);
    }
    throw Failed(what + ": found " + found + "; " + cure);
  };
}

void denormals(const Subject& subject) {
  const auto [before, after] = worlds(subject);
  if (before.floating_point != after.floating_point)
    throw Failed("the floating-point mode: found " + after.floating_point + ", before it was " + before.floating_point +
                 "; set it back before the call returns");
  volatile double tiny = 5e-324;
  if (tiny * 1.0 == 0) throw Failed("denormal numbers are flushed to zero");
}

}  // namespace

std::vector<Test> tests_of_process() {
  return {{"output", "Nothing is written to standard output or error",
           unchanged(&World::output, "bytes of output", "use the service attune.log/1")},
          {"files", "No file is left in the working directory, HOME or TMPDIR",
           unchanged(&World::files, "files", "write where options say, and nowhere else")},
          {"locale", "The locale stays as it is", unchanged(&World::locale, "the locale", "use functions that do not ask it")},
          {"floating-point", "Rounding and denormal numbers stay as they are", denormals},
          {"signals", "Signal handlers and masks stay as they are", unchanged(&World::signals, "signals", "leave them to the host")},
          {"working-directory", "The working directory stays where it is",
           unchanged(&World::working_directory, "the working directory", "use whole paths")},
          {"environment", "Environment variables stay as they are",
           unchanged(&World::environment, "the environment", "pass values as options")},
          {"umask", "The file mode mask stays as it is", unchanged(&World::umask, "the umask", "leave it to the host")},
          {"threads-left", "No thread is left when all instances are destroyed",
           unchanged(&World::threads, "threads", "join them in `destroy`")},
          {"open-files", "No file is left open when all instances are destroyed",
           unchanged(&World::descriptors, "open files", "close them in `destroy`")}};
}

}  // namespace attune::validate
