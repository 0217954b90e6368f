// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "kernel/host/trust/minisign.h"

namespace attune {

/// Whom a site trusts: the [trust] table of its configuration file.
///
///     [trust]
///     require = "signed"                  # none | signed | locked
///     [[trust.key]]
///     name = "builds 2026"
///     key = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3"
///     [[trust.revoked]]
///     id = "E7620F1842B4E81F"
///     reason = "the laptop that held it is lost"
struct Policy {
  enum class Require { kNone, kSigned, kLocked };
  struct Trusted {
    std::string name;
    PublicKey key;
  };

  Require require = Require::kNone;
  std::vector<Trusted> keys;
  std::map<std::string, std::string> revoked;  ///< key id in hex -> reason; stronger than `keys`
  std::string file;                            ///< "" where the site has no file
};

/// Throws ExitError(kTrust) naming file and key: a site that cannot be understood trusts nobody.
Policy parse_policy(std::string_view toml, const std::string& file);

/// Where a site's configuration may lie.
struct SiteFile {
  std::string path;
  bool required = false;  ///< it is an error if it is not there
};

/// The first of `files` that exists; the policy that requires nothing where none does.
Policy read_policy(const std::vector<SiteFile>& files);

}  // namespace attune
