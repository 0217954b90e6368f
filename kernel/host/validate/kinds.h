// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernel/host/validate/kind.h"

/// The kinds that the validator knows, each in a file of its own.
namespace attune::validate {

const Kind& dataset_kind();
const Kind& evaluator_kind();
const Kind& reader_kind();
const Kind& tokenizer_kind();
const Kind& weights_kind();
const Kind& tracker_kind();
const Kind& generator_kind();
const Kind& model_kind();
const Kind& algorithm_kind();

}  // namespace attune::validate
