// SPDX-License-Identifier: Apache-2.0
// A plugin's file: its note, its symbols, the rules on them.
#include "fuzz/target.h"
#include "kernel/host/plugins/rules.h"

ATTUNE_FUZZ_TARGET(elf) {
  using namespace attune;
  const std::span file(reinterpret_cast<const std::byte*>(bytes.data()), bytes.size());
  try {
    read_note(file);
  } catch (const FormatError&) {
  }
  try {
    check_elf({.tier = Tier::kPure}, read_elf(file));
  } catch (const FormatError&) {
  }
}
