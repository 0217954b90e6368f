// SPDX-License-Identifier: Apache-2.0
#include "fuzz/plugin.h"
#include "fuzz/target.h"

ATTUNE_FUZZ_TARGET(json) { attune::fuzz::read_all("json", ".json", {{"field", ""}}, bytes); }
