// SPDX-License-Identifier: Apache-2.0
// Signatures, keys, the site's configuration and locks.
#include "fuzz/target.h"
#include "kernel/host/exit.h"
#include "kernel/host/trust/lock.h"
#include "kernel/host/trust/minisign.h"
#include "kernel/host/trust/policy.h"

ATTUNE_FUZZ_TARGET(trust) {
  using namespace attune;
  static const PublicKey key = parse_public_key("RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3");
  const auto attempt = [](auto body) {
    try {
      body();
    } catch (const Error&) {
    }
  };
  attempt([&] { mismatch(parse_signature(bytes), key, "bytes"); });
  attempt([&] { parse_public_key(bytes); });
  attempt([&] { parse_secret_key(bytes, []() -> std::string { throw Error("no password"); }); });
  attempt([&] { parse_policy(bytes, "site.toml"); });
  attempt([&] { lock_text(parse_lock(bytes, "run.toml.lock")); });
}
