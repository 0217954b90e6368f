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
error: unknown key `lerning_rate`
  --> run.toml:13:1
13 | lerning_rate = 3e-4
   | ^^^^^^^^^^^^ not a key of [optimizer]
   = help: did you mean `learning_rate`? (float, required, above 0.0)
)"},

{"UnknownKeyOfAnotherTable",
train_with("[optimizer]", R"([optimizer]
learning_rate = 3e-4
tokens_per_step = 10
)"),
R"(
error: unknown key `tokens_per_step`
  --> run.toml:14:1
14 | tokens_per_step = 10
   | ^^^^^^^^^^^^^^^ not a key of [optimizer]
   = help: `tokens_per_step` belongs to [train]
)"},

{"UnknownKeyOfAPlugin",
train_with("[train]", R"([train]
steps = 2
samples_per_step = 4
beta = 0.2
)"),
R"(
error: unknown key `beta`
  --> run.toml:17:1
17 | beta = 0.2
   | ^^^^ not a key of [train]
   = help: `beta` belongs to [algorithm] with use = "dpo"
)"},

{"UnknownKeyWithoutNeighbour",
train_with("[algorithm]", R"([algorithm]
use = "dpo"
colour = "red"
)"),
R"(
error: unknown key `colour`
  --> run.toml:12:1
12 | colour = "red"
   | ^^^^^^ not a key of [algorithm] with use = "dpo"
   = help: known are `use`, `beta`, `label_smoothing`
)"},

{"UnknownTable",
train_with("[optimiser]", R"([optimiser]
learning_rate = 3e-4
)"),
R"(
error: unknown key `optimiser`
  --> run.toml:17:2
17 | [optimiser]
   |  ^^^^^^^^^ not a key of a manifest
   = help: did you mean `optimizer`? (table, required)
)"},

{"UnknownKeyAtTheTop",
R"(schema = 1
seed = 3
)" + kTrain.substr(11),
R"(
error: unknown key `seed`
 --> run.toml:2:1
2 | seed = 3
  | ^^^^ not a key of a manifest
  = help: `seed` belongs to [run] or [generate]
)"},

{"UnknownScalarNamedLikeAnExtension",
R"(schema = 1
x-note = 3
)" + kTrain.substr(11),
R"(
error: unknown key `x-note`
 --> run.toml:2:1
2 | x-note = 3
  | ^^^^^^ not a key of a manifest
  = help: known are `schema`, `include`, `env`, `run`, `plugins`, `model`, `generator`, `adapter`, `reference`, `data`, `algorithm`, `optimizer`, `schedule`, `train`, `generate`, `evaluate`, `tracker`, `stage`
)"},

{"UnknownKeyInAnInlineTable",
train_with("[train]", R"([train]
steps = 2
samples_per_step = 4
checkpoint = { evry = 100, keep = 2 }
)"),
R"(
error: unknown key `evry`
  --> run.toml:17:16
17 | checkpoint = { evry = 100, keep = 2 }
   |                ^^^^ not a key of [train.checkpoint]
   = help: did you mean `every`? (int, default 0, at least 0)
)"},

{"UnknownOptionOfADataset",
train_with("[[data.train]]", R"([[data.train]]
use = "columns"
path = "p"
column = { prompt = "q" }
columns = {}
)"),
R"(
error: unknown key `column`
  --> run.toml:10:1
10 | column = { prompt = "q" }
   | ^^^^^^ not a key of [[data.train]] with use = "columns"
   = help: did you mean `columns`? (table, required)
)"},

{"UnknownKeyBesideATab",
train_with("[run]", R"([run]
	kind = "train"
	nme = "b"
	name = "a"
)"),
R"(
error: unknown key `nme`
 --> run.toml:4:2
4 | 	nme = "b"
  | 	^^^ not a key of [run]
  = help: did you mean `name`? (string, required)
)"},

{"OptionOfAModelWithoutUse",
train_with("[model]", R"([model]
path = "m"
window = 64
)"),
R"(
error: unknown key `window`
 --> run.toml:7:1
7 | window = 64
  | ^^^^^^ not a key of [model]
  = help: `window` belongs to [model] with use = "llama"
)"},

{"SchemaMissing",
kTrain.substr(11),
R"(
error: `schema` is missing
 --> run.toml:1:1
1 | [run]
  | ^ a manifest starts with it
  = help: write schema = 1 as the first line
)"},

{"SchemaNotFirst",
train_with("schema = 1", R"(x-a = {}
schema = 1
)"),
R"(
error: `schema` is not the first key
 --> run.toml:2:1
2 | schema = 1
  | ^^^^^^ `x-a` stands before it
  = help: write schema = 1 as the first line
)"},

{"SchemaOfTheFuture",
R"(schema = 2
anything = true
)",
R"(
error: this version of the language is not known
 --> run.toml:1:10
1 | schema = 2
  |          ^ expected 1
  = help: a newer attune may know it; else write schema = 1
)"},

{"RequiredKeyMissing",
train_with("[optimizer]", R"([optimizer]
weight_decay = 0.1
)"),
R"(
error: `learning_rate` is missing
  --> run.toml:12:2
12 | [optimizer]
   |  ^^^^^^^^^ [optimizer] needs it
   = help: `learning_rate` (float, required, above 0.0): Step size at the peak of the schedule
)"},

{"RequiredOptionMissing",
train_with("[[data.train]]", R"([[data.train]]
use = "columns"
path = "p"
)"),
R"(
error: `columns` is missing
 --> run.toml:7:1
7 | [[data.train]]
  | ^^^^^^^^^^^^^^ [[data.train]] with use = "columns" needs it
  = help: `columns` (table, required): Role and column
)"},

{"RequiredTableMissing",
train_with("[algorithm]", R"()"),
R"(
error: [algorithm] is missing
 --> run.toml:3:8
3 | kind = "train"
  |        ^^^^^^^ a train run needs it
  = help: How to learn; options of the algorithm stand beside `use`
)"},

{"RequiredListMissing",
train_with("[[data.train]]", R"()"),
R"(
error: [[data.train]] is missing
 --> run.toml:3:8
3 | kind = "train"
  |        ^^^^^^^ a train run needs it
  = help: Training data; several entries are joined in order
)"},

{"RequiredListEmpty",
train_with("[[data.train]]", R"([data]
train = []
)"),
R"(
error: [[data.train]] is empty
 --> run.toml:8:9
8 | train = []
  |         ^^ expected at least one
  = help: Training data; several entries are joined in order
)"},

{"RequiredKeyEmpty",
train_with("[algorithm]", R"([algorithm]
use = ""
)"),
R"(
error: `use` is empty
  --> run.toml:11:7
11 | use = ""
   |       ^^ [algorithm] needs it
   = help: Algorithm plugin
)"},

{"RunMissing",
R"(schema = 1
)",
R"(
error: [run] is missing
 --> run.toml:1:1
1 | schema = 1
  | ^ a manifest needs it
  = help: What to do, where, and under which name
)"},

{"KindUnknown",
train_with("[run]", R"([run]
kind = "trane"
name = "a"
)"),
R"(
error: `kind` cannot be `trane`
 --> run.toml:3:8
3 | kind = "trane"
  |        ^^^^^^^ expected train | generate | evaluate | pipeline
  = help: What the run does
)"},

{"TableThatTheKindNeverReads",
train_with("[generate]", R"([generate]
max_tokens = 3
)"),
R"(
error: [generate] is not used
  --> run.toml:17:2
17 | [generate]
   |  ^^^^^^^^ no train run reads it
   = help: only a run of kind generate reads it; take it out
)"},

{"SectionAsAList",
train_with("[model]", R"([[model]]
path = "m"
)"),
R"(
error: `model` takes a table
 --> run.toml:5:1
5 | [[model]]
  | ^^^^^^^^^ this is a list
  = help: write [model], with one pair of brackets
)"},

{"ListAsASection",
train_with("[tracker]", R"([tracker]
use = "web"
token = "t"
)"),
R"(
error: `tracker` takes a list of tables
  --> run.toml:17:2
17 | [tracker]
   |  ^^^^^^^ this is a table
   = help: write [[tracker]], with two pairs of brackets
)"},

{"TableAsAScalar",
R"(schema = 1
model = "m"
)" + kTrain.substr(11, 32),
R"(
error: `model` takes a table
 --> run.toml:2:9
2 | model = "m"
  |         ^^^ this is a string
  = help: The model to train, to ask, or to judge; options of a model plugin stand beside `use`

error: [[data.train]] is missing
 --> run.toml:4:8
4 | kind = "train"
  |        ^^^^^^^ a train run needs it
  = help: Training data; several entries are joined in order

error: [algorithm] is missing
 --> run.toml:4:8
4 | kind = "train"
  |        ^^^^^^^ a train run needs it
  = help: How to learn; options of the algorithm stand beside `use`

error: [optimizer] is missing
 --> run.toml:4:8
4 | kind = "train"
  |        ^^^^^^^ a train run needs it
  = help: How gradients move the weights

error: [train] is missing
 --> run.toml:4:8
4 | kind = "train"
  |        ^^^^^^^ a train run needs it
  = help: How long, in which batches, and what to write when
)"},
};
// clang-format on

}  // namespace

INSTANTIATE_TEST_SUITE_P(Keys, BrokenManifest, testing::ValuesIn(kKeys), broken_name);

}  // namespace attune
