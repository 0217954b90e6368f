// SPDX-License-Identifier: Apache-2.0
// What holds for each optimizer.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <map>

#include "kernel/engine/adamw_int8.h"
#include "kernel/engine/muon.h"
#include "kernel/engine/optimizer.h"
#include "nn/dynamic_code.h"

namespace attune {
namespace {

Json with(Json options) {
  const Json defaults = {{"betas", {0.9, 0.99}}, {"eps", 1e-8}, {"weight_decay", 0.01}};
  for (const auto& [name, value] : defaults.items()) {
    if (!options.contains(name)) options[name] = value;
  }
  return options;
}

const Json kRules = {{{"use", "adamw"}},
                     {{"use", "adamw"}, {"states", "int8"}},
                     {{"use", "sgd"}},
                     {{"use", "sgd"}, {"momentum", 0.9}, {"nesterov", true}, {"decay", "decoupled"}},
                     {{"use", "muon"}},
                     {{"use", "muon"}, {"scale", "match_rms_adamw"}, {"newton_schulz", "bfloat16"}, {"adamw_rate", 0.5}}};

/// A parameter; with `hidden`, the weight of a layer between hidden states.
Parameter parameter(const std::string& name, const at::Tensor& tensor, bool hidden) {
  Parameter made{name, tensor, tensor.dim() > 1};
  if (hidden) made.adapter = std::make_shared<Adapter>();
  return made;
}

/// x -> tanh(x a) b + c with a hidden matrix a of 64 x 80, an embedding-like b of 80 x 64, and a bias.
struct Net {
  explicit Net(at::ScalarType dtype = at::kFloat) {
    at::manual_seed(1);
    all = {parameter("a", (at::randn({64, 80}) * 0.1).to(dtype), true), parameter("b", (at::randn({80, 64}) * 0.1).to(dtype), false),
           parameter("c", at::zeros({64}, dtype), false)};
    for (Parameter& each : all) each.tensor.set_requires_grad(true);
  }
  at::Tensor loss(int64_t step) const {
    at::manual_seed(uint64_t(100 + step));
    const at::Tensor x = at::randn({16, 64}).to(all[0].tensor.scalar_type());
    const at::Tensor y = at::mm(at::tanh(at::mm(x, all[0].tensor)), all[1].tensor) + all[2].tensor;
    return (y - x.roll(1, 1)).to(at::kFloat).square().sum();
  }
  std::vector<Parameter> all;
};

void learn(const Net& net, Optimizer& optimizer, int64_t first, int64_t end) {
  for (int64_t step = first; step < end; ++step) {
    if (optimizer.in_backward()) optimizer.begin(1e-2, 16);
    net.loss(step).backward();
    optimizer.accumulate();
    ASSERT_TRUE(optimizer.step(1e-2, 16, 0).finite);
  }
}

class EveryRule : public ::testing::TestWithParam<Json> {};

TEST_P(EveryRule, Learns) {
  const Net net;
  Optimizer optimizer(net.all, with(GetParam()));
  const double before = net.loss(0).item<double>();

  learn(net, optimizer, 0, 30);

  EXPECT_LT(net.loss(0).item<double>(), 0.97 * before);
}

TEST_P(EveryRule, GoesOnFromItsStateBitForBit) {
  const Net whole, cut, resumed;
  Optimizer straight(whole.all, with(GetParam())), first(cut.all, with(GetParam())), second(resumed.all, with(GetParam()));
  learn(whole, straight, 0, 5);

  learn(cut, first, 0, 3);
  const NamedTensors saved = first.state(), target = second.state();
  ASSERT_EQ(saved.size(), target.size());
  for (size_t i = 0; i < saved.size(); ++i) {
    ASSERT_EQ(saved[i].first, target[i].first);
    at::Tensor to = target[i].second.detach();
    to.copy_(saved[i].second);
  }
  second.restored();
  learn(resumed, second, 3, 5);

  for (size_t i = 0; i < whole.all.size(); ++i) EXPECT_TRUE(at::equal(whole.all[i].tensor, resumed.all[i].tensor)) << whole.all[i].name;
}

TEST_P(EveryRule, GivesTheSameBitsInTheBackwardPass) {
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
    const Net after(dtype), during(dtype);
    Json options = with(GetParam());
    Optimizer ordinary(after.all, options);
    options["in_backward"] = true;
    Optimizer early(during.all, options);

    learn(after, ordinary, 0, 4);
    early.begin(1e-2, 16);
    during.loss(0).backward();
    for (const Parameter& each : during.all) EXPECT_FALSE(each.tensor.grad().defined()) << each.name;
    const double norm = early.step(1e-2, 16, 0).gradient_norm;
    learn(during, early, 1, 4);

    EXPECT_GT(norm, 0);
    for (size_t i = 0; i < after.all.size(); ++i) EXPECT_TRUE(at::equal(after.all[i].tensor, during.all[i].tensor)) << after.all[i].name;
  }
}

TEST_P(EveryRule, CountsItsOwnMemory) {
  const Net net;
  const Optimizer optimizer(net.all, with(GetParam()));
  int64_t counted = 0, there = 0;
  for (const Parameter& each : net.all) counted += state_bytes(GetParam(), each.tensor.numel(), is_hidden_matrix(each));

  for (const auto& [name, tensor] : optimizer.state()) {
    if (!name.starts_with("weight/") && !name.starts_with("steps/")) there += int64_t(tensor.nbytes());
  }

  EXPECT_EQ(counted, there);
}

INSTANTIATE_TEST_SUITE_P(Every, EveryRule, ::testing::ValuesIn(kRules.begin(), kRules.end()), [](const auto& info) {
  return info.param.at("use").template get<std::string>() + std::to_string(info.index);
});

const Json& reference() {
  static const Json read = Json::parse(std::ifstream(ATTUNE_SOURCE_DIR "/tests/reference/optimizers.json"));
  return read;
}

at::Tensor tensor_of(const Json& values, const std::string& name) {
  return at::tensor(values.at(name).get<std::vector<float>>()).view(reference().at("shapes").at(name).get<std::vector<int64_t>>()).clone();
}

TEST(Optimizer, MovesWeightsAsThatOfPyTorchDoes) {
  std::map<std::string, double> worst;
  for (const Json& one : reference().at("cases")) {
    std::vector<Parameter> all;
    for (const auto& [name, values] : one.at("weights").items()) {
      all.push_back(parameter(name, tensor_of(reference().at("start"), name), name != "vector"));
      all.back().decay = true;
    }
    Optimizer optimizer(all, with(one.at("options")));
    for (const Json& gradients : reference().at("gradients")) {
      for (Parameter& each : all) each.tensor.mutable_grad() = tensor_of(gradients, each.name);
      optimizer.accumulate();
      optimizer.step(reference().at("learning_rate"), 1, 0);
    }

    // In bf16 the last place of a product depends on the order of its sum.
    const double limit = one.at("torch") == "Muon" ? 2e-3 : 1e-6;
    for (const Parameter& each : all) {
      const double gap = (each.tensor - tensor_of(one.at("weights"), each.name)).abs().max().item<double>();
      EXPECT_LE(gap, limit) << one.at("options") << " " << each.name;
      worst[one.at("torch")] = std::max(worst[one.at("torch")], gap);
    }
  }
  for (const auto& [name, gap] : worst) RecordProperty(name, std::to_string(gap * 1e9) + "e-9");
}

TEST(Muon, MakesAMatrixOrthogonalAsItsDefinitionSays) {
  double worst = 0;
  for (const char* name : {"tall", "wide"}) {
    const at::Tensor expected = tensor_of(reference().at("orthogonal"), name), start = tensor_of(reference().at("start"), name);

    const double gap = (orthogonal(start, at::kFloat) - expected).abs().max().item<double>();
    EXPECT_LE(gap, 1e-5) << name;
    worst = std::max(worst, gap);
    EXPECT_LE((orthogonal(start, at::kBFloat16).to(at::kFloat) - expected).abs().max().item<double>(), 3e-2) << name;
  }
  RecordProperty("float32", std::to_string(worst * 1e9) + "e-9");
}

TEST(Muon, LeavesAllButHiddenMatricesToAdamW) {
  const Net muon, adamw;
  Optimizer ours(muon.all, with({{"use", "muon"}})), theirs(adamw.all, with({{"use", "adamw"}}));

  learn(muon, ours, 0, 1);
  learn(adamw, theirs, 0, 1);

  EXPECT_FALSE(at::equal(muon.all[0].tensor, adamw.all[0].tensor));
  for (size_t i : {1, 2}) EXPECT_TRUE(at::equal(muon.all[i].tensor, adamw.all[i].tensor)) << i;
}

TEST(Muon, RefusesAModelWithoutHiddenMatrices) {
  EXPECT_THROW(Optimizer({parameter("norm", at::ones({8}), false)}, with({{"use", "muon"}})), Error);
}

TEST(DynamicCode, FindsTheNearestValue) {
  for (const nn::DynamicCode* code : {&nn::DynamicCode::with_sign(), &nn::DynamicCode::without_sign()}) {
    const bool sign = code->value(0) < 0;
    for (int i = 0; i <= 20000; ++i) {
      const float size = i % 2 ? float(i) / 20000 : std::pow(10.0F, -7.0F * float(i) / 20000), x = sign && i % 3 ? -size : size;
      int nearest = 0;
      for (int c = 1; c < 256; ++c) {
        if (std::fabs(code->value(uint8_t(c)) - x) < std::fabs(code->value(uint8_t(nearest)) - x)) nearest = c;
      }
      const double found = std::fabs(double(code->value(code->nearest(x))) - x), best = std::fabs(double(code->value(uint8_t(nearest))) - x);
      ASSERT_LE(found, best + 2.5e-7 * std::fabs(x)) << x;
    }
  }
}

TEST(AdamWInt8, StaysNearFloat32) {
  // Rows of very different gradients, so that blocks hold large and small ones; the small ones must move as well.
  const auto run = [](const char* states) {
    at::manual_seed(3);
    at::Tensor weight = at::randn({64, 256}), start = weight.clone();
    const at::Tensor size = at::pow(10.0, -3 * at::rand({1, 256}));
    Optimizer optimizer({parameter("w", weight, true)}, {{"use", "adamw"}, {"states", states}, {"betas", {0.9, 0.999}}, {"eps", 1e-10}, {"weight_decay", 0.0}});
    for (int step = 0; step < 60; ++step) {
      weight.mutable_grad() = (weight + 0.3 * at::randn({64, 256})) * size;
      optimizer.accumulate();
      optimizer.step(5e-3, 1, 0);
    }
    return weight - start;
  };
  const at::Tensor wide = run("float32"), narrow = run("int8");

  const double mean = ((narrow - wide).abs().mean() / wide.abs().mean()).item<double>(), worst = ((narrow - wide).abs().max() / wide.abs().max()).item<double>();
  RecordProperty("mean", std::to_string(mean));
  RecordProperty("worst", std::to_string(worst));
  // Found: 0.047 and 0.46. States that keep the mean square itself in 8 bits (Dettmers et al., 2022) are 0.26 and 330 away here.
  EXPECT_LE(mean, 0.06);
  EXPECT_LE(worst, 0.6);
}

}  // namespace
}  // namespace attune
