// SPDX-License-Identifier: Apache-2.0
// Weights in 4 bits against bitsandbytes (tests/reference/nf4.py).
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "kernel/host/services/digest.h"
#include "kernel/host/json.h"
#include "nn/dynamic_code.h"
#include "nn/nf4.h"

namespace attune {
namespace {

at::Tensor weights(int64_t rows, int64_t width) {
  at::Tensor made = at::empty({rows, width});
  float* to = made.data_ptr<float>();
  for (int64_t i = 0; i < made.numel(); ++i)
    to[i] = float(std::ldexp(double((uint32_t(i) * 2654435761U) >> 24) - 127, -int(6 + i / width % 5)));
  return made;
}

std::string named(const at::Tensor& tensor) {
  return sha256({static_cast<const char*>(tensor.const_data_ptr()), tensor.nbytes()});
}

TEST(Nf4, HasTheCodesScalesAndValuesOfBitsandbytes) {
  const Json reference = Json::parse(std::ifstream(ATTUNE_SOURCE_DIR "/tests/reference/nf4.json"));
  for (const Json& one : reference.at("cases")) {
    const bool twice = one.at("double_quant");
    PackedWeight packed = nn::pack_nf4(weights(one.at("rows"), one.at("width")), twice);

    EXPECT_EQ(named(packed.codes), one.at("codes").get<std::string>()) << one;
    EXPECT_EQ(named(packed.scales), one.at("scales").get<std::string>()) << one;
    if (twice) {
      // The mean of the scales is a sum in an order of its own: the last place may differ.
      EXPECT_NEAR(packed.offset, one.at("offset").get<double>(), 1e-7 * std::abs(packed.offset));
      packed.offset = one.at("offset");
      const auto sizes = one.at("scale_sizes").get<std::vector<float>>();
      EXPECT_LE((packed.scale_sizes - at::tensor(sizes)).abs().max().item<double>(), 1e-6);
      packed.scale_sizes = at::tensor(sizes);
    }
    EXPECT_EQ(named(nn::unpack_nf4(packed, at::kFloat)), one.at("values").get<std::string>()) << one;
    if (twice) {
      std::vector<float> values;
      for (int code = 0; code < 256; ++code) values.push_back(nn::DynamicCode::with_sign().value(uint8_t(code)));
      EXPECT_EQ(named(at::tensor(values)), one.at("dynamic").get<std::string>());
    }
  }
}

TEST(Nf4, CountsItsOwnMemory) {
  for (const bool twice : {false, true}) {
    const PackedWeight packed = nn::pack_nf4(weights(48, 80), twice);
    const size_t bytes = packed.codes.nbytes() + packed.scales.nbytes() + (twice ? packed.scale_sizes.nbytes() : 0);

    EXPECT_EQ(nn::nf4_bytes(48 * 80, twice), int64_t(bytes));
  }
  EXPECT_NEAR(double(nn::nf4_bytes(1 << 20, true)) / (1 << 20), 0.516, 1e-3);
}

TEST(Nf4, KeepsZerosAndOddNumbersOfWeights) {
  EXPECT_TRUE(at::equal(nn::unpack_nf4(nn::pack_nf4(at::zeros({3, 70}), true), at::kFloat), at::zeros({3, 70})));
  const at::Tensor odd = nn::unpack_nf4(nn::pack_nf4(at::ones({3, 7}), false), at::kFloat);
  EXPECT_TRUE(at::equal(odd, at::ones({3, 7})));
}

TEST(Nf4, MultipliesAsTheUnpackedWeightDoes) {
  at::manual_seed(2);
  const PackedWeight packed = nn::pack_nf4(at::randn({48, 80}), true);
  const at::Tensor weight = nn::unpack_nf4(packed, at::kFloat), bias = at::randn({48});
  at::Tensor x = at::randn({9, 80}), same = x.clone();
  x.set_requires_grad(true), same.set_requires_grad(true);

  const at::Tensor y = nn::packed_linear(x, packed, bias), expected = at::addmm(bias, same, weight.t());
  y.square().sum().backward();
  expected.square().sum().backward();

  EXPECT_TRUE(at::equal(y, expected));
  EXPECT_LE((x.grad() - same.grad()).abs().max().item<double>(), 1e-4);
}

}  // namespace
}  // namespace attune
