// SPDX-License-Identifier: Apache-2.0
#include "fuzz/plugin.h"
#include "fuzz/target.h"

ATTUNE_FUZZ_TARGET(safetensors) { attune::fuzz::read_tensors("safetensors", ".safetensors", bytes); }
