// SPDX-License-Identifier: Apache-2.0
#include "kernel/host/validate/kinds.h"

namespace attune::validate {

const Kind* find_kind(std::string_view id) {
  for (const Kind* kind : {&dataset_kind(), &evaluator_kind(), &reader_kind(), &tokenizer_kind(), &weights_kind(), &tracker_kind(),
                           &generator_kind(), &model_kind(), &algorithm_kind()}) {
    if (kind->id() == id) return kind;
  }
  return nullptr;
}

}  // namespace attune::validate
