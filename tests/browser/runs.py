# SPDX-License-Identifier: Apache-2.0
"""Runs to look at, without training: plain ones, a long one, a hostile one."""
import json
import math
import random

EVIL = "</pre><script>alert('run')</script>\"'&<img src=x onerror=alert(1)>"
PLAN = {"memory": {"weights": 40 << 20, "optimizer": 80 << 20, "activations": 60 << 20, "base": 300 << 20, "peak": 480 << 20, "peak_in": "update"},
        "work": {"steps": 400, "rows_per_step": 2100, "scored_rows_per_step": 690, "flops_per_step": 1.8e12}, "time": {"step_s": 2.4, "total_s": 960}}
ANSWERS = [("What is the capital of Brazil?", "The capital of Brazil is Sao Paulo, a city known for its history. " * 3,
            "In short: The capital of Brazil is Brasilia.\nWhy: It became the capital in 1960."),
           ("Why do we sweat?", "", "In short: Sweat cools the body.\nWhy: It evaporates."),
           ("ما عاصمة مصر؟", "القاهرة.", "باختصار: القاهرة.\nلماذا: هي مقر الحكومة."),
           ("日本の首都はどこですか。", "東京です。" * 40, "w" * 400)]


def toml(table, path=""):
    plain = {k: v for k, v in table.items() if not isinstance(v, dict)}
    text = "".join("%s = %s\n" % (json.dumps(k), json.dumps(v)) for k, v in plain.items())
    for key, value in table.items():
        if isinstance(value, dict):
            here = path + ("." if path else "") + json.dumps(key)
            text += "[%s]\n%s" % (here, toml(value, here))
    return text


def write(folder, rows=(), record=None, answers=()):
    folder.mkdir(parents=True)
    if rows:
        (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    if record:
        (folder / "record.toml").write_text(toml(record))
        if rows:
            (folder / "plan.json").write_text(json.dumps(PLAN))
    if answers:
        (folder / "answers.jsonl").write_text("".join(
            json.dumps({"id": str(i), "prompt": p, "text": t}) + "\n" for i, (p, t) in enumerate(answers)))


def training(steps, rate, seed):
    noise = random.Random(seed)
    for step in range(1, steps + 1):
        done = 1 - math.exp(-step * rate / 1e-3 * 4 / 400)
        margin = 9 * done + noise.gauss(0, 0.6)
        row = {"step": step, "loss": 0.6931 * (1 - done) + 0.05 + noise.random() * 0.06, "reward/chosen": margin * 0.4,
               "reward/rejected": -margin * 0.6, "reward/margin": margin, "reward/accuracy": min(1, 0.5 + done / 2),
               "learning_rate": rate * min(1, step / 20) * (1 + math.cos(math.pi * step / steps)) / 2,
               "gradient_norm": 10 ** noise.gauss(0.2, 0.8), "tokens": 2048, "scored_tokens": 700,
               "tokens_per_s": 900 + noise.gauss(0, 40), "seconds": 2.1, "memory_mb": 412 + step / steps * 30}
        if step % max(1, steps // 10) == 0:
            row["eval/loss"] = row["loss"] + 0.04
        yield row


def record(name, rate, steps, kind="train", **results):
    return {"start": "2026-01-02T03:04:05Z", "end": "2026-01-02T03:24:05Z", "command_line": "attune run run.toml", "device": "cpu",
            "hardware": {"cpu": "A processor with a long name @ 2.10GHz", "cores": 2, "memory_bytes": 8 << 30},
            "software": {"attune": "0.1.0", "host_sha256": "ab" * 32, "engine_sha256": "cd" * 32},
            "notes": {"inputs": {"/data/" + "a-very-long-folder-name/" * 6 + "pairs.jsonl": "ef" * 32}},
            "results": {"steps": steps, "tokens_per_s": 912.4, "peak_memory_bytes": 470 << 20, "seconds": 1200.0, **results},
            "manifest": {"schema": 1, "run": {"kind": kind, "name": name, "seed": 7},
                         "model": {"path": "/models/" + "deep/" * 12 + "tiny", "dtype": "float32"},
                         "algorithm": {"use": "dpo", "options": {"beta": 0.1, "loss": "sigmoid"}},
                         "optimizer": {"use": "adamw", "learning_rate": rate}, "train": {"steps": steps, "shuffle": True}}}


def evaluation(name, value):
    metric = {"value": value, "low": max(0, value - 0.08), "high": min(1, value + 0.08), "n": 48, "share": True}
    return dict(record(name, 0, 0, "evaluate"), results={"evaluate": {"two_lines": {"metrics": {"match": metric, "brevity": dict(metric, share=False)}}}})


def make(folder):
    """`folder`/plain (one run), /stages (before, sft, dpo, after, two sweeps), /hostile, /long (100,000 steps)."""
    write(folder / "plain", list(training(400, 1e-3, 1)), record("plain", 1e-3, 400))
    sweep = "a-sweep-with-a-name-that-is-much-longer-than-any-column-has-room-for"
    stages = ("before", "dpo", "dpo-slow", sweep, "cut", "after")
    (folder / "stages").mkdir(parents=True)
    (folder / "stages/record.toml").write_text('[manifest.run]\nkind = "pipeline"\n' + "".join(
        '[[manifest.stage]]\nname = "%s"\n' % stage for stage in stages))
    write(folder / "stages/before", record=evaluation("before", 0.04), answers=[(p, b) for p, b, _ in ANSWERS])
    for name, rate in (("dpo", 1e-3), ("dpo-slow", 2e-4), (sweep, 5e-3)):
        write(folder / "stages" / name, list(training(400, rate, 2)), record(name, rate, 400))
    write(folder / "stages/cut", list(training(90, 5e-4, 3)))
    write(folder / "stages/after", record=evaluation("after", 0.94), answers=[(p, a) for p, _, a in ANSWERS])
    rows = [{"step": s, "loss": v, EVIL: -v if v else None, "one": 3} for s, v in enumerate((1e308, -1e308, None, 5, 1e-300), 1)]
    write(folder / "hostile" / "<script>alert(1)<'\">", rows, record(EVIL, 1e-3, 5, EVIL, formula=EVIL), [(EVIL, EVIL)])
    write(folder / "hostile" / ("n" * 200), [{"step": 1, "loss": 7}, {"step": 10 ** 15, "loss": 7}])
    write(folder / "long", training(100_000, 1e-5, 4), record("long", 1e-5, 100_000))
