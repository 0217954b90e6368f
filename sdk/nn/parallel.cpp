// SPDX-License-Identifier: Apache-2.0
#include "nn/parallel.h"

#include <ATen/ATen.h>
#include <ATen/TensorIterator.h>

namespace attune::nn {

void parallel(int64_t n, int64_t grain, c10::function_ref<void(int64_t begin, int64_t end)> body) {
  if (n <= 0) return;
  if (n <= grain) return body(0, n);
  const at::Tensor index = at::empty({n}, at::TensorOptions().dtype(at::kByte).device(at::kCPU));
  const char* first = static_cast<const char*>(index.const_data_ptr());
  auto iterator = at::TensorIterator::borrowing_nullary_op(index);
  iterator.for_each(
      [&](char** data, const int64_t* strides, int64_t size, int64_t lines) {
        for (int64_t line = 0; line < lines; ++line) {
          const int64_t begin = data[0] + line * strides[1] - first;
          body(begin, begin + size);
        }
      },
      grain);
}

}  // namespace attune::nn
