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
error: `steps` takes an integer
  --> run.toml:15:9
15 | steps = "2"
   |         ^^^ this is a string
   = help: remove the quotes: steps = 2
)"},

{"FloatForInteger",
train_with("[train]", R"([train]
steps = 2.0
samples_per_step = 4
)"),
R"(
error: `steps` takes an integer
  --> run.toml:15:9
15 | steps = 2.0
   |         ^^^ this is a float
   = help: write steps = 2
)"},

{"IntegerForBool",
train_with("[train]", R"([train]
steps = 2
samples_per_step = 4
shuffle = 1
)"),
R"(
error: `shuffle` takes true or false
  --> run.toml:17:11
17 | shuffle = 1
   |           ^ this is an integer
   = help: Whether each epoch has its own order
)"},

{"IntegerForString",
train_with("[run]", R"([run]
kind = "train"
name = 7
)"),
R"(
error: `name` takes a string
 --> run.toml:4:8
4 | name = 7
  |        ^ this is an integer
  = help: put the value in quotes
)"},

{"StringForList",
train_with("[model]", R"([model]
path = "m"
freeze = "*.weight"
)"),
R"(
error: `freeze` takes a list of strings
 --> run.toml:7:10
7 | freeze = "*.weight"
  |          ^^^^^^^^^^ this is a string
  = help: put it in brackets: freeze = [...]
)"},

{"WrongItemOfAList",
train_with("[model]", R"([model]
path = "m"
freeze = ["a", 3]
)"),
R"(
error: `freeze` takes a string
 --> run.toml:7:16
7 | freeze = ["a", 3]
  |                ^ this is an integer
  = help: put the value in quotes
)"},

{"DateForString",
train_with("[run]", R"([run]
kind = "train"
name = 2024-01-01
)"),
R"(
error: `name` takes a string
 --> run.toml:4:8
4 | name = 2024-01-01
  |        ^^^^^^^^^^ this is a date or time
  = help: put the value in quotes
)"},

{"DateInAFreeTable",
train_with("[x-notes]", R"([x-notes]
when = 2024-01-01
)"),
R"(
error: dates and times are not supported
  --> run.toml:18:8
18 | when = 2024-01-01
   |        ^^^^^^^^^^ this is a date or time
   = help: put it in quotes
)"},

{"EvaluationsWithoutData",
train_with("[train]", R"([train]
steps = 2
samples_per_step = 4
evaluate = { every = 5 }
)"),
R"(
error: `every` asks for evaluations
  --> run.toml:17:22
17 | evaluate = { every = 5 }
   |                      ^ there is no [[data.eval]] to evaluate on
   = help: add [[data.eval]], or take it out
)"},

{"BestCheckpointsWithoutAMetric",
train_with("[train]", R"([train]
steps = 2
samples_per_step = 4
checkpoint = { every = 2, keep_best = 1 }
)"),
R"(
error: `keep_best` keeps the best checkpoints by a metric
  --> run.toml:17:27
17 | checkpoint = { every = 2, keep_best = 1 }
   |                           ^^^^^^^^^ `best` names none
   = help: for example best = "eval/loss"
)"},

{"BestCheckpointsByAnEvaluationThatNeverComes",
train_with("[train]", R"([train]
steps = 2
samples_per_step = 4
checkpoint = { every = 2, keep_best = 1, best = "eval/loss" }
)"),
R"(
error: `eval/loss` must be known at each checkpoint
  --> run.toml:17:42
17 | checkpoint = { every = 2, keep_best = 1, best = "eval/loss" }
   |                                          ^^^^ train.evaluate.every is 0: never
   = help: make checkpoint.every a multiple of evaluate.every
)"},

{"CheckpointsKeptThatAreNotWritten",
train_with("[train]", R"([train]
steps = 2
samples_per_step = 4
checkpoint = { every = 3, keep_every = 10 }
)"),
R"(
error: `keep_every` keeps checkpoints that are written
  --> run.toml:17:27
17 | checkpoint = { every = 3, keep_every = 10 }
   |                           ^^^^^^^^^^ `every` is 3
   = help: make keep_every a multiple of every
)"},

{"OptionOfTheWrongType",
train_with("[algorithm]", R"([algorithm]
use = "dpo"
beta = "0.2"
)"),
R"(
error: `beta` takes a number
  --> run.toml:12:8
12 | beta = "0.2"
   |        ^^^^^ this is a string
   = help: remove the quotes: beta = 0.2
)"},

{"OptionBelowItsBound",
train_with("[algorithm]", R"([algorithm]
use = "dpo"
beta = 0
)"),
R"(
error: `beta` is out of range
  --> run.toml:12:8
12 | beta = 0
   |        ^ must be above 0.0
   = help: How strongly the policy is held to the reference
)"},

{"OptionAboveItsBound",
train_with("[algorithm]", R"([algorithm]
use = "dpo"
label_smoothing = 0.5
)"),
R"(
error: `label_smoothing` is out of range
  --> run.toml:12:19
12 | label_smoothing = 0.5
   |                   ^^^ must be below 0.5
   = help: Share of labels taken to be flipped
)"},

{"KeyBelowItsBound",
train_with("[train]", R"([train]
steps = -1
samples_per_step = 4
)"),
R"(
error: `steps` is out of range
  --> run.toml:15:9
15 | steps = -1
   |         ^^ must be at least 0
   = help: Optimizer steps; either this, `epochs` or `tokens`
)"},

{"KeyAboveItsBound",
train_with("[schedule]", R"([schedule]
use = "linear"
min_ratio = 1.5
)"),
R"(
error: `min_ratio` is out of range
  --> run.toml:19:13
19 | min_ratio = 1.5
   |             ^^^ must be at most 1.0
   = help: Learning rate at the end, as a share of the peak
)"},

{"NotANumber",
train_with("[optimizer]", R"([optimizer]
learning_rate = nan
)"),
R"(
error: `learning_rate` is out of range
  --> run.toml:13:17
13 | learning_rate = nan
   |                 ^^^ must be finite
   = help: Step size at the peak of the schedule
)"},

{"ItemOutOfRange",
train_with("[optimizer]", R"([optimizer]
learning_rate = 1e-5
betas = [0.9, 1.0]
)"),
R"(
error: `betas` is out of range
  --> run.toml:14:15
14 | betas = [0.9, 1.0]
   |               ^^^ must be below 1.0
   = help: adamw, muon: decay of the running mean of gradients and of their squares
)"},

{"OptionOfAnotherOptimizer",
train_with("[optimizer]", R"([optimizer]
use = "sgd"
learning_rate = 1e-5
betas = [0.9, 0.99]
)"),
R"(
error: `betas` has no meaning for `sgd`
  --> run.toml:15:1
15 | betas = [0.9, 0.99]
   | ^^^^^ it is an option of adamw and muon
   = help: take it out
)"},

{"OptionOfAnotherSchedule",
train_with("[schedule]", R"([schedule]
use = "linear"
decay_steps = 4
)"),
R"(
error: `decay_steps` has no meaning for `linear`
  --> run.toml:19:1
19 | decay_steps = 4
   | ^^^^^^^^^^^ it is an option of wsd
   = help: take it out
)"},

{"InBackwardCannotClip",
train_with("[optimizer]", R"([optimizer]
learning_rate = 1e-5
in_backward = true
)"),
R"(
error: `in_backward` cannot clip
  --> run.toml:14:1
14 | in_backward = true
   | ^^^^^^^^^^^ train.clip is 1.0, which needs the norm of the whole gradient before any update
   = help: set clip = 0.0 in [train], or take `in_backward` out
)"},

{"InBackwardCannotSkip",
train_with("[optimizer]", R"([optimizer]
learning_rate = 1e-5
in_backward = true
)"),
R"(
error: `in_backward` cannot leave out a step
  --> run.toml:14:1
14 | in_backward = true
   | ^^^^^^^^^^^ train.nonfinite is "skip", but updates are made before the whole gradient is known
   = help: set nonfinite = "stop" in [train], or take `in_backward` out
)",
{.sets = {"train.clip=0.0", "train.nonfinite='skip'"}}},

{"QuantizeOnCuda",
train_with("[model]", R"([model]
path = "m"
quantize = "nf4"
[adapter]
use = "lora"
)"),
R"(
error: 4-bit weights are read on the CPU
 --> run.toml:7:12
7 | quantize = "nf4"
  |            ^^^^^ [run] has device = "cuda"
  = help: take out `quantize`
)",
{.sets = {"run.device='cuda'"}}},

{"NesterovWithoutMomentum",
train_with("[optimizer]", R"([optimizer]
use = "sgd"
learning_rate = 1e-5
nesterov = true
)"),
R"(
error: `nesterov` looks ahead along a momentum
  --> run.toml:15:1
15 | nesterov = true
   | ^^^^^^^^ `momentum` is 0
   = help: for example momentum = 0.9
)"},

{"QuantizeWithoutAnAdapter",
train_with("[model]", R"([model]
path = "m"
quantize = "nf4"
)"),
R"(
error: 4-bit weights cannot be trained, only adapters beside them
 --> run.toml:7:1
7 | quantize = "nf4"
  | ^^^^^^^^ there is no [adapter]
  = help: add [adapter], or take out `quantize`
)"},

{"DoubleQuantOfNothing",
train_with("[model]", R"([model]
path = "m"
double_quant = false
)"),
R"(
error: `double_quant` is for 4-bit weights
 --> run.toml:7:1
7 | double_quant = false
  | ^^^^^^^^^^^^ `quantize` is not given
  = help: add quantize = "nf4", or take it out
)"},

{"BetasAreTwo",
train_with("[optimizer]", R"([optimizer]
learning_rate = 1e-5
betas = [0.9]
)"),
R"(
error: `betas` takes two numbers
  --> run.toml:14:9
14 | betas = [0.9]
   |         ^^^^^ this has 1
   = help: for example betas = [0.9, 0.999]
)"},

{"ChoiceWithANeighbour",
train_with("[model]", R"([model]
path = "m"
dtype = "bfloat32"
)"),
R"(
error: `dtype` cannot be `bfloat32`
 --> run.toml:7:9
7 | dtype = "bfloat32"
  |         ^^^^^^^^^^ expected float32 | bfloat16
  = help: did you mean `float32`?
)"},

{"ChoiceWithoutNeighbour",
train_with("[run]", R"([run]
kind = "train"
name = "a"
device = "tpu"
)"),
R"(
error: `device` cannot be `tpu`
 --> run.toml:5:10
5 | device = "tpu"
  |          ^^^^^ expected cpu | cuda
  = help: did you mean `cpu`?
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
error: `ignore` cannot be `spaces`
  --> run.toml:10:19
10 | ignore = ["case", "spaces"]
   |                   ^^^^^^^^ expected case | space
   = help: did you mean `space`?
)"},

{"NameThatIsAPath",
train_with("[run]", R"([run]
kind = "train"
name = "../a"
)"),
R"(
error: `../a` cannot name a folder
 --> run.toml:4:8
4 | name = "../a"
  |        ^^^^^^ expected a simple file name
  = help: use letters, digits, `_`, `-` and `.`; start with a letter, a digit or `_`
)"},

{"NeitherStepsNorEpochs",
train_with("[train]", R"([train]
samples_per_step = 4
)"),
R"(
error: [train] needs one of `steps`, `epochs` and `tokens`
  --> run.toml:14:2
14 | [train]
   |  ^^^^^ none is given
   = help: for example steps = 200
)"},

{"BothStepsAndEpochs",
train_with("[train]", R"([train]
epochs = 1
steps = 2
samples_per_step = 4
)"),
R"(
error: [train] takes one of `steps`, `epochs` and `tokens`
  --> run.toml:16:1
16 | steps = 2
   | ^^^^^ both are given
   = help: leave one
)"},

{"NeitherSizeOfAStep",
train_with("[train]", R"([train]
steps = 2
tokens_per_step = 0
)"),
R"(
error: [train] needs one of `samples_per_step` and `tokens_per_step`
  --> run.toml:14:2
14 | [train]
   |  ^^^^^ neither is given
   = help: for example tokens_per_step = 8192
)"},

{"BothSizesOfAStep",
train_with("[train]", R"([train]
steps = 2
samples_per_step = 4
tokens_per_step = 10
)"),
R"(
error: [train] takes one of `samples_per_step` and `tokens_per_step`
  --> run.toml:17:1
17 | tokens_per_step = 10
   | ^^^^^^^^^^^^^^^ both are given
   = help: leave one
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
error: two evaluations are named `exact_match`
  --> run.toml:11:7
11 | use = "org.paper.exact:exact_match"
   |       ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ the other is entry 1 of [[evaluate]]
   = help: give this one a `name`
)"},
};
// clang-format on

}  // namespace

INSTANTIATE_TEST_SUITE_P(Values, BrokenManifest, testing::ValuesIn(kValues), broken_name);

}  // namespace attune
