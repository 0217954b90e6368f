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
error: no plugin provides the algorithm `dp`
  --> run.toml:11:7
11 | use = "dp"
   |       ^^^^ not among the plugins found
   = help: did you mean `dpo`? there is `dpo`, `sft`
)"},

{"PluginMissingWithoutNeighbour",
train_with("[[data.train]]", R"([[data.train]]
use = "ultrafeedback"
path = "p"
)"),
R"(
error: no plugin provides the dataset `ultrafeedback`
 --> run.toml:8:7
8 | use = "ultrafeedback"
  |       ^^^^^^^^^^^^^^^ not among the plugins found
  = help: there is `pairs`, `alpaca`, `columns`, `twin`
)"},

{"PluginMissingById",
train_with("[[data.train]]", R"([[data.train]]
use = "org.paper.dat:pairs"
path = "p"
)"),
R"(
error: no plugin provides the dataset `org.paper.dat:pairs`
 --> run.toml:8:7
8 | use = "org.paper.dat:pairs"
  |       ^^^^^^^^^^^^^^^^^^^^^ not among the plugins found
  = help: did you mean `org.paper.data:pairs`? there is `org.paper.data:pairs`, `org.paper.data:alpaca`, `org.paper.columns:columns`, `org.paper.one:twin`, `org.paper.two:twin`
)"},

{"PluginAmbiguous",
train_with("[[data.train]]", R"([[data.train]]
use = "twin"
path = "p"
)"),
R"(
error: two plugins provide the dataset `twin`
 --> run.toml:8:7
8 | use = "twin"
  |       ^^^^^^ which of them?
  = help: write one of `org.paper.one:twin`, `org.paper.two:twin`
)"},

{"PluginTakesAKeyOfTheHost",
train_with("[[tracker]]", R"([[tracker]]
use = "rude"
)"),
R"(
error: the plugin `org.paper.rude` declares the option `use`
  --> run.toml:18:7
18 | use = "rude"
   |       ^^^^^^ that key of [[tracker]] belongs to the host
   = help: ask the plugin's author to rename it
)"},

{"UseMissing",
train_with("[algorithm]", R"([algorithm]
beta = 0.1
)"),
R"(
error: `use` is missing
  --> run.toml:10:2
10 | [algorithm]
   |  ^^^^^^^^^ [algorithm] needs it
   = help: `use` (string, required): Algorithm plugin
)"},

{"UseOfTheWrongType",
train_with("[algorithm]", R"([algorithm]
use = 3
)"),
R"(
error: `use` takes a string
  --> run.toml:11:7
11 | use = 3
   |       ^ this is an integer
   = help: put the value in quotes
)"},

{"SecretOptionMissing",
train_with("[[tracker]]", R"([[tracker]]
use = "web"
)"),
R"(
error: `token` is missing
  --> run.toml:17:1
17 | [[tracker]]
   | ^^^^^^^^^^^ [[tracker]] with use = "web" needs it
   = help: `token` (string, required, secret): Password of the site
)"},

{"PairsFromASupervisedDataset",
train_with("[[data.train]]", R"([[data.train]]
use = "alpaca"
path = "p"
)"),
R"(
error: `dpo` needs pair samples, which the dataset `alpaca` does not make
 --> run.toml:8:7
8 | use = "alpaca"
  |       ^^^^^^^^ makes supervised
  = help: datasets that do: `pairs`, `columns`
)"},

{"SupervisedFromAPairDataset",
train_with("[algorithm]", R"([algorithm]
use = "sft"
)"),
R"(
error: `sft` needs supervised samples, which the dataset `pairs` does not make
 --> run.toml:8:7
8 | use = "pairs"
  |       ^^^^^^^ makes pair
  = help: datasets that do: `alpaca`, `columns`
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
error: `preference` needs pair samples, which the dataset `alpaca` does not make
  --> run.toml:10:7
10 | use = "alpaca"
   |       ^^^^^^^^ makes supervised
   = help: datasets that do: `pairs`, `columns`
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
error: [reference] is not used
 --> run.toml:7:2
7 | [reference]
  |  ^^^^^^^^^ the algorithm `sft` compares with no model
  = help: take it out
)"},
};
// clang-format on

}  // namespace

INSTANTIATE_TEST_SUITE_P(Plugins, BrokenManifest, testing::ValuesIn(kPlugins), broken_name);

}  // namespace attune
