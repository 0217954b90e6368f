// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/trust/gate.h"

#include <algorithm>
#include <filesystem>

#include "kernel/host/services/files.h"

namespace attune {
namespace {

std::string_view text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

Signature signature_beside(const std::string& file) {
  const std::string path = file + ".minisig";
  std::error_code problem;
  if (!std::filesystem::exists(path, problem)) {
    throw Refused({"T-01", file, "a signature beside it: " + path, "none",
                   "sign it: attune plugins sign --key SECRET '" + file + "'"});
  }
  try {
    constexpr uintmax_t kMost = 64 * 1024;
    if (std::filesystem::file_size(path) > kMost) throw Error("expected at most 64 KiB, found more");
    return parse_signature(read_text(path));
  } catch (const std::exception& error) {
    throw Refused({"T-02", path, "a signature in minisign's format", error.what(),
                   "sign the file anew"});
  }
}

}  // namespace

Gate::Gate(Policy policy, std::optional<Pinned> lock)
    : policy_(std::move(policy)), lock_(std::move(lock)) {}

Signer signer_of(const std::string& file, std::string_view bytes, const Policy& policy) {
  const Signature signature = signature_beside(file);
  const std::string id = attune::text_of(signature.id);
  if (const auto revoked = policy.revoked.find(id); revoked != policy.revoked.end()) {
    throw Refused({"T-04", file, "a key that is not revoked",
                   "key " + id + ", revoked: " + revoked->second,
                   "have the file checked and signed anew with a key of now"});
  }
  const auto key = std::find_if(policy.keys.begin(), policy.keys.end(), [&](const auto& trusted) {
    return trusted.key.id == signature.id;
  });
  if (key == policy.keys.end()) {
    std::string names;
    for (const auto& trusted : policy.keys)
      names += (names.empty() ? "" : ", ") + trusted.name + " (" + attune::text_of(trusted.key.id) + ")";
    throw Refused({"T-03", file, "a signature by one of: " + (names.empty() ? "no key" : names),
                   "one by key " + id,
                   "if you trust that key, add it as [[trust.key]]" +
                       (policy.file.empty() ? std::string() : " to " + policy.file)});
  }
  if (const std::string wrong = mismatch(signature, key->key, bytes); !wrong.empty()) {
    throw Refused({"T-05", file, "a signature by " + key->name + " over this file", wrong,
                   "get the file again from where it came; do not load this one"});
  }
  return {key->name, id, signature.trusted_comment};
}

std::vector<Refusal> Gate::check_signature(const SealedFile& file) const {
  try {
    signer_of(file.path(), text_of(file.bytes()), policy_);
    return {};
  } catch (const Refused& refused) {
    return refused.refusals();
  }
}

std::vector<Refusal> Gate::check(const SealedFile& file) const {
  std::vector<Refusal> refusals;
  if (policy_.require == Policy::Require::kSigned) refusals = check_signature(file);
  if (lock_) {
    if (!lock_->contains(file.sha256())) {
      refusals.push_back({"T-06", file.path(), "code that the lock pins", "SHA-256 " + file.sha256(),
                          "see what changed; then write the lock anew: attune lock FILE"});
    }
  } else if (policy_.require == Policy::Require::kLocked) {
    refusals.push_back({"T-06", file.path(), "a lock that pins it: this site requires one", "none",
                        "attune lock FILE, then attune run FILE --locked"});
  }
  return refusals;
}

}  // namespace attune
