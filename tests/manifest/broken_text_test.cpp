// SPDX-License-Identifier: Apache-2.0
#include "manifest_fixture.h"

namespace attune {
namespace {

// clang-format off
const Broken kText[] = {
{"SyntaxErrorBareWord",
train_with("[algorithm]", R"([algorithm]
use = dpo
)"),
R"(
TODO
)"},

{"SyntaxErrorOpenString",
train_with("[algorithm]", R"([algorithm]
use = "dpo
)"),
R"(
TODO
)"},

{"KeyWrittenTwice",
train_with("[algorithm]", R"([algorithm]
use = "dpo"
use = "sft"
)"),
R"(
TODO
)"},

{"VariableNotDeclared",
train_with("[model]", R"([model]
path = "é/${HOME}/m"
)"),
R"(
TODO
)"},

{"VariableNearADeclaredOne",
train_with("[model]", R"([model]
path = "${MODEL}"
[env.MODELS]
default = "m"
)"),
R"(
TODO
)"},

{"VariableNotSet",
train_with("[env]", R"([env]
MODELS = { required = true }
UNUSED = { }
)"),
R"(
TODO
)"},

{"VariableRequiredWithDefault",
train_with("[env]", R"([env]
MODELS = { required = true, default = "m" }
)"),
R"(
TODO
)"},

{"VariableWithAnUnknownKey",
train_with("[env]", R"([env]
MODELS = { default = "m", secrt = true }
)"),
R"(
TODO
)"},

{"VariableWithoutEnd",
train_with("[model]", R"([model]
path = "a/${HOME"
)"),
R"(
TODO
)"},

{"SecretStaysOutOfMessages",
train_with("[run]", R"([env.TOKEN]
secret = true
[run]
kind = "train"
name = "a/${TOKEN}"
device = "${TOKEN}"
)"),
R"(
TODO
)", {.environment = {{"TOKEN", "hunter2"}}}},

{"IncludeMissing",
train_with("schema = 1", R"(schema = 1
include = ["base.toml"]
)"),
R"(
TODO
)"},

{"IncludeOfItself",
train_with("schema = 1", R"(schema = 1
include = ["run.toml"]
)"),
R"(
TODO
)"},

{"IncludeAbsolute",
train_with("schema = 1", R"(schema = 1
include = ["/base.toml"]
)"),
R"(
TODO
)"},

{"IncludeNotAtTheTop",
train_with("schema = 1", R"(schema = 1
x-a = {}
include = []
)"),
R"(
TODO
)"},

{"IncludeOfTheWrongType",
train_with("schema = 1", R"(schema = 1
include = "base.toml"
)"),
R"(
TODO
)"},

{"IncludeInATable",
train_with("[model]", R"([model]
include = ["base.toml"]
path = "m"
)"),
R"(
TODO
)"},

{"SetOfAnUnknownKey",
kTrain,
R"(
TODO
)", {.sets = {R"(train.stepz=5)"}}},

{"SetOfAnUnknownTable",
kTrain,
R"(
TODO
)", {.sets = {R"(trian.steps=5)"}}},

{"SetOfTheWrongType",
kTrain,
R"(
TODO
)", {.sets = {R"(train.steps="5")"}}},

{"SetOfABareWord",
kTrain,
R"(
TODO
)", {.sets = {R"(algorithm.use=sft)"}}},

{"SetWithoutValue",
kTrain,
R"(
TODO
)", {.sets = {R"(train.steps)"}}},

{"SetOfNothing",
kTrain,
R"(
TODO
)", {.sets = {R"(train.steps=)"}}},

{"SetOfTwoValues",
kTrain,
R"(
TODO
)", {.sets = {R"(train.steps=5
x = 3)"}}},

{"SetBeyondAList",
kTrain,
R"(
TODO
)", {.sets = {R"(data.train[1].path="x")"}}},

{"SetIntoAScalar",
kTrain,
R"(
TODO
)", {.sets = {R"(run.name.first="x")"}}},

{"SetIntoAListWithoutIndex",
kTrain,
R"(
TODO
)", {.sets = {R"(data.train.path="x")"}}},

{"SetOfAnInclude",
kTrain,
R"(
TODO
)", {.sets = {R"(include=[])"}}},

{"SetOfAnOptionOutOfRange",
kTrain,
R"(
TODO
)", {.sets = {R"(algorithm.beta=-1)"}}},
};
// clang-format on

}  // namespace

INSTANTIATE_TEST_SUITE_P(Text, BrokenManifest, testing::ValuesIn(kText), broken_name);

}  // namespace attune
