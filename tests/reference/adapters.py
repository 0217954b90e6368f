# SPDX-License-Identifier: Apache-2.0
"""Adapters here and in PEFT: adapters.py ATTUNE_BINARY MODEL_CONFIG_FOLDER WORK_FOLDER

Trains LoRA (of the head as well), rank-stabilised LoRA and DoRA on a small model of random weights, loads each adapter in PEFT and compares log-probabilities
with `attune score` of the merged model and of the adapter's folder; then makes adapters of random numbers in PEFT and scores them here.
Exits with 1 where any differs by more than 1e-5, with 77 where Python has no peft (numbers: peft 0.21.2, transformers 5.23.0).
"""
import json
import pathlib
import shutil
import subprocess
import sys

try:
    import torch
    import transformers
    from peft import LoraConfig, PeftModel, get_peft_model
except ImportError as missing:
    print(f"skipped: {missing}")
    sys.exit(77)

attune, config, work = sys.argv[1], pathlib.Path(sys.argv[2]).resolve(), pathlib.Path(sys.argv[3]).resolve()
shutil.rmtree(work, ignore_errors=True)
work.mkdir(parents=True)
TEXT = "Adapters change little: what they change must be the same on both sides."
(work / "pairs.jsonl").write_text("".join(json.dumps({"q": f"Say {i}", "w": f"It is {i}, yes.", "l": "No " + "o" * (i % 5)}) + "\n" for i in range(24)))


def train(name, model, adapter):
    (work / f"{name}.toml").write_text(f"""schema = 1
[run]
kind = "train"
name = "{name}"
output = "{work}/runs"
[model]
{model}
[[data.train]]
use = "columns"
path = "{work}/pairs.jsonl"
columns = {{ prompt = "q", chosen = "w", rejected = "l" }}
[algorithm]
use = "dpo"
[optimizer]
learning_rate = 5e-3
[train]
steps = 4
samples_per_step = 4
{adapter}
""")
    subprocess.run([attune, "run", str(work / f"{name}.toml"), "--quiet"], check=True, stdout=subprocess.DEVNULL)
    return work / "runs" / name


def here(folder):
    out = subprocess.run([attune, "score", str(folder), "--text", TEXT], check=True, capture_output=True, text=True).stdout
    row = json.loads(out.splitlines()[0])
    return row["ids"], torch.tensor(row["logprobs"][1:], dtype=torch.float64)


def there(model, ids):
    with torch.no_grad():
        logprobs = model(torch.tensor([ids])).logits[0].double().log_softmax(-1)
    return logprobs[:-1].gather(1, torch.tensor(ids[1:])[:, None])[:, 0]


worst = 0.0


def compare(what, folder, model):
    global worst
    ids, ours = here(folder)
    gap = (ours - there(model, ids)).abs().max().item()
    worst = max(worst, gap)
    print(f"{what}: largest difference {gap:.1e}")


def untied():
    folder = work / "untied"
    shutil.copytree(config, folder)
    settings = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(settings | {"tie_word_embeddings": False}))
    return folder


base = train("base", f'path = "{untied()}"\ninit = "random"', "") / "final"
load = lambda: transformers.AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
KINDS = {"lora": 'use = "lora"', "rslora": 'use = "lora"\nrank_stabilised = true', "dora": 'use = "dora"',
         "some": 'use = "lora"\ntargets = ["q_proj", "model.layers.1.mlp.down_proj"]',
         "head": 'use = "lora"\ntargets = ["lm_head", "q_proj", "down_proj"]'}
for name, adapter in KINDS.items():
    run = train(name, f'path = "{base}"', f"[adapter]\nrank = 4\n{adapter}")
    apart = PeftModel.from_pretrained(load(), run / "adapter").eval()
    compare(f"{name}, merged here, apart in PEFT", run / "final", apart)
    compare(f"{name}, the adapter's folder here, merged in PEFT", run / "adapter", apart.merge_and_unload())
    merged, apart = here(run / "final")[1], here(run / "adapter")[1]
    print(f"{name}, merged and apart here: largest difference {(merged - apart).abs().max().item():.1e}")
    worst = max(worst, (merged - apart).abs().max().item())

for name, options in {"lora": {}, "rslora": {"use_rslora": True}, "dora": {"use_dora": True}, "head": {"target_modules": ["lm_head", "q_proj", "down_proj"]}}.items():
    torch.manual_seed(1)
    model = get_peft_model(load(), LoraConfig(**{"r": 3, "lora_alpha": 7, "target_modules": "all-linear", "task_type": "CAUSAL_LM"} | options))
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.add_(torch.randn_like(parameter) * 0.05)
    model.eval().save_pretrained(work / f"peft-{name}")
    compare(f"{name} of PEFT", work / f"peft-{name}", model)

print(f"largest difference {worst:.1e}")
sys.exit(worst > 1e-5)
