// SPDX-License-Identifier: Apache-2.0
#include "manifest_fixture.h"

namespace attune {
namespace {

const std::string kPipeline = R"(schema = 1
[run]
kind = "pipeline"
name = "p"
[model]
path = "m"
[optimizer]
learning_rate = 1e-5
[train]
steps = 2
samples_per_step = 4
)";

const std::string kSft = R"([[stage]]
name = "sft"
kind = "train"
algorithm = { use = "sft" }
[[stage.data.train]]
use = "alpaca"
path = "p"
)";

// clang-format off
const Broken kPipelines[] = {
{"StageOutputOutsideAPipeline",
train_with("[model]", R"([model]
path = "@sft.final"
)"),
R"(
error: `@sft.final` names a stage, and this run has none
 --> run.toml:6:8
6 | path = "@sft.final"
  |        ^^^^^^^^^^^^ expected a path
  = help: only a run of kind "pipeline" has stages; a file of that name is ./@sft.final
)"},

{"NoStage",
R"(schema = 1
[run]
kind = "pipeline"
name = "p"
[model]
path = "m"
[optimizer]
learning_rate = 1e-5
[train]
steps = 2
samples_per_step = 4
)",
R"(
error: [[stage]] is missing
 --> run.toml:3:8
3 | kind = "pipeline"
  |        ^^^^^^^^^^ a pipeline needs it
  = help: One run of a pipeline. It also takes the tables above, merged over those of the top level
)"},

{"StageWithoutName",
kPipeline + R"([[stage]]
kind = "train"
algorithm = { use = "sft" }
[[stage.data.train]]
use = "alpaca"
path = "p"
)",
R"(
error: `name` is missing
  --> run.toml:12:1
12 | [[stage]]
   | ^^^^^^^^^ [[stage]] needs it
   = help: `name` (string, required): Name of the stage's folder; later stages use its output as "@name.final"
)"},

{"StageWithoutKind",
kPipeline + R"([[stage]]
name = "sft"
algorithm = { use = "sft" }
[[stage.data.train]]
use = "alpaca"
path = "p"
)",
R"(
error: `kind` is missing
  --> run.toml:12:1
12 | [[stage]]
   | ^^^^^^^^^ [[stage]] needs it
   = help: `kind` (train | generate | evaluate, required): What the stage does
)"},

{"StageOfKindPipeline",
kPipeline + R"([[stage]]
name = "sft"
kind = "pipeline"
algorithm = { use = "sft" }
[[stage.data.train]]
use = "alpaca"
path = "p"
)",
R"(
error: `kind` cannot be `pipeline`
  --> run.toml:14:8
14 | kind = "pipeline"
   |        ^^^^^^^^^^ expected train | generate | evaluate
   = help: What the stage does
)"},

{"StageNameWithADot",
kPipeline + R"([[stage]]
name = "s.ft"
kind = "train"
algorithm = { use = "sft" }
[[stage.data.train]]
use = "alpaca"
path = "p"
)",
R"(
error: `s.ft` cannot name a folder
  --> run.toml:13:8
13 | name = "s.ft"
   |        ^^^^^^ expected a simple file name without dots
   = help: use letters, digits, `_` and `-`; start with a letter, a digit or `_`
)"},

{"TwoStagesOfOneName",
kPipeline + kSft + kSft,
R"(
error: two stages are named `sft`
  --> run.toml:20:8
20 | name = "sft"
   |        ^^^^^ the other is stage 1
   = help: give each its own name
)"},

{"StageWithoutAlgorithm",
kPipeline + R"([[stage]]
name = "sft"
kind = "train"
[[stage.data.train]]
use = "alpaca"
path = "p"
)",
R"(
error: [algorithm] is missing
  --> run.toml:14:8
14 | kind = "train"
   |        ^^^^^^^ a train stage needs it
   = help: How to learn; options of the algorithm stand beside `use`
)"},

{"StageThatIsUnknown",
kPipeline + kSft + R"([[stage]]
name = "ask"
kind = "generate"
[stage.model]
path = "@stf.final"
[stage.generate.data]
use = "alpaca"
path = "p"
)",
R"(
error: `@stf.final` names no earlier stage
  --> run.toml:23:8
23 | path = "@stf.final"
   |        ^^^^^^^^^^^^ there is no stage `stf`
   = help: did you mean `@sft.final`? earlier stages: `sft`
)"},

{"StageThatComesLater",
kPipeline + R"([[stage]]
name = "ask"
kind = "generate"
[stage.model]
path = "@sft.final"
[stage.generate.data]
use = "alpaca"
path = "p"
)" + kSft,
R"(
error: `@sft.final` names no earlier stage
  --> run.toml:16:8
16 | path = "@sft.final"
   |        ^^^^^^^^^^^^ `sft` comes later
   = help: this is the first stage
)"},

{"StageThatIsThisOne",
kPipeline + kSft + R"([[stage]]
name = "ask"
kind = "generate"
[stage.model]
path = "@ask.final"
[stage.generate.data]
use = "alpaca"
path = "p"
)",
R"(
error: `@ask.final` names no earlier stage
  --> run.toml:23:8
23 | path = "@ask.final"
   |        ^^^^^^^^^^^^ `ask` is this stage
   = help: earlier stages: `sft`
)"},

{"StageWithoutThatOutput",
kPipeline + kSft + R"([[stage]]
name = "ask"
kind = "generate"
[stage.model]
path = "@sft.answers"
[stage.generate.data]
use = "alpaca"
path = "p"
)",
R"(
error: the stage `sft` has no output `answers`
  --> run.toml:23:8
23 | path = "@sft.answers"
   |        ^^^^^^^^^^^^^^ `path` cannot use it
   = help: a train stage gives `@sft.final`
)"},

{"StageTableThatItsKindNeverReads",
kPipeline + kSft + R"([stage.generate]
max_tokens = 3
)",
R"(
error: [generate] is not used
  --> run.toml:19:8
19 | [stage.generate]
   |        ^^^^^^^^ no train stage reads it
   = help: only a run of kind generate reads it; take it out
)"},

{"StageKeyThatIsUnknown",
kPipeline + R"([[stage]]
name = "sft"
kind = "train"
steps = 3
algorithm = { use = "sft" }
[[stage.data.train]]
use = "alpaca"
path = "p"
)",
R"(
error: unknown key `steps`
  --> run.toml:15:1
15 | steps = 3
   | ^^^^^ not a key of [[stage]]
   = help: `steps` belongs to [train]
)"},

{"DefaultThatNoStageReads",
kPipeline + R"([generate]
max_tokens = 3
)" + kSft,
R"(
error: [generate] is not used
  --> run.toml:12:2
12 | [generate]
   |  ^^^^^^^^ no stage of this pipeline reads it
   = help: only a run of kind generate reads it; take it out
)"},

{"DefaultThatIsWrongIsReportedOnce",
kPipeline + R"([schedule]
use = "cosin"
)" + kSft + R"([[stage]]
name = "again"
kind = "train"
algorithm = { use = "sft" }
[[stage.data.train]]
use = "alpaca"
path = "p"
)",
R"(
error: `use` cannot be `cosin`
  --> run.toml:13:7
13 | use = "cosin"
   |       ^^^^^^^ expected constant | linear | cosine | wsd
   = help: did you mean `cosine`?
)"},

{"StagesAsOneTable",
kPipeline + R"([stage]
name = "sft"
)",
R"(
error: `stage` takes a list of tables
  --> run.toml:12:2
12 | [stage]
   |  ^^^^^ this is a table
   = help: write [[stage]], with two pairs of brackets
)"},
};
// clang-format on

}  // namespace

INSTANTIATE_TEST_SUITE_P(Pipelines, BrokenManifest, testing::ValuesIn(kPipelines), broken_name);

}  // namespace attune
