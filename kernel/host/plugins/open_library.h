// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/dll/shared_library.hpp>
#include <string>
#include <system_error>

namespace attune {

/// Opens `file`, all of it now and for itself alone. On failure `error` is set, and `why` has the
/// loader's words with the name `shown` for the file.
boost::dll::shared_library open_library(const std::string& file, const std::string& shown,
                                        std::error_code& error, std::string& why);

}  // namespace attune
