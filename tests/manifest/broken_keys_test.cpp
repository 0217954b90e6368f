// SPDX-License-Identifier: Apache-2.0
#include "manifest_fixture.h"

namespace attune {
namespace {

// clang-format off
const Broken kKeys[] = {
{"UnknownKeyWithANeighbour",
train_with("[optimizer]", R"([optimizer]
lerning_rate = 3e-4
learning_rate = 3e-4
)"),
R"(
TODO
)"},

{"UnknownKeyOfAnotherTable",
train_with("[optimizer]", R"([optimizer]
learning_rate = 3e-4
tokens_per_step = 10
)"),
R"(
TODO
)"},

{"UnknownKeyOfAPlugin",
train_with("[train]", R"([train]
steps = 2
samples_per_step = 4
beta = 0.2
)"),
R"(
TODO
)"},

{"UnknownKeyWithoutNeighbour",
train_with("[algorithm]", R"([algorithm]
use = "dpo"
colour = "red"
)"),
R"(
TODO
)"},

{"UnknownTable",
train_with("[optimiser]", R"([optimiser]
learning_rate = 3e-4
)"),
R"(
TODO
)"},

{"UnknownKeyAtTheTop",
R"(schema = 1
seed = 3
)" + kTrain.substr(11),
R"(
TODO
)"},

{"UnknownScalarNamedLikeAnExtension",
R"(schema = 1
x-note = 3
)" + kTrain.substr(11),
R"(
TODO
)"},

{"UnknownKeyInAnInlineTable",
train_with("[train]", R"([train]
steps = 2
samples_per_step = 4
checkpoint = { evry = 100, keep = 2 }
)"),
R"(
TODO
)"},

{"UnknownOptionOfADataset",
train_with("[[data.train]]", R"([[data.train]]
use = "columns"
path = "p"
column = { prompt = "q" }
columns = {}
)"),
R"(
TODO
)"},

{"UnknownKeyBesideATab",
train_with("[run]", R"([run]
	kind = "train"
	nme = "b"
	name = "a"
)"),
R"(
TODO
)"},

{"OptionOfAModelWithoutUse",
train_with("[model]", R"([model]
path = "m"
window = 64
)"),
R"(
TODO
)"},

{"SchemaMissing",
kTrain.substr(11),
R"(
TODO
)"},

{"SchemaNotFirst",
train_with("schema = 1", R"(x-a = {}
schema = 1
)"),
R"(
TODO
)"},

{"SchemaOfTheFuture",
R"(schema = 2
anything = true
)",
R"(
TODO
)"},

{"RequiredKeyMissing",
train_with("[optimizer]", R"([optimizer]
weight_decay = 0.1
)"),
R"(
TODO
)"},

{"RequiredOptionMissing",
train_with("[[data.train]]", R"([[data.train]]
use = "columns"
path = "p"
)"),
R"(
TODO
)"},

{"RequiredTableMissing",
train_with("[algorithm]", R"()"),
R"(
TODO
)"},

{"RequiredListMissing",
train_with("[[data.train]]", R"()"),
R"(
TODO
)"},

{"RequiredListEmpty",
train_with("[[data.train]]", R"([data]
train = []
)"),
R"(
TODO
)"},

{"RequiredKeyEmpty",
train_with("[algorithm]", R"([algorithm]
use = ""
)"),
R"(
TODO
)"},

{"RunMissing",
R"(schema = 1
)",
R"(
TODO
)"},

{"KindUnknown",
train_with("[run]", R"([run]
kind = "trane"
name = "a"
)"),
R"(
TODO
)"},

{"TableThatTheKindNeverReads",
train_with("[generate]", R"([generate]
max_tokens = 3
)"),
R"(
TODO
)"},

{"SectionAsAList",
train_with("[model]", R"([[model]]
path = "m"
)"),
R"(
TODO
)"},

{"ListAsASection",
train_with("[tracker]", R"([tracker]
use = "web"
token = "t"
)"),
R"(
TODO
)"},

{"TableAsAScalar",
R"(schema = 1
model = "m"
)" + kTrain.substr(11, 32),
R"(
TODO
)"},
};
// clang-format on

}  // namespace

INSTANTIATE_TEST_SUITE_P(Keys, BrokenManifest, testing::ValuesIn(kKeys), broken_name);

}  // namespace attune
