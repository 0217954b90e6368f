// SPDX-License-Identifier: Apache-2.0
// The tables that say what is run: schema, include, env, run, plugins, model, reference, data.
#include "kernel/host/manifest/manifest_tables.h"

namespace attune::manifest {

const char* const kRun = R"toml(
[schema]
type = "int"
required = true
min = 1
max = 1
help = "Version of this language; the first key of the file"

[include]
type = "list"
items = "string"
default = []
help = "Files to start from, relative to this one; tables merge, all else is replaced"

[env]
type = "table"
help = "Environment variables that ${NAME} in a string may use"

[env.members."*"]
type = "table"
help = "One variable, for example [env.DATA]"

[env.members."*".members.default]
type = "string"
help = "Value where the variable is not set"

[env.members."*".members.required]
type = "bool"
help = "Whether it must be set; true where there is no default. Not required and no default: empty"

[env.members."*".members.secret]
type = "bool"
default = false
help = "Whether values made of it stay out of logs, locks and records"

[run]
type = "table"
required = true
help = "What to do, where, and under which name"

[run.members.kind]
type = "enum"
required = true
choices = ["train", "generate", "evaluate", "pipeline"]
help = "What the run does"

[run.members.name]
type = "string"
required = true
help = "Name of the run's folder inside `output`"

[run.members.seed]
type = "int"
default = 0
min = 0
help = "Start of every random stream"

[run.members.output]
type = "path"
default = "runs"
help = "Folder that holds the folders of runs"

[run.members.device]
type = "enum"
default = "cpu"
choices = ["cpu", "cuda"]
help = "Where tensors live"

[run.members.threads]
type = "int"
default = 0
min = 0
help = "Threads on the CPU; 0: all cores"

[plugins]
type = "table"
help = "Where plugins are found"

[plugins.members.path]
type = "list"
items = "path"
default = []
help = "Folders to search before the usual ones"
)toml";

const char* const kModel = R"toml(
[model]
type = "table"
required = true
plugin = "model/1"
supplied = ["config"]
runs = ["train", "generate", "evaluate"]
help = "The model to train, to ask, or to judge; options of a model plugin stand beside `use`"

[model.members.use]
type = "string"
default = ""
help = "Model plugin; empty: the one that declares the architecture in config.json"

[model.members.path]
type = "path"
required = true
help = "Folder in the Hugging Face layout, a checkpoint file, or \"@stage.final\""

[model.members.dtype]
type = "enum"
default = "float32"
choices = ["float32", "bfloat16"]
help = "Type of weights and activations; reductions and master weights are float32"

[model.members.init]
type = "enum"
default = "checkpoint"
choices = ["checkpoint", "random"]
help = "Whether weights are read, or drawn anew for the configuration in `path`"

[model.members.tokenizer]
type = "path"
default = ""
help = "Folder of the tokenizer; empty: the model's own"

[model.members.freeze]
type = "list"
items = "string"
default = []
help = "Patterns (*, ?) of parameters that training leaves alone"

[model.members.new_parameters]
type = "list"
items = "string"
default = []
help = "Patterns of parameters that the checkpoint may lack; they are drawn anew"

[model.members.quantize]
type = "enum"
choices = ["nf4"]
help = "nf4: below an [adapter] the blocks' linear weights are kept in 4 bits (QLoRA: Dettmers et al., 2023) and computed with in `dtype`"

[model.members.double_quant]
type = "bool"
help = "nf4: keep the scales of the weights in 8 bits as well; default true"

[generator]
type = "table"
plugin = "generator/1"
runs = ["generate", "evaluate"]
help = "Who answers in place of a [model]: a server, by a plugin whose options stand beside `use`"

[generator.members.use]
type = "string"
required = true
help = "Generator plugin"

[adapter]
type = "table"
runs = ["train"]
help = "Train a low-rank change of the model's linear layers, not the model; the reference is the model without it"

[adapter.members.use]
type = "enum"
required = true
choices = ["lora", "dora"]
help = "lora: W + scale B A (Hu et al., 2022); dora: with magnitudes of its rows (Liu et al., 2024)"

[adapter.members.rank]
type = "int"
default = 16
min = 1
help = "Rows of A, columns of B"

[adapter.members.alpha]
type = "float"
default = 32.0
above = 0.0
help = "The change is scaled by alpha / rank"

[adapter.members.rank_stabilised]
type = "bool"
default = false
help = "Scale by alpha / sqrt(rank) instead (rsLoRA: Kalajdzievski, 2023)"

[adapter.members.targets]
type = "list"
items = "string"
default = []
help = "Layers, as in [\"q_proj\", \"model.layers.1?.*\"]: last parts of names or patterns; empty: every linear layer but heads, routers and experts"

[adapter.members.b_rate]
type = "float"
default = 1.0
above = 0.0
help = "Learning rate of B over that of A (LoRA+: Hayou et al., 2024, 16 there)"

[adapter.members.path]
type = "path"
default = ""
help = "Folder of an adapter, as PEFT writes it, to go on from; its rank and layers count"

[adapter.members.merge]
type = "bool"
default = true
help = "Whether final/ is the whole model with the change in it (and adapter/ the change alone), or the change alone"

[reference]
type = "table"
runs = ["train"]
help = "The model that an algorithm compares with"

[reference.members.mode]
type = "enum"
default = "cached"
choices = ["cached", "live"]
help = "Whether its log-probabilities are computed once and stored, or again at each step"

[reference.members.top_k]
type = "int"
default = 0
min = 0
max = 65536
help = "Distillation with mode = \"cached\": how many of the teacher's likeliest tokens are stored for each position"

[reference.members.sync_every]
type = "int"
default = 0
min = 0
help = "Steps after which a live reference moves towards the policy (TR-DPO; Gorbatovski et al., 2024); 0: never"

[reference.members.sync_mixup]
type = "float"
default = 0.6
above = 0.0
max = 1.0
help = "Share of the policy in the reference after it moved"

[reference.members.path]
type = "path"
default = ""
help = "Its checkpoint; empty: what [model] starts from"

[reference.members.cache]
type = "path"
default = ""
help = "Folder of stored log-probabilities; empty: cache/reference in the run's `output`"
)toml";

const char* const kData = R"toml(
[data]
type = "table"
required = true
runs = ["train"]
help = "What to learn from"

[data.members.train]
type = "list"
items = "table"
required = true
plugin = "dataset/1"
help = "Training data; several entries are joined in order"

[data.members.train.members.use]
type = "string"
required = true
help = "Dataset plugin: maps a record to a sample"

[data.members.train.members.path]
type = "path"
required = true
help = "File of records, folder of such, pattern with *, ? or [...], or the output of a stage"

[data.members.train.members.reader]
type = "table"
plugin = "reader/1"
supplied = ["path"]
help = "How to read the files, where their suffix does not say, with options: reader = { use = \"csv\", delimiter = \";\" }"

[data.members.train.members.reader.members.use]
type = "string"
required = true
help = "Reader plugin"

[data.members.train.members.weight]
type = "float"
default = 0.0
min = 0.0
help = "Share of this entry in a mixture; 0: entries follow each other"

[data.members.train.members.stream]
type = "bool"
default = false
help = "Map each row when its turn comes instead of all at the start; a row must give one sample"

[data.members.train.members.limit]
type = "int"
default = 0
min = 0
help = "Records to use, from the first; 0: all"

[data.members.train.members.max_dropped]
type = "float"
default = 0.0
min = 0.0
max = 1.0
help = "Share of records that may be dropped because they do not map"

[data.members.mix]
type = "enum"
default = "samples"
choices = ["samples", "tokens"]
help = "What the weights of a mixture are shares of"

[data.members.duplicates]
type = "enum"
default = "keep"
choices = ["keep", "drop"]
help = "Whether training samples with the prompt and answers of an earlier one are left out"

[data.members.heldout]
type = "list"
items = "table"
default = []
plugin = "dataset/1"
help = "Items of benchmarks that must not be in the training data"

[data.members.ngram]
type = "int"
default = 13
min = 5
help = "So many words in a row of a held-out item make a training sample contaminated (Brown et al., 2020)"

[data.members.contaminated]
type = "enum"
default = "refuse"
choices = ["refuse", "drop", "report"]
help = "What is done with contaminated training samples"

[data.members.eval]
type = "list"
items = "table"
default = []
plugin = "dataset/1"
help = "Held-out data for the loss during training"
)toml";

}  // namespace attune::manifest
