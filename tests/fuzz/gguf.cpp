// SPDX-License-Identifier: Apache-2.0
#include "fuzz/plugin.h"
#include "fuzz/target.h"

ATTUNE_FUZZ_TARGET(gguf) { attune::fuzz::read_tensors("gguf", ".gguf", bytes); }
