# SPDX-License-Identifier: Apache-2.0
"""A reward model gives Transformers the scores that it gives here: rewards.py ATTUNE MODEL_FOLDER WORK_FOLDER

Trains a reward model for a few steps on MODEL_FOLDER (a configuration will do) with a tokenizer whose padding token ends answers, loads
the result in AutoModelForSequenceClassification and scores a padded batch of conversations on both sides. Exits with 77 without Transformers.
"""
import json
import pathlib
import shutil
import subprocess
import sys

try:
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer
except ImportError as error:
    print(f"skipped: {error}; install torch and transformers to run this comparison")
    sys.exit(77)

attune, source, work = sys.argv[1], pathlib.Path(sys.argv[2]).resolve(), pathlib.Path(sys.argv[3]).resolve()
shutil.rmtree(work, ignore_errors=True)
model = work / "model"
shutil.copytree(source, model)
config = json.loads((model / "tokenizer_config.json").read_text())
config["unk_token"] = config["pad_token"]
config["pad_token"] = config["eos_token"]
(model / "tokenizer_config.json").write_text(json.dumps(config))
(work / "pairs.jsonl").write_text("".join(json.dumps({"q": f"Say {i}", "w": f"It is {i}, yes.", "l": "No " + "o" * (i % 5)}) + "\n" for i in range(24)))
(work / "run.toml").write_text(f"""schema = 1
[run]
kind = "train"
name = "reward"
output = "{work}/runs"
[model]
path = "{model}"
init = "random"
[[data.train]]
use = "columns"
path = "pairs.jsonl"
columns = {{ prompt = "q", chosen = "w", rejected = "l" }}
[algorithm]
use = "reward"
[optimizer]
learning_rate = 5e-3
[train]
steps = 6
samples_per_step = 4
""")
subprocess.run([attune, "run", str(work / "run.toml"), "--quiet"], check=True, stdout=subprocess.DEVNULL)
final = work / "runs" / "reward" / "final"
conversations = [[{"role": "user", "content": "Say 3"}, {"role": "assistant", "content": text}] for text in ("It is 3, yes.", "No", "Perhaps it is three, or four, or more.")]
(work / "in.jsonl").write_text("".join(json.dumps({"messages": messages}) + "\n" for messages in conversations))
subprocess.run([attune, "score", str(final), "--input", str(work / "in.jsonl"), "--output", str(work / "out.jsonl")], check=True)
here = torch.tensor([json.loads(line)["values"][0] for line in open(work / "out.jsonl")])

tokenizer = AutoTokenizer.from_pretrained(final)
judge = AutoModelForSequenceClassification.from_pretrained(final, dtype=torch.float32).eval()
assert tokenizer.pad_token_id == judge.config.pad_token_id != tokenizer.eos_token_id, (tokenizer.pad_token, judge.config.pad_token_id)
texts = [tokenizer.apply_chat_template(messages, tokenize=False) for messages in conversations]
with torch.no_grad():
    there = judge(**{k: v for k, v in tokenizer(texts, padding=True, add_special_tokens=False, return_tensors="pt").items() if k != "token_type_ids"}).logits[:, 0]
gap = (here - there).abs().max().item()
print(f"rewards {here.tolist()}, largest difference {gap:.1e}")
sys.exit(gap > 1e-5)
