# SPDX-License-Identifier: Apache-2.0
"""Learning curves here and in TRL, laid over each other: curves.py --attune BINARY --model FOLDER --data FOLDER --work FOLDER [--picture OUT.png] [--table OUT.md]

Each method trains on the same rows in the same order on both sides, once per seed (the seed orders the rows and draws the reward
head). Rows come from public sets in --data: helpful-harmless pairs, open-assistant trees, GSM8K and two demo sets; only those of at most
--tokens tokens, so that no side truncates. Results stay in --work: a run that is there is not made again, `--side` makes one side alone, or none.
Needs Python with trl (made with trl 1.16.0, transformers 5.23.0, torch 2.11.0) and matplotlib for the picture.
"""
import argparse
import gzip
import json
import math
import os
import pathlib
import random
import subprocess
import time

parser = argparse.ArgumentParser()
for name in ("attune", "model", "data", "work"):
    parser.add_argument("--" + name, required=True)
parser.add_argument("--side", choices=["here", "there", "both", "none"], default="both")
parser.add_argument("--steps", type=int, default=24)
parser.add_argument("--batch", type=int, default=4)
parser.add_argument("--tokens", type=int, default=128)
parser.add_argument("--seeds", type=int, default=2)
parser.add_argument("--methods", default="")
parser.add_argument("--heldout", type=int, default=500, help="pairs for the reward model's accuracy")
parser.add_argument("--threads", type=int, default=os.cpu_count())
parser.add_argument("--picture")
parser.add_argument("--table")
args = parser.parse_args()
work = pathlib.Path(args.work).resolve()
data = pathlib.Path(args.data)

PAIR = 'prompt = "prompt", chosen = "chosen", rejected = "rejected"'
# method: rows, columns, our [algorithm] table, TRL's trainer, its options, learning rate, batches in a step
METHODS = {
    "sft": ("gsm8k", 'prompt = "prompt", answer = "completion"', 'use = "sft"', "SFT", {}, 2e-5, 1),
    "dpo": ("harmless", PAIR, 'use = "dpo"', "DPO", {"beta": 0.1}, 2e-5, 1),
    "ipo": ("assistant", PAIR, 'use = "dpo"\nloss = "ipo"\nprofile = "trl"', "DPO", {"beta": 0.1, "loss_type": ["ipo"]}, 2e-5, 1),
    "kto": ("marked", 'prompt = "prompt", answer = "completion", labels = { desirable = "label" }', 'use = "kto"', "KTO", {"beta": 0.1}, 2e-5, 1),
    "orpo": ("demo", PAIR, 'use = "orpo"\nnll_average = "batch"', "ORPO", {"beta": 0.1}, 2e-5, 1),
    "cpo": ("demo", PAIR, 'use = "cpo"\nnll_average = "batch"', "CPO", {"beta": 0.1, "cpo_alpha": 1.0}, 2e-5, 1),
    "simpo": ("harmless", PAIR, 'use = "simpo"\nbeta = 2.0\ngamma = 0.5', "CPO",
              {"beta": 2.0, "loss_type": "simpo", "cpo_alpha": 0.0, "simpo_gamma": 0.5}, 2e-5, 1),
    "reward": ("harmless", PAIR, 'use = "reward"', "Reward", {}, 2e-5, 4),
}
wanted = args.methods.split(",") if args.methods else list(METHODS)


def lines(name):
    with gzip.open(data / name, "rt") as file:
        return [json.loads(line) for line in file] if "jsonl" in name else json.load(file)


def harmless():
    for row in lines("pref-hh-rlhf/harmless-base-test.jsonl.gz"):
        shared = os.path.commonprefix([row["chosen"], row["rejected"]])
        cut = shared.rfind("\n\nAssistant:") + len("\n\nAssistant:")
        yield {"prompt": row["chosen"][:cut], "chosen": row["chosen"][cut:], "rejected": row["rejected"][cut:]}


def assistant():
    """The best and the worst ranked answer to each prompt of the trees."""
    def walk(message):
        replies = sorted((r for r in message["replies"] if r.get("rank") is not None), key=lambda r: r["rank"])
        if message["role"] == "prompter" and len(replies) > 1:
            yield {"prompt": message["text"] + "\n", "chosen": replies[0]["text"], "rejected": replies[-1]["text"]}
        for reply in message["replies"]:
            yield from walk(reply)
    for tree in lines("pref-open-assistant/en_100_tree.jsonl.gz"):
        yield from walk(tree["prompt"])


def gsm8k():
    for row in lines("bench-gsm8k/train.jsonl.gz"):
        yield {"prompt": row["question"] + "\n", "completion": row["answer"]}


def marked():
    for row in lines("pref-llamafactory-demo/kto_en_demo.json.gz"):
        if len(row["messages"]) == 2:
            yield {"prompt": row["messages"][0]["content"] + "\n", "completion": row["messages"][1]["content"], "label": row["label"]}


def demo():
    for row in lines("pref-llamafactory-demo/dpo_en_demo.json.gz"):
        if len(row["conversations"]) == 1:
            yield {"prompt": row["conversations"][0]["value"] + "\n", "chosen": row["chosen"]["value"], "rejected": row["rejected"]["value"]}


def tokenizer():
    from transformers import AutoTokenizer
    made = AutoTokenizer.from_pretrained(model_folder())
    made.bos_token = None  # TRL's ORPO and CPO would put it before the text, the others not
    if made.pad_token == made.eos_token:  # Transformers' score heads read the last token that is no padding: before the end of text.
        made.pad_token = made.unk_token
    return made


def model_folder():
    """The model without a chat template, which texts do not need."""
    folder = work / "model"
    if not folder.exists():
        folder.mkdir(parents=True)
        for file in pathlib.Path(args.model).resolve().iterdir():
            if file.name == "tokenizer_config.json":
                config = json.loads(file.read_text())
                config.pop("chat_template", None)
                (folder / file.name).write_text(json.dumps(config))
            elif file.name != "chat_template.jinja" and file.is_file():
                (folder / file.name).symlink_to(file)
    return folder


def scalar_folder(seed):
    """The model with a head of one row, drawn by the seed, for both sides."""
    folder = work / f"scalar-{seed}"
    if not folder.exists():
        import torch
        from transformers import AutoModelForSequenceClassification
        torch.manual_seed(seed)
        model = AutoModelForSequenceClassification.from_pretrained(model_folder(), num_labels=1, dtype=torch.float32)
        model.save_pretrained(folder)
        for file in model_folder().glob("*token*"):
            (folder / file.name).symlink_to(file.resolve())
        for name in ("vocab.json", "merges.txt"):
            if (model_folder() / name).exists() and not (folder / name).exists():
                (folder / name).symlink_to((model_folder() / name).resolve())
    return folder


def rows_of(source):
    """Rows of at most --tokens tokens, in one order for all."""
    path = work / f"{source}.jsonl"
    if not path.exists():
        count = tokenizer()
        path.parent.mkdir(parents=True, exist_ok=True)
        kept = []
        for row in {json.dumps(r): r for r in globals()[source]()}.values():
            answers = [row[k] for k in ("completion", "chosen", "rejected") if k in row]
            if row["prompt"].strip() and all(a.strip() for a in answers) and max(len(count(row["prompt"] + a)["input_ids"]) for a in answers) < args.tokens:
                kept.append(row)
        random.Random(0).shuffle(kept)
        path.write_text("".join(json.dumps(row) + "\n" for row in kept))
        print(f"{source}: {len(kept)} rows", flush=True)
    return [json.loads(line) for line in open(path)]


def training_rows(method, seed):
    source, batches = METHODS[method][0], METHODS[method][6]
    rows = rows_of(source)
    if method == "reward":
        rows = rows[args.heldout:]
    random.Random(seed).shuffle(rows)
    need = args.steps * args.batch * batches
    return (rows * math.ceil(need / len(rows)))[:need]


def here(method, seed):
    source, columns, algorithm, _, _, rate, batches = METHODS[method]
    name = f"{method}-{seed}"
    train = work / f"train-{name}.jsonl"
    train.write_text("".join(json.dumps(row) + "\n" for row in training_rows(method, seed)))
    manifest = work / f"{name}.toml"
    if method == "reward":
        (work / "heldout.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows_of(source)[: args.heldout]))
    manifest.write_text(f"""schema = 1
[run]
kind = "train"
name = "{name}"
output = "{work}/runs"
[model]
path = "{scalar_folder(seed) if method == "reward" else model_folder()}"
[[data.train]]
use = "columns"
path = "{train}"
columns = {{ {columns} }}
[algorithm]
{algorithm}
[optimizer]
use = "adamw"
learning_rate = {rate}
[train]
steps = {args.steps}
samples_per_step = {args.batch * batches}
max_length = {2 * args.tokens}
clip = 1.0
shuffle = false
""")
    started = time.time()
    subprocess.run([args.attune, "run", str(manifest), "--quiet"], check=True, stdout=subprocess.DEVNULL)
    metrics = [json.loads(line) for line in open(work / "runs" / name / "metrics.jsonl")]
    steps = [row for row in metrics if "loss" in row]
    made = {key: [row.get(ours) for row in steps] for key, ours in (("loss", "loss"), ("accuracy", "reward/accuracy"), ("margin", "reward/margin"))}
    if method == "reward":
        manifest.write_text(f"""schema = 1
[run]
kind = "evaluate"
name = "{name}-heldout"
output = "{work}/runs"
[model]
path = "{work}/runs/{name}/final"
[[evaluate]]
use = "preference_accuracy"
by = "reward"
[evaluate.data]
use = "columns"
path = "{work}/heldout.jsonl"
columns = {{ {columns} }}
""")
        subprocess.run([args.attune, "run", str(manifest), "--quiet"], check=True, stdout=subprocess.DEVNULL)
        samples = [json.loads(line) for line in open(work / "runs" / (name + "-heldout") / "samples.jsonl")]
        made["heldout"] = [sample["metrics"]["accuracy"] for sample in samples]
    return made | {"seconds": time.time() - started}


def there(method, seed):
    import dataclasses
    import importlib
    import torch
    from datasets import Dataset
    from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification

    torch.set_num_threads(args.threads)
    _, _, _, trainer, options, rate, batches = METHODS[method]
    experimental = {"ORPO": "trl.experimental.orpo", "CPO": "trl.experimental.cpo"}
    module = importlib.import_module(experimental.get(trainer, "trl"))
    common = dict(output_dir=str(work / "trl"), per_device_train_batch_size=args.batch, gradient_accumulation_steps=batches, max_steps=args.steps,
                  learning_rate=rate, use_cpu=True, bf16=False, report_to=[], save_strategy="no", logging_steps=1, gradient_checkpointing=False,
                  max_length=2 * args.tokens, lr_scheduler_type="constant", disable_tqdm=True, max_grad_norm=1.0, weight_decay=0.0,
                  train_sampling_strategy="sequential", dataset_num_proc=None, **options)
    config = getattr(module, trainer + "Config")
    known = {field.name for field in dataclasses.fields(config)}
    kind, folder = (AutoModelForSequenceClassification, scalar_folder(seed)) if method == "reward" else (AutoModelForCausalLM, model_folder())
    reader = tokenizer()
    model = kind.from_pretrained(folder, dtype=torch.float32)
    model.config.pad_token_id = reader.pad_token_id
    rows = training_rows(method, seed)
    started = time.time()
    made = getattr(module, trainer + "Trainer")(model=model, args=config(**{k: v for k, v in common.items() if k in known}),
                                               train_dataset=Dataset.from_list(rows), processing_class=reader)
    made.train()
    log = [row for row in made.state.log_history if "loss" in row]
    first = lambda row, *names: next((row[name] for name in names if name in row), None)
    result = {"loss": [row["loss"] for row in log], "accuracy": [first(row, "rewards/accuracies", "accuracy") for row in log],
              "margin": [first(row, "rewards/margins", "margin") for row in log]}
    if method == "reward":
        model.eval()
        def score(texts):
            batch = reader([t + reader.eos_token for t in texts], return_tensors="pt", padding=True)
            with torch.no_grad():
                return model(**batch).logits[:, 0]
        held = rows_of("harmless")[: args.heldout]
        result["heldout"] = [bool(score([row["prompt"] + row["chosen"]]) > score([row["prompt"] + row["rejected"]])) for row in held]
    return result | {"seconds": time.time() - started}


def interval(correct):
    """Share and Wilson's 95 % interval, in percent."""
    n, p, z = len(correct), sum(correct) / len(correct), 1.96
    centre, half = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return tuple(100 * v for v in (p, (centre - half) / (1 + z * z / n), (centre + half) / (1 + z * z / n)))


results = {}
for method in wanted:
    for seed in range(args.seeds):
        for side in ("here", "there"):
            path = work / f"{method}-{seed}-{side}.json"
            if not path.exists() and args.side in (side, "both"):
                work.mkdir(parents=True, exist_ok=True)
                model_folder()
                path.write_text(json.dumps(globals()[side](method, seed)))
                print(f"{path.stem}: {json.loads(path.read_text())['seconds']:.0f} s", flush=True)
            if path.exists():
                results[method, seed, side] = json.loads(path.read_text())


def seeds_of(method):
    return [seed for seed in range(args.seeds) if (method, seed, "here") in results and (method, seed, "there") in results]


def row_of(method):
    """Largest distance over the steps: of the sides, and of the seeds on our side."""
    cells = [method]
    for key in ("loss", "accuracy", "margin"):
        ours, theirs = ([results[method, seed, side][key] for seed in seeds_of(method)] for side in ("here", "there"))
        if None in ours[0] or None in theirs[0]:
            cells += ["", ""]
            continue
        largest = lambda a, b: max(abs(x - y) for x, y in zip(a, b))
        cells += [f"{max(map(largest, ours, theirs)):.2g}", f"{largest(ours[0], ours[1]):.2g}" if len(ours) > 1 else ""]
    return "| " + " | ".join(cells) + " |"


complete = [m for m in wanted if seeds_of(m)]
if args.table and complete:
    head = "| method | loss: here to TRL | seed to seed | accuracy: here to TRL | seed to seed | margin: here to TRL | seed to seed |\n" + "|---" * 7 + "|\n"
    text = head + "\n".join(map(row_of, complete)) + "\n"
    for seed in range(args.seeds):
        for side in ("here", "there"):
            if (held := results.get(("reward", seed, side), {}).get("heldout")):
                text += "\nreward, seed {}, {}: {:.1f} % of {} pairs [{:.1f}, {:.1f}]".format(seed, side, interval(held)[0], len(held), *interval(held)[1:])
    pathlib.Path(args.table).write_text(text + "\n")
    print(text)
if args.picture and complete:
    import matplotlib
    matplotlib.use("Agg")
    import matplotlib.pyplot as plot
    keys = ("loss", "accuracy", "margin")
    figure, axes = plot.subplots(len(complete), 3, figsize=(10, 1.7 * len(complete)), squeeze=False)
    for y, method in enumerate(complete):
        for x, key in enumerate(keys):
            for seed in seeds_of(method):
                for side, style in (("here", dict(linewidth=1.2)), ("there", dict(linestyle="none", marker="o", markersize=2.2))):
                    curve = results[method, seed, side][key]
                    if None not in curve:
                        axes[y][x].plot(range(1, len(curve) + 1), curve, color=f"C{seed}", label=f"{'Attune' if side == 'here' else 'TRL'}, seed {seed}", **style)
            axes[y][x].set_title(f"{method}: {key}", fontsize=8)
            axes[y][x].tick_params(labelsize=6)
    axes[0][0].legend(fontsize=6)
    figure.tight_layout()
    figure.savefig(args.picture, dpi=80)
