# SPDX-License-Identifier: Apache-2.0
"""What `attune plan` says of a run beside what the run then measures.

  plan_accuracy.py --attune build/bin/attune --model FOLDER --data ROWS.jsonl [--cases sft,dpo,...] [--steps 6] [--batch 4] [--page PAGE]
  plan_accuracy.py --attune build/bin/attune --recipes configs/recipes --page docs/performance.md

The first form trains a real model (FOLDER, rows as rows.py makes them; a step's time leaves the first out); a case is a method with any of +bf16, +again (activation
checkpointing), +lora, +live (reference), such as dpo+bf16+live. The second trains every recipe two steps on the tiny model and writes the table
into the page, between its markers.
"""
import argparse
import json
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import tomllib

CASES = ("sft,sft+bf16,sft+again,sft+bf16+again,dpo,dpo+live,dpo+bf16,dpo+bf16+live,kto,orpo,reward,dpo+lora,dpo+lora+bf16,sft+lora+again")
COLUMNS = {"sft": 'prompt = "prompt", answer = "chosen"',
           "kto": 'prompt = "prompt", answer = "completion", labels = { desirable = "label" }'}


def manifest(case: str, args, work: pathlib.Path) -> str:
    method, *extras = case.split("+")
    data = pathlib.Path(args.data).resolve()
    if method == "kto":
        rows = [json.loads(line) for line in open(data)]
        data = work / "unpaired.jsonl"
        data.write_text("".join(json.dumps({"prompt": row["prompt"], "completion": row["rejected" if i % 2 else "chosen"], "label": i % 2 == 0})
                                + "\n" for i, row in enumerate(rows)))
    columns = COLUMNS.get(method, 'prompt = "prompt", chosen = "chosen", rejected = "rejected"')
    adapter = '[adapter]\nuse = "lora"\nrank = 16\nalpha = 32.0\n' if "lora" in extras else ""
    live = '[reference]\nmode = "live"\n' if "live" in extras else ""
    return f"""schema = 1
[run]
kind = "train"
name = "bench"
output = "{work}/runs"
[model]
path = "{pathlib.Path(args.model).resolve()}"
dtype = "{'bfloat16' if 'bf16' in extras else 'float32'}"
[[data.train]]
use = "columns"
path = "{data}"
columns = {{ {columns} }}
[algorithm]
use = "{method}"
{adapter}{live}[optimizer]
learning_rate = 1e-5
[train]
steps = {args.steps}
samples_per_step = {args.batch}
tokens_per_batch = {args.tokens}
max_length = {args.max_length}
activation_checkpointing = {'true' if 'again' in extras else 'false'}
"""


def results_of(run: pathlib.Path) -> dict:
    record = tomllib.loads((run / "record.toml").read_text())
    return record.get("result", record.get("results"))


def measured(command: list, run: pathlib.Path) -> dict:
    """The plan of a run, and the run. Each is a process of its own, so that neither sees the other's memory."""
    plan = json.loads(subprocess.run([command[0], "plan", *command[2:], "--json"], check=True, capture_output=True, text=True).stdout)[0]["plan"]
    subprocess.run(command + ["--quiet"], check=True, stdout=subprocess.DEVNULL)
    results = results_of(run)
    steps = [json.loads(line)["seconds"] for line in open(run / "metrics.jsonl")]
    made = {"planned_gb": plan["memory"]["peak"] / 1e9, "peak_gb": results["peak_memory_bytes"] / 1e9}
    made |= {"planned_step": plan["time"]["step_s"], "step": statistics.mean(steps[1:] or steps),
             "planned_total": plan["time"]["total_s"], "total": results["seconds"]}
    return made


def off(planned: float, found: float) -> str:
    return f"{100 * (planned / found - 1):+.1f} %"


def real(args) -> None:
    rows = ["| run | peak planned | measured | off | step planned | measured | off | in all planned | measured | off |", "|" + "---|" * 10]
    print("\n".join(rows))
    for case in args.cases.split(","):
        work = pathlib.Path(tempfile.mkdtemp(prefix="attune-plan-"))
        (work / "run.toml").write_text(manifest(case, args, work))
        found = measured([args.attune, "run", str(work / "run.toml")], work / "runs/bench")
        cells = [case.replace("+", ", ")]
        for planned, real, form in (("planned_gb", "peak_gb", ".2f"), ("planned_step", "step", ".2f"), ("planned_total", "total", ".1f")):
            cells += [format(found[planned], form), format(found[real], form), off(found[planned], found[real])]
        rows.append("| " + " | ".join(cells) + " |")
        print(rows[-1], flush=True)
        subprocess.run(["rm", "-r", str(work)], check=True)
    if args.page:
        write_between(pathlib.Path(args.page), "real", "\n".join(rows))


def recipes(args) -> None:
    folder = pathlib.Path(args.recipes)
    rows = ["| recipe | planned | measured | off |", "|---|---|---|---|"]
    errors = []
    for recipe in sorted(folder.glob("*.toml")):
        work = pathlib.Path(tempfile.mkdtemp(prefix="attune-plan-"))
        sets = [f'model.path="{(folder.parent / "tiny/model").resolve()}"', 'model.init="random"', "train.steps=2", f'run.output="{work}"']
        if "[reference]" in recipe.read_text():
            sets.append('reference.path=""')
        found = measured([args.attune, "run", str(recipe), *[word for one in sets for word in ("--set", one)]], work / recipe.stem)
        errors.append(abs(found["planned_gb"] / found["peak_gb"] - 1))
        rows.append(f"| {recipe.stem} | {1e3 * found['planned_gb']:.0f} MB | {1e3 * found['peak_gb']:.0f} MB | {off(found['planned_gb'], found['peak_gb'])} |")
        print(rows[-1], flush=True)
        subprocess.run(["rm", "-r", str(work)], check=True)
    rows.append("")
    rows.append(f"{len(errors)} recipes; off by {100 * statistics.median(errors):.1f} % in the median, {100 * max(errors):.1f} % at most.")
    write_between(pathlib.Path(args.page), "recipes", "\n".join(rows))


def write_between(page: pathlib.Path, marker: str, text: str) -> None:
    """Replaces what stands between <!-- marker --> and <!-- /marker -->."""
    old = page.read_text()
    new, found = re.subn(f"(<!-- {marker} -->\n).*?(<!-- /{marker} -->)", lambda match: match[1] + text + "\n" + match[2], old, flags=re.S)
    if not found:
        sys.exit(f"{page}: has no <!-- {marker} -->")
    page.write_text(new)


parser = argparse.ArgumentParser()
parser.add_argument("--attune", required=True)
for name in ("model", "data", "recipes", "page"):
    parser.add_argument("--" + name)
parser.add_argument("--cases", default=CASES)
parser.add_argument("--steps", type=int, default=6)
parser.add_argument("--batch", type=int, default=4)
parser.add_argument("--tokens", type=int, default=2048)
parser.add_argument("--max-length", type=int, default=512)
args = parser.parse_args()
recipes(args) if args.recipes else real(args)
