// SPDX-License-Identifier: Apache-2.0
#include "manifest_fixture.h"

namespace attune {
namespace {

// clang-format off
const Broken kValues[] = {
{"StringForInteger",
train_with("[train]", R"([train]
steps = "2"
samples_per_step = 4
)"),
R"(
TODO
)"},

{"FloatForInteger",
train_with("[train]", R"([train]
steps = 2.0
samples_per_step = 4
)"),
R"(
TODO
)"},

{"IntegerForBool",
train_with("[train]", R"([train]
steps = 2
samples_per_step = 4
shuffle = 1
)"),
R"(
TODO
)"},

{"IntegerForString",
train_with("[run]", R"([run]
kind = "train"
name = 7
)"),
R"(
TODO
)"},

{"StringForList",
train_with("[model]", R"([model]
path = "m"
freeze = "*.weight"
)"),
R"(
TODO
)"},

{"WrongItemOfAList",
train_with("[model]", R"([model]
path = "m"
freeze = ["a", 3]
)"),
R"(
TODO
)"},

{"DateForString",
train_with("[run]", R"([run]
kind = "train"
name = 2024-01-01
)"),
R"(
TODO
)"},

{"DateInAFreeTable",
train_with("[x-notes]", R"([x-notes]
when = 2024-01-01
)"),
R"(
TODO
)"},

{"OptionOfTheWrongType",
train_with("[algorithm]", R"([algorithm]
use = "dpo"
beta = "0.2"
)"),
R"(
TODO
)"},

{"OptionBelowItsBound",
train_with("[algorithm]", R"([algorithm]
use = "dpo"
beta = 0
)"),
R"(
TODO
)"},

{"OptionAboveItsBound",
train_with("[algorithm]", R"([algorithm]
use = "dpo"
label_smoothing = 0.5
)"),
R"(
TODO
)"},

{"KeyBelowItsBound",
train_with("[train]", R"([train]
steps = -1
samples_per_step = 4
)"),
R"(
TODO
)"},

{"KeyAboveItsBound",
train_with("[schedule]", R"([schedule]
min_ratio = 1.5
)"),
R"(
TODO
)"},

{"NotANumber",
train_with("[optimizer]", R"([optimizer]
learning_rate = nan
)"),
R"(
TODO
)"},

{"ItemOutOfRange",
train_with("[optimizer]", R"([optimizer]
learning_rate = 1e-5
betas = [0.9, 1.0]
)"),
R"(
TODO
)"},

{"BetasAreTwo",
train_with("[optimizer]", R"([optimizer]
learning_rate = 1e-5
betas = [0.9]
)"),
R"(
TODO
)"},

{"ChoiceWithANeighbour",
train_with("[model]", R"([model]
path = "m"
dtype = "bfloat32"
)"),
R"(
TODO
)"},

{"ChoiceWithoutNeighbour",
train_with("[run]", R"([run]
kind = "train"
name = "a"
device = "tpu"
)"),
R"(
TODO
)"},

{"ChoiceInAList",
R"(schema = 1
[run]
kind = "evaluate"
name = "a"
[model]
path = "m"
[[evaluate]]
use = "exact_match"
data = { use = "alpaca", path = "p" }
ignore = ["case", "spaces"]
)",
R"(
TODO
)"},

{"NameThatIsAPath",
train_with("[run]", R"([run]
kind = "train"
name = "../a"
)"),
R"(
TODO
)"},

{"NeitherStepsNorEpochs",
train_with("[train]", R"([train]
samples_per_step = 4
)"),
R"(
TODO
)"},

{"BothStepsAndEpochs",
train_with("[train]", R"([train]
epochs = 1
steps = 2
samples_per_step = 4
)"),
R"(
TODO
)"},

{"NeitherSizeOfAStep",
train_with("[train]", R"([train]
steps = 2
tokens_per_step = 0
)"),
R"(
TODO
)"},

{"BothSizesOfAStep",
train_with("[train]", R"([train]
steps = 2
samples_per_step = 4
tokens_per_step = 10
)"),
R"(
TODO
)"},

{"DuplicateEvaluations",
R"(schema = 1
[run]
kind = "evaluate"
name = "a"
[model]
path = "m"
[[evaluate]]
use = "exact_match"
data = { use = "alpaca", path = "p" }
[[evaluate]]
use = "org.paper.exact:exact_match"
data = { use = "alpaca", path = "q" }
)",
R"(
TODO
)"},
};
// clang-format on

}  // namespace

INSTANTIATE_TEST_SUITE_P(Values, BrokenManifest, testing::ValuesIn(kValues), broken_name);

}  // namespace attune
