// SPDX-License-Identifier: Apache-2.0
// A site's configuration: whom it trusts.
#include "kernel/host/trust/policy.h"

#include "fuzz/target.h"
#include "kernel/host/exit.h"

ATTUNE_FUZZ_TARGET(policy) {
  try {
    attune::parse_policy(bytes, "site.toml");
  } catch (const attune::Error&) {
  }
}
