// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "kernel/host/plugins/refusal.h"
#include "kernel/host/plugins/sealed_file.h"
#include "kernel/host/trust/policy.h"

namespace attune {

/// Decides by its bytes whether code may be loaded:
///   T-01  it is signed: FILE.minisig lies beside it
///   T-02  that is a signature in minisign's format
///   T-03  by a key that the site trusts
///   T-04  and has not revoked
///   T-05  over these bytes
///   T-06  the lock pins it
class Gate {
 public:
  /// SHA-256 -> what it is, of all code that a lock pins.
  using Pinned = std::map<std::string, std::string>;

  /// Lets everything in.
  Gate() = default;
  /// `lock`: what may be loaded under --locked.
  explicit Gate(Policy policy, std::optional<Pinned> lock = {});

  /// Whether there is anything that it could refuse.
  bool asks() const { return policy_.require != Policy::Require::kNone || lock_.has_value(); }
  std::vector<Refusal> check(const SealedFile& file) const;
  const Policy& policy() const { return policy_; }

 private:
  std::vector<Refusal> check_signature(const SealedFile& file) const;

  Policy policy_;
  std::optional<Pinned> lock_;
};

/// By whom a file is signed, where one of `policy` may sign and the signature fits. Throws Refused
/// (T-01 to T-05).
struct Signer {
  std::string name, id, trusted_comment;
};
Signer signer_of(const std::string& file, std::string_view bytes, const Policy& policy);

}  // namespace attune
