// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/plugins/open_library.h"

#include <string_view>

namespace attune {

namespace dll = boost::dll;

dll::shared_library open_library(const std::string& file, const std::string& shown,
                                 std::error_code& error, std::string& why) {
  dll::shared_library library;
  try {
    library.load(file, dll::load_mode::rtld_now | dll::load_mode::rtld_local);
  } catch (const std::system_error& failed) {
    error = failed.code();
    // Boost wraps the loader's own words, which alone say what is missing, in others.
    why = failed.what();
    constexpr std::string_view kBefore = "(dlerror system message: ";
    if (const size_t begin = why.find(kBefore); begin != why.npos) {
      why = why.substr(begin + kBefore.size(), why.rfind(')') - begin - kBefore.size());
    }
    if (const size_t at = why.find(file); at != why.npos) why.replace(at, file.size(), shown);
  }
  return library;
}

}  // namespace attune
