// SPDX-License-Identifier: Apache-2.0
// A lock; what is written of it reads as the same lock.
#include <cstdlib>

#include "fuzz/target.h"
#include "kernel/host/exit.h"
#include "kernel/host/trust/lock.h"

ATTUNE_FUZZ_TARGET(lock) {
  using namespace attune;
  std::string text;
  try {
    text = lock_text(parse_lock(bytes, "run.toml.lock"));
  } catch (const Error&) {
    return;
  }
  if (lock_text(parse_lock(text, "again.lock")) != text) std::abort();
}
