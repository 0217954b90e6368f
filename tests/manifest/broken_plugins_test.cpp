// SPDX-License-Identifier: Apache-2.0
#include "manifest_fixture.h"

namespace attune {
namespace {

// clang-format off
const Broken kPlugins[] = {
{"PluginMissing",
train_with("[algorithm]", R"([algorithm]
use = "dp"
beta = 2
)"),
R"(
TODO
)"},

{"PluginMissingWithoutNeighbour",
train_with("[[data.train]]", R"([[data.train]]
use = "ultrafeedback"
path = "p"
)"),
R"(
TODO
)"},

{"PluginMissingById",
train_with("[[data.train]]", R"([[data.train]]
use = "org.paper.dat:pairs"
path = "p"
)"),
R"(
TODO
)"},

{"PluginAmbiguous",
train_with("[[data.train]]", R"([[data.train]]
use = "twin"
path = "p"
)"),
R"(
TODO
)"},

{"PluginTakesAKeyOfTheHost",
train_with("[[tracker]]", R"([[tracker]]
use = "rude"
)"),
R"(
TODO
)"},

{"UseMissing",
train_with("[algorithm]", R"([algorithm]
beta = 0.1
)"),
R"(
TODO
)"},

{"UseOfTheWrongType",
train_with("[algorithm]", R"([algorithm]
use = 3
)"),
R"(
TODO
)"},

{"SecretOptionMissing",
train_with("[[tracker]]", R"([[tracker]]
use = "web"
)"),
R"(
TODO
)"},

{"PairsFromASupervisedDataset",
train_with("[[data.train]]", R"([[data.train]]
use = "alpaca"
path = "p"
)"),
R"(
TODO
)"},

{"SupervisedFromAPairDataset",
train_with("[algorithm]", R"([algorithm]
use = "sft"
)"),
R"(
TODO
)"},

{"EvaluatorAndDatasetDoNotFit",
R"(schema = 1
[run]
kind = "evaluate"
name = "a"
[model]
path = "m"
[[evaluate]]
use = "preference"
[evaluate.data]
use = "alpaca"
path = "p"
)",
R"(
TODO
)"},

{"ReferenceThatNobodyReads",
R"(schema = 1
[run]
kind = "train"
name = "a"
[model]
path = "m"
[reference]
mode = "live"
[[data.train]]
use = "alpaca"
path = "p"
[algorithm]
use = "sft"
[optimizer]
learning_rate = 1e-5
[train]
steps = 2
samples_per_step = 4
)",
R"(
TODO
)"},
};
// clang-format on

}  // namespace

INSTANTIATE_TEST_SUITE_P(Plugins, BrokenManifest, testing::ValuesIn(kPlugins), broken_name);

}  // namespace attune
