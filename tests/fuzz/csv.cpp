// SPDX-License-Identifier: Apache-2.0
#include "fuzz/plugin.h"
#include "fuzz/target.h"

ATTUNE_FUZZ_TARGET(csv) { attune::fuzz::read_all("csv", ".csv", {{"delimiter", ""}}, bytes); }
