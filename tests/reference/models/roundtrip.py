# SPDX-License-Identifier: Apache-2.0
"""Loads and exports every model of parity.py through the engine: roundtrip.py ATTUNE TOKENIZER

ATTUNE is the binary, TOKENIZER a folder with tokenizer.json for 259 tokens or fewer (configs/tiny/model). Transformers saves
each model; `attune run` trains all that ends in the final norm for one step and freezes the rest; of the folder that it
writes
  - names and shapes must be those that Transformers saved, and every frozen tensor must have the same bits;
  - Transformers must load it with no key missing, unexpected or mismatched, and give the same log-probabilities (1e-4) as
    for the model before, but with the trained norm.
Needs torch, safetensors and transformers.
"""
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

import torch
import transformers
from safetensors.torch import load_file

from cases import CASES
from parity import build

LAST = {"gpt2": "transformer.ln_f", "opt": "model.decoder.final_layer_norm"}
RUN = """schema = 1
[run]
kind = "train"
name = "{name}"
output = "{out}"
[model]
path = "{model}"
freeze = {freeze}
[[data.train]]
use = "columns"
path = "{rows}"
columns = {{ prompt = "question", answer = "answer" }}
[algorithm]
use = "sft"
[optimizer]
learning_rate = 1e-6
[schedule]
use = "constant"
warmup_steps = 0
[train]
epochs = 1.0
samples_per_step = 2
tokens_per_batch = 256
max_length = 40
"""


def through_the_engine(attune, model_folder, out, trained):
    rows = out / "rows.jsonl"
    rows.write_text("".join(json.dumps({"question": "What is " + x, "answer": "It is " + x[::-1]}) + "\n" for x in ("blue", "round")))
    frozen = sorted(name for name in load_file(model_folder / "model.safetensors") if not name.startswith(trained))
    manifest = out / "run.toml"
    manifest.write_text(RUN.format(name="trip", out=out / "runs", model=model_folder, rows=rows, freeze=json.dumps(frozen)))
    ran = subprocess.run([attune, "run", manifest], capture_output=True, text=True)
    if ran.returncode:
        raise SystemExit(f"{model_folder}: {ran.stdout}{ran.stderr}")
    return next((out / "runs").glob("**/final"))


def trip(attune, tokenizer, model, name, architecture, settings):
    # Room for the tokenizer's ids, and a final norm wherever the architecture may have one.
    original = build(architecture, {**settings, "vocab_size": 259})
    trained = LAST.get(model, "model.norm")
    if not any(key.startswith(trained) for key, _ in original.named_parameters()):
        trained = [key for key, parameter in original.named_parameters() if parameter.dim() == 1][-1].rsplit(".", 1)[0]
    with tempfile.TemporaryDirectory() as room:
        room = pathlib.Path(room)
        original.save_pretrained(room / "model")
        for file in tokenizer.iterdir():
            if file.name.startswith(("tokenizer", "chat_template", "special_tokens")):
                shutil.copy(file, room / "model")
        final = through_the_engine(attune, room / "model", room, trained)
        before, after = load_file(room / "model" / "model.safetensors"), load_file(final / "model.safetensors")
        assert before.keys() == after.keys(), before.keys() ^ after.keys()
        moved = 0.0
        for key in before:
            assert before[key].shape == after[key].shape and before[key].dtype == after[key].dtype, key
            if key.startswith(trained):
                moved = max(moved, (before[key] - after[key]).abs().max().item())
            else:
                assert torch.equal(before[key], after[key]), key
        assert 0 < moved < 1e-5, moved
        again, report = getattr(transformers, architecture).from_pretrained(final, output_loading_info=True, attn_implementation="eager")
        assert not any(report[key] for key in ("missing_keys", "unexpected_keys", "mismatched_keys")), report
        own = dict(original.named_parameters())
        with torch.no_grad():
            for key in after:
                if key.startswith(trained):
                    own[key].copy_(after[key])
            ids = torch.arange(40)[None] * 7 % 259
            gap = (original(ids).logits.log_softmax(-1) - again.eval()(ids).logits.log_softmax(-1)).abs().max().item()
        assert gap <= 1e-4, gap
    print(f"{model:10} {name:14} {len(before):3} tensors, same names and bits; trained {trained} moved {moved:.1e}; "
          f"in Transformers {gap:.1e}", flush=True)


if __name__ == "__main__":
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    attune, tokenizer = sys.argv[1], pathlib.Path(sys.argv[2])
    for model, (architecture, base, cases) in CASES.items():
        if sys.argv[3:] and model not in sys.argv[3:]:
            continue
        for name, changes in cases.items():
            trip(attune, tokenizer, model, name, architecture, {**base, **changes})
