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
error: this is not TOML
  --> run.toml:11:7
11 | use = dpo
   |       ^ could not determine value type
   = help: a string needs quotes; true and false are lower case
)"},

{"SyntaxErrorOpenString",
train_with("[algorithm]", R"([algorithm]
use = "dpo
)"),
R"(
error: this is not TOML
  --> run.toml:11:11
11 | use = "dpo
   |           ^ the string does not end
   = help: close the quotes on the same line
)"},

{"KeyWithoutAName",
R"(schema = 1
run = { = 1 }
)",
R"(
error: this is not TOML
 --> run.toml:2:9
2 | run = { = 1 }
  |         ^ expected key or closing '}', saw '='
)"},

{"KeyWrittenTwice",
train_with("[algorithm]", R"([algorithm]
use = "dpo"
use = "sft"
)"),
R"(
error: this is not TOML
  --> run.toml:12:7
12 | use = "sft"
   |       ^ cannot redefine existing string 'use'
   = help: write each key once
)"},

{"VariableNotDeclared",
train_with("[model]", R"([model]
path = "é/${HOME}/m"
)"),
R"(
error: the variable `HOME` is not declared
 --> run.toml:6:11
6 | path = "é/${HOME}/m"
  |           ^^^^^^^ not in [env]
  = help: declare it: [env.HOME]
)"},

{"VariableNearADeclaredOne",
train_with("[model]", R"([model]
path = "${MODEL}"
[env.MODELS]
default = "m"
)"),
R"(
error: `path` is empty
 --> run.toml:6:8
6 | path = "${MODEL}"
  |        ^^^^^^^^^^ [model] needs it
  = help: Folder in the Hugging Face layout, a checkpoint file, or "@stage.final"

error: the variable `MODEL` is not declared
 --> run.toml:6:9
6 | path = "${MODEL}"
  |         ^^^^^^^^ not in [env]
  = help: did you mean `${MODELS}`?
)"},

{"VariableNotSet",
train_with("[env]", R"([env]
MODELS = { required = true }
UNUSED = { }
)"),
R"(
error: the environment variable `MODELS` is not set
  --> run.toml:18:1
18 | MODELS = { required = true }
   | ^^^^^^ required here
   = help: set it, or give it a default

error: the environment variable `UNUSED` is not set
  --> run.toml:19:1
19 | UNUSED = { }
   | ^^^^^^ required here
   = help: set it, or give it a default
)"},

{"VariableRequiredWithDefault",
train_with("[env]", R"([env]
MODELS = { required = true, default = "m" }
)"),
R"(
error: a required variable has no default
  --> run.toml:18:29
18 | MODELS = { required = true, default = "m" }
   |                             ^^^^^^^ `MODELS` has one
   = help: take out one of the two
)"},

{"VariableWithAnUnknownKey",
train_with("[env]", R"([env]
MODELS = { default = "m", secrt = true }
)"),
R"(
error: unknown key `secrt`
  --> run.toml:18:27
18 | MODELS = { default = "m", secrt = true }
   |                           ^^^^^ not a key of [env.MODELS]
   = help: did you mean `secret`? (bool, default false)
)"},

{"VariableWithoutEnd",
train_with("[model]", R"([model]
path = "a/${HOME"
)"),
R"(
error: `${` has no `}`
 --> run.toml:6:11
6 | path = "a/${HOME"
  |           ^^^^^^
  = help: write ${NAME}, or $${ for the characters themselves
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
error: `***` cannot name a folder
 --> run.toml:6:8
6 | name = "a/${TOKEN}"
  |        ^^^^^^^^^^^^ expected a simple file name
  = help: use letters, digits, `_`, `-` and `.`; start with a letter, a digit or `_`

error: `device` cannot be this
 --> run.toml:7:10
7 | device = "${TOKEN}"
  |          ^^^^^^^^^^ expected cpu | cuda
  = help: Where tensors live
)", {.environment = {{"TOKEN", "hunter2"}}}},

{"IncludeMissing",
train_with("schema = 1", R"(schema = 1
include = ["base.toml"]
)"),
R"(
error: cannot read the include `base.toml`
 --> run.toml:2:12
2 | include = ["base.toml"]
  |            ^^^^^^^^^^^ no such file
  = help: it is looked for in the folder of run.toml
)"},

{"IncludeOfItself",
train_with("schema = 1", R"(schema = 1
include = ["run.toml"]
)"),
R"(
error: `run.toml` includes itself
 --> run.toml:2:12
2 | include = ["run.toml"]
  |            ^^^^^^^^^^ run.toml -> run.toml
  = help: take one of these includes out
)"},

{"IncludeAbsolute",
train_with("schema = 1", R"(schema = 1
include = ["/base.toml"]
)"),
R"(
error: an include is relative
 --> run.toml:2:12
2 | include = ["/base.toml"]
  |            ^^^^^^^^^^^^ this path is absolute
  = help: give the path from the folder of run.toml
)"},

{"IncludeNotAtTheTop",
train_with("schema = 1", R"(schema = 1
x-a = {}
include = []
)"),
R"(
error: `include` is not at the top
 --> run.toml:3:1
3 | include = []
  | ^^^^^^^ `x-a` stands before it
  = help: move it below `schema`
)"},

{"IncludeOfTheWrongType",
train_with("schema = 1", R"(schema = 1
include = "base.toml"
)"),
R"(
error: `include` takes a list of strings
 --> run.toml:2:11
2 | include = "base.toml"
  |           ^^^^^^^^^^^ this is a string
  = help: write include = ["base.toml"]
)"},

{"IncludeInATable",
train_with("[model]", R"([model]
include = ["base.toml"]
path = "m"
)"),
R"(
error: unknown key `include`
 --> run.toml:6:1
6 | include = ["base.toml"]
  | ^^^^^^^ not a key of [model]
  = help: `include` belongs to the top level
)"},

{"SetOfAnUnknownKey",
kTrain,
R"(
error: unknown key `stepz`
 --> --set train.stepz=5
  | train.stepz=5
  |       ^^^^^ not a key of [train]
  = help: did you mean `steps`? (int, default 0, at least 0)
)", {.sets = {R"(train.stepz=5)"}}},

{"SetOfAnUnknownTable",
kTrain,
R"(
error: unknown key `trian`
 --> --set trian.steps=5
  | trian.steps=5
  | ^^^^^ not a key of a manifest
  = help: did you mean `train`? (table, required)
)", {.sets = {R"(trian.steps=5)"}}},

{"SetOfTheWrongType",
kTrain,
R"(
error: `steps` takes an integer
 --> --set train.steps="5"
  | train.steps="5"
  |             ^^^ this is a string
  = help: remove the quotes: steps = 5
)", {.sets = {R"(train.steps="5")"}}},

{"SetOfABareWord",
kTrain,
R"(
error: the value is not TOML
 --> --set algorithm.use=sft
  | algorithm.use=sft
  |               ^^^ could not determine value type
  = help: a string needs quotes, and the shell too: --set 'algorithm.use="sft"'
)", {.sets = {R"(algorithm.use=sft)"}}},

{"SetWithoutValue",
kTrain,
R"(
error: --set takes PATH=VALUE
 --> --set train.steps
  | train.steps
  | ^^^^^^^^^^^ this is not of that form
  = help: for example --set train.steps=50 or --set 'data.train[0].path="x.jsonl"'
)", {.sets = {R"(train.steps)"}}},

{"SetOfNothing",
kTrain,
R"(
error: the value is not TOML
 --> --set train.steps=
  | train.steps=
  |             ^ nothing after the =
  = help: a string needs quotes, and the shell too: --set 'train.steps=""'
)", {.sets = {R"(train.steps=)"}}},

{"SetOfTwoValues",
kTrain,
R"(
error: --set takes one value
 --> --set train.steps=5 x = 3
  | train.steps=5 x = 3
  |             ^^^^^^^ this is more than one
)", {.sets = {R"(train.steps=5
x = 3)"}}},

{"SetBeyondAList",
kTrain,
R"(
error: no such entry
 --> --set data.train[1].path="x"
  | data.train[1].path="x"
  |           ^^^ the list has 1
  = help: [0] is the first
)", {.sets = {R"(data.train[1].path="x")"}}},

{"SetIntoAScalar",
kTrain,
R"(
error: nothing to set here
 --> --set run.name.first="x"
  | run.name.first="x"
  |          ^^^^^ a string has no keys
)", {.sets = {R"(run.name.first="x")"}}},

{"SetIntoAListWithoutIndex",
kTrain,
R"(
error: nothing to set here
 --> --set data.train.path="x"
  | data.train.path="x"
  |            ^^^^ a list has no keys
  = help: name the entry: [0] is the first
)", {.sets = {R"(data.train.path="x")"}}},

{"SetOfAnInclude",
kTrain,
R"(
error: `include` cannot be set from the command line
 --> --set include=[]
  | include=[]
  | ^^^^^^^ it is read before
  = help: write it in the file
)", {.sets = {R"(include=[])"}}},

{"SetOfAnOptionOutOfRange",
kTrain,
R"(
error: `beta` is out of range
 --> --set algorithm.beta=-1
  | algorithm.beta=-1
  |                ^^ must be above 0.0
  = help: How strongly the policy is held to the reference
)", {.sets = {R"(algorithm.beta=-1)"}}},
};
// clang-format on

}  // namespace

INSTANTIATE_TEST_SUITE_P(Text, BrokenManifest, testing::ValuesIn(kText), broken_name);

}  // namespace attune
