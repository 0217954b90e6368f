# SPDX-License-Identifier: Apache-2.0
"""The same training work in Attune and in TRL, in turn, on this machine.

  side_by_side.py --attune build/bin/attune --model FOLDER --data ROWS.jsonl --trl TRAIN.py --python PYTHON
                  [--methods dpo,sft,orpo,kto,reward] [--dtypes float32,bfloat16] [--lora RANK] [--steps 6] [--batch 4] [--repeats 3] [--name NAME]
                  [--page FILE]

FOLDER is SmolLM2-135M in the Hugging Face layout, ROWS has plain `prompt`, `chosen`, `rejected` (rows.py makes them), TRAIN.py runs
one TRL training and prints a JSON line with tokens_per_s, peak_rss_mb and loss. Both sides see the same rows in the same order without
a chat template. Tokens count every answer with its prompt, so sharing a prompt shows as speed; Attune's time includes the pass
that caches the reference. Losses are comparable where both sides begin alike: not with adapters or a new reward head.
Prints a row of a table per method and dtype, median and range of the repeats; with --page also below those of the same columns on a page.
"""
import argparse
import json
import os
import pathlib
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile

parser = argparse.ArgumentParser()
for name in ("attune", "model", "data", "trl", "python"):
    parser.add_argument("--" + name, required=True)
parser.add_argument("--methods", default="dpo,sft")
parser.add_argument("--dtypes", default="float32,bfloat16")
parser.add_argument("--steps", type=int, default=6)
parser.add_argument("--batch", type=int, default=4)
parser.add_argument("--max-length", type=int, default=512)
parser.add_argument("--repeats", type=int, default=3)
parser.add_argument("--name", default="", help="what the rows are called besides the method")
parser.add_argument("--page", help="a page with <!-- sides --> ... <!-- /sides -->; a row of the same name is replaced")
parser.add_argument("--lora", type=int, default=0, help="rank of adapters on every linear layer; 0: the model itself")
parser.add_argument("--only", choices=["attune", "trl"])
args = parser.parse_args()
work = pathlib.Path(tempfile.mkdtemp(prefix="attune-bench-"))


def plain_model() -> pathlib.Path:
    """The model's folder without its chat template, so that both sides read plain text."""
    folder = work / "model"
    folder.mkdir()
    for file in pathlib.Path(args.model).resolve().iterdir():
        if file.name == "tokenizer_config.json":
            config = json.loads(file.read_text())
            config.pop("chat_template", None)
            (folder / file.name).write_text(json.dumps(config))
        elif file.name != "chat_template.jinja" and file.is_file():
            (folder / file.name).symlink_to(file)
    return folder


def run_attune(method: str, dtype: str, model: pathlib.Path) -> dict:
    runs = work / "runs"
    shutil.rmtree(runs, ignore_errors=True)
    columns, data = 'prompt = "prompt", chosen = "chosen", rejected = "rejected"', os.path.abspath(args.data)
    if method == "sft":
        columns = 'prompt = "prompt", answer = "chosen"'
    if method == "kto":  # As TRAIN.py makes them.
        columns, data = 'prompt = "prompt", answer = "completion", labels = { desirable = "label" }', str(work / "unpaired.jsonl")
        rows = [json.loads(line) for line in open(args.data)]
        pathlib.Path(data).write_text("".join(json.dumps({"prompt": row["prompt"], "completion": row["rejected" if i % 2 else "chosen"], "label": i % 2 == 0}) + "\n"
                                              for i, row in enumerate(rows)))
    adapter = f'[adapter]\nuse = "lora"\nrank = {args.lora}\nalpha = {2 * args.lora}.0\nmerge = false' if args.lora else ""
    manifest = work / "run.toml"
    manifest.write_text(f"""schema = 1
[run]
kind = "train"
name = "bench"
output = "{runs}"
threads = 2
[model]
path = "{model}"
dtype = "{dtype}"
[[data.train]]
use = "columns"
path = "{data}"
columns = {{ {columns} }}
[algorithm]
use = "{method}"
{adapter}
[optimizer]
use = "adamw"
learning_rate = 1e-6
[train]
steps = {args.steps}
samples_per_step = {args.batch}
tokens_per_batch = 2048
max_length = {args.max_length}
shuffle = false
checkpoint = {{ every = 0, keep = 1 }}
""")
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    subprocess.run([args.attune, "run", str(manifest), "--quiet"], check=True)
    rows = [json.loads(line) for line in open(runs / "bench" / "metrics.jsonl")]
    import tomllib
    record = tomllib.loads((runs / "bench" / "record.toml").read_text())
    result = record.get("result", record.get("results"))
    reference = result["reference_seconds"] * (len(rows) - 1) / len(rows)
    return {"seconds": sum(row["seconds"] for row in rows[1:]) + reference,
            "peak_mb": result["peak_memory_bytes"] / 1e6, "loss": [row["loss"] for row in rows], "before": before}


def run_trl(method: str, dtype: str, model: pathlib.Path) -> dict:
    command = [args.python, args.trl, method, str(model), args.data, "--steps", str(args.steps), "--batch", str(args.batch),
               "--max-length", str(args.max_length), "--dtype", dtype, "--threads", "2", "--lora", str(args.lora)]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    result = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    found = json.loads([line for line in result.stdout.splitlines() if line.startswith("{")][-1])
    return {"seconds": sum(found["step_s"][1:]), "tokens_per_s": found["tokens_per_s"], "peak_mb": found["peak_rss_mb"] * 1.048576,
            "loss": found["loss"]}


def middle(values: list, digits: int) -> str:
    """The median, and the range where there is one."""
    text = f"{statistics.median(values):.{digits}f}"
    return text if len(values) == 1 else f"{text} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def put(page: pathlib.Path, row: str):
    head, rest = page.read_text().split("<!-- sides -->\n")
    table, tail = rest.split("<!-- /sides -->")
    lines = table.splitlines() or HEADER.splitlines()
    same = [i for i, line in enumerate(lines) if line.split("|")[1:3] == row.split("|")[1:3]]
    if same:
        lines[same[0]] = row
    else:
        lines.append(row)
    page.write_text(head + "<!-- sides -->\n" + "\n".join(lines) + "\n<!-- /sides -->" + tail)


HEADER = """| work | dtype | TRL, tokens/s | Attune, tokens/s | speed | TRL, MB | Attune, MB | memory | losses differ by |
|---|---|--:|--:|--:|--:|--:|--:|--:|"""
model = plain_model()
print(HEADER)
for method in args.methods.split(","):
    for dtype in args.dtypes.split(","):
        pairs = []
        for _ in range(args.repeats):
            ours = run_attune(method, dtype, model) if args.only != "trl" else None
            theirs = run_trl(method, dtype, model) if args.only != "attune" else None
            pairs.append((ours, theirs))
        if args.only:
            print(method, dtype, json.dumps([ours or theirs for ours, theirs in pairs]))
            continue
        each = lambda value: [value(ours, theirs) for ours, theirs in pairs]
        alike = not args.lora and method != "reward"
        gap = max(each(lambda ours, theirs: max(abs(a - b) for a, b in zip(ours["loss"], theirs["loss"]))))
        row = "| " + " | ".join([
            (method + " " + args.name).strip(), dtype,
            middle(each(lambda ours, theirs: theirs["tokens_per_s"]), 1),
            middle(each(lambda ours, theirs: theirs["tokens_per_s"] * theirs["seconds"] / ours["seconds"]), 1),
            middle(each(lambda ours, theirs: theirs["seconds"] / ours["seconds"]), 2) + "×",
            middle(each(lambda ours, theirs: theirs["peak_mb"]), 0), middle(each(lambda ours, theirs: ours["peak_mb"]), 0),
            middle(each(lambda ours, theirs: ours["peak_mb"] / theirs["peak_mb"]), 2) + "×",
            f"{gap:.1e}" if alike else "-"]) + " |"
        print(row, flush=True)
        if args.page:
            put(pathlib.Path(args.page), row)
shutil.rmtree(work)
sys.exit(0)
