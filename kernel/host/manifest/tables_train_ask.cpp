// SPDX-License-Identifier: Apache-2.0
// The tables that say how: algorithm, optimizer, schedule, train, generate, evaluate, tracker, stage.
#include "kernel/host/manifest/manifest_tables.h"

namespace attune::manifest {

const char* const kTrain = R"toml(
[algorithm]
type = "table"
required = true
plugin = "algorithm/1"
runs = ["train"]
help = "How to learn; options of the algorithm stand beside `use`"

[algorithm.members.use]
type = "string"
required = true
help = "Algorithm plugin"

[optimizer]
type = "table"
required = true
runs = ["train"]
help = "How gradients move the weights"

[optimizer.members.use]
type = "enum"
default = "adamw"
choices = ["adamw", "sgd", "muon"]
help = "adamw (Loshchilov and Hutter, 2019); sgd; muon (Jordan et al., 2024) for hidden matrices, with adamw for all else"

[optimizer.members.learning_rate]
type = "float"
required = true
above = 0.0
help = "Step size at the peak of the schedule"

[optimizer.members.betas]
type = "list"
items = "float"
default = [0.9, 0.999]
min = 0.0
below = 1.0
help = "adamw, muon: decay of the running mean of gradients and of their squares"

[optimizer.members.eps]
type = "float"
default = 1e-8
above = 0.0
help = "adamw, muon: added to the denominator"

[optimizer.members.weight_decay]
type = "float"
default = 0.0
min = 0.0
help = "Weight decay of all but norms and biases; decoupled, except as `decay` says"

[optimizer.members.states]
type = "enum"
choices = ["float32", "int8"]
help = "adamw: type of the running means; int8: in blocks of 256 (Dettmers et al., 2022), a quarter of the memory; default float32"

[optimizer.members.momentum]
type = "float"
min = 0.0
below = 1.0
help = "sgd, muon: decay of the sum (muon: mean) of gradients; default 0.0, of muon 0.95"

[optimizer.members.nesterov]
type = "bool"
help = "sgd, muon: look ahead along the momentum; default false, of muon true"

[optimizer.members.decay]
type = "enum"
choices = ["coupled", "decoupled"]
help = "sgd: whether weight decay is a part of the gradient, as an L2 penalty is, or shrinks the weight beside it; default coupled"

[optimizer.members.scale]
type = "enum"
choices = ["original", "match_rms_adamw"]
help = "muon: size of a step of an O x I matrix, sqrt(max(1, O/I)) or 0.2 sqrt(max(O, I)), which takes AdamW's learning rates (Liu et al., 2025); default original"

[optimizer.members.newton_schulz]
type = "enum"
choices = ["float32", "bfloat16"]
help = "muon: type in which the momentum is made orthogonal; default float32"

[optimizer.members.adamw_rate]
type = "float"
above = 0.0
help = "muon: learning rate of what adamw moves, over `learning_rate`; default 1.0"

[optimizer.members.in_backward]
type = "bool"
default = false
help = "Update each parameter in the backward pass and drop its gradient (Lv et al., 2024); needs clip = 0 and steps of one batch"

[schedule]
type = "table"
runs = ["train"]
help = "How the learning rate changes"

[schedule.members.use]
type = "enum"
default = "constant"
choices = ["constant", "linear", "cosine", "wsd"]
help = "Shape after the warm-up; wsd: constant until the last `decay_steps` (Hu et al., 2024)"

[schedule.members.warmup_steps]
type = "int"
default = 0
min = 0
help = "Steps from zero to the full learning rate"

[schedule.members.min_ratio]
type = "float"
default = 0.0
min = 0.0
max = 1.0
help = "Learning rate at the end, as a share of the peak"

[schedule.members.decay_steps]
type = "int"
min = 0
help = "wsd: steps in which the rate falls; default 0: a tenth of all"

[schedule.members.decay]
type = "enum"
choices = ["linear", "cosine", "sqrt"]
help = "wsd: shape of the fall; sqrt: 1 - sqrt (Haegele et al., 2024); default linear"

[train]
type = "table"
required = true
runs = ["train"]
help = "How long, in which batches, and what to write when"

[train.members.steps]
type = "int"
default = 0
min = 0
help = "Optimizer steps; either this, `epochs` or `tokens`"

[train.members.epochs]
type = "float"
default = 0.0
min = 0.0
help = "Passes over the data; either this, `steps` or `tokens`"

[train.members.tokens]
type = "int"
default = 0
min = 0
help = "Tokens to train on, a budget; either this, `steps` or `epochs`"

[train.members.samples_per_step]
type = "int"
default = 0
min = 0
help = "Samples of one optimizer step; either this or `tokens_per_step`"

[train.members.tokens_per_step]
type = "int"
default = 0
min = 0
help = "Tokens of one optimizer step; either this or `samples_per_step`"

[train.members.tokens_per_batch]
type = "int"
default = 8192
min = 1
help = "Tokens that go through the model at once; bounds memory"

[train.members.activation_checkpointing]
type = "count"
default = false
help = "Layers, from the first, whose activations are not kept but computed again in the backward pass (Chen et al., 2016): less memory, more time; true: all"

[train.members.max_length]
type = "int"
default = 1024
min = 1
help = "Tokens of the longest sequence"

[train.members.truncation]
type = "enum"
default = "end"
choices = ["end", "turns", "refuse"]
help = "What a longer conversation loses: its end, its oldest turns, or its place in the data"

[train.members.scored]
type = "enum"
default = "assistant"
choices = ["assistant", "last", "all"]
help = "What is learned from: the assistant's turns behind the prompt, the last of them, or the whole text"

[train.members.neftune_alpha]
type = "float"
default = 0.0
min = 0.0
help = "Size of the noise on embeddings (NEFTune; Jain et al., 2024); 5 is usual, 0: none"

[train.members.clip]
type = "float"
default = 1.0
min = 0.0
help = "Largest norm of the gradient; 0: no limit"

[train.members.nonfinite]
type = "enum"
default = "stop"
choices = ["stop", "skip"]
help = "What a loss or gradient that is not finite does: ends the run, or leaves its step out. May be changed on the way"

[train.members.nonfinite_limit]
type = "int"
default = 10
min = 1
help = "Steps in a row that may be left out before the run ends"

[train.members.share_prompt]
type = "bool"
default = true
help = "Whether the answers to one prompt share its computation"

[train.members.shuffle]
type = "bool"
default = true
help = "Whether each epoch has its own order"

[train.members.checkpoint]
type = "table"
help = "State to resume from"

[train.members.checkpoint.members.every]
type = "int"
default = 0
min = 0
help = "Steps between checkpoints; 0: at the end only"

[train.members.checkpoint.members.keep]
type = "int"
default = 2
min = 1
help = "How many of the newest stay"

[train.members.checkpoint.members.keep_every]
type = "int"
default = 0
min = 0
help = "Those whose step is a multiple of this stay for good; 0: none"

[train.members.checkpoint.members.keep_best]
type = "int"
default = 0
min = 0
help = "How many with the best values of `best` stay"

[train.members.checkpoint.members.best]
type = "string"
default = ""
help = "Metric that tells the best checkpoints, such as \"eval/loss\""

[train.members.checkpoint.members.best_is]
type = "enum"
default = "lowest"
choices = ["lowest", "highest"]
help = "Which value of `best` is the best"

[train.members.checkpoint.members.background]
type = "bool"
default = true
help = "Train on while a checkpoint is written; false: wait, and save the memory of a copy of the state"

[train.members.evaluate]
type = "table"
help = "Loss on [[data.eval]]"

[train.members.evaluate.members.every]
type = "int"
default = 0
min = 0
help = "Steps between evaluations; 0: never"
)toml";

const char* const kAsk = R"toml(
[generate]
type = "table"
required = true
runs = ["generate"]
help = "What to ask, and how to sample the answers"

[generate.members.data]
type = "table"
required = true
plugin = "dataset/1"
help = "The prompts"

[generate.members.max_tokens]
type = "int"
default = 128
min = 1
help = "Longest answer"

[generate.members.temperature]
type = "float"
default = 0.0
min = 0.0
help = "0: the likeliest token"

[generate.members.top_k]
type = "int"
default = 0
min = 0
help = "Sample among this many tokens; 0: all"

[generate.members.top_p]
type = "float"
default = 1.0
above = 0.0
max = 1.0
help = "Sample among the likeliest tokens with this much probability"

[generate.members.seed]
type = "int"
default = 0
min = 0
help = "Start of the answers' random streams"

[generate.members.stop]
type = "list"
items = "string"
default = []
help = "Texts that end an answer"

[generate.members.batch]
type = "int"
default = 16
min = 1
help = "Answers written at the same time"

[evaluate]
type = "list"
items = "table"
required = true
plugin = "evaluator/1"
runs = ["evaluate"]
help = "What to measure; options of the evaluator stand beside `use`"

[evaluate.members.use]
type = "string"
required = true
help = "Evaluator plugin"

[evaluate.members.name]
type = "string"
default = ""
help = "Name in the results; empty: that of the evaluator"

[evaluate.members.data]
type = "table"
required = true
plugin = "dataset/1"
help = "What the model is asked"

[tracker]
type = "list"
items = "table"
default = []
plugin = "tracker/1"
runs = ["train", "evaluate"]
help = "Where metrics go besides metrics.jsonl; options of the tracker stand beside `use`"

[tracker.members.use]
type = "string"
required = true
help = "Tracker plugin"

[stage]
type = "list"
items = "table"
required = true
runs = ["pipeline"]
help = "One run of a pipeline. It also takes the tables above, merged over those of the top level"

[stage.members.name]
type = "string"
required = true
help = "Name of the stage's folder; later stages use its output as \"@name.final\""

[stage.members.kind]
type = "enum"
required = true
choices = ["train", "generate", "evaluate"]
help = "What the stage does"

[stage.members.run]
type = "table"
help = "What differs from the top level's [run]"

[stage.members.run.members.seed]
type = "int"
min = 0
help = "Start of every random stream"

[stage.members.run.members.device]
type = "enum"
choices = ["cpu", "cuda"]
help = "Where tensors live"

[stage.members.run.members.threads]
type = "int"
min = 0
help = "Threads on the CPU; 0: all cores"
)toml";

}  // namespace attune::manifest
