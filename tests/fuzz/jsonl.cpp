// SPDX-License-Identifier: Apache-2.0
#include "fuzz/plugin.h"
#include "fuzz/target.h"

ATTUNE_FUZZ_TARGET(jsonl) { attune::fuzz::read_all("jsonl", ".jsonl", attune::Json::object(), bytes); }
