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
TODO
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
TODO
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
TODO
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
TODO
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
TODO
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
TODO
)"},

{"TwoStagesOfOneName",
kPipeline + kSft + kSft,
R"(
TODO
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
TODO
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
TODO
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
TODO
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
TODO
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
TODO
)"},

{"StageTableThatItsKindNeverReads",
kPipeline + kSft + R"([stage.generate]
max_tokens = 3
)",
R"(
TODO
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
TODO
)"},

{"DefaultThatNoStageReads",
kPipeline + R"([generate]
max_tokens = 3
)" + kSft,
R"(
TODO
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
TODO
)"},

{"StagesAsOneTable",
kPipeline + R"([stage]
name = "sft"
)",
R"(
TODO
)"},
};
// clang-format on

}  // namespace

INSTANTIATE_TEST_SUITE_P(Pipelines, BrokenManifest, testing::ValuesIn(kPipelines), broken_name);

}  // namespace attune
