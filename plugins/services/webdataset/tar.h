// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace attune {

/// A file in an archive; the views end with the archive.
struct TarMember {
  std::string name;
  std::string_view data;
};

/// Calls `use` for each regular file of a tar archive (POSIX ustar and pax, GNU). Throws Error with
/// the offset and without the archive's name: a damaged or truncated archive, a link, a sparse
/// file.
void each_member(std::string_view archive, const std::function<void(TarMember)>& use);

}  // namespace attune
