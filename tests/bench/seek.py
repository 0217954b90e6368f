#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How long a run over many rows takes to go on: a JSON Lines file of --rows rows, a few steps, SIGTERM, and the same command again until its
first new step. Prints seconds from process start.

    python3 tests/bench/seek.py build/bin/attune configs/tiny/model --rows 10000000
"""
import argparse
import json
import os
import signal
import subprocess
import tempfile
import time


def write_rows(path, rows):
    with open(path, "w") as out:
        for first in range(0, rows, 100_000):
            out.write("".join(f'{{"question": "Say {i}, please.", "better": "It is {i}.", "worse": "No {i % 7}"}}\n'
                              for i in range(first, min(rows, first + 100_000))))
    past = time.time() - 100
    os.utime(path, (past, past))


MANIFEST = """schema = 1
[run]
kind = "train"
name = "seek"
output = "runs"
threads = 1
[model]
path = "{model}"
init = "random"
[[data.train]]
use = "columns"
path = "rows.jsonl"
{stream}
columns = {{ prompt = "question", answer = "better" }}
[algorithm]
use = "sft"
[optimizer]
learning_rate = 1e-5
[train]
epochs = 1.0
{batch}
"""


def rows_of(metrics):
    return open(metrics).read().count("\n") if os.path.exists(metrics) else 0


def until_rows(attune, folder, wanted):
    """Starts the run, waits for `wanted` new rows of metrics, stops it. Seconds until the first of them."""
    metrics = os.path.join(folder, "runs/seek/metrics.jsonl")
    before = rows_of(metrics)
    started = time.time()
    process = subprocess.Popen([attune, "run", "run.toml", "--quiet"], cwd=folder)
    first = None
    while process.poll() is None and rows_of(metrics) < before + wanted:
        if first is None and rows_of(metrics) > before:
            first = time.time() - started
        time.sleep(0.002)
    process.send_signal(signal.SIGTERM)
    assert process.wait() == 143, process.returncode
    return first


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("attune")
    parser.add_argument("model")
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--case", choices=["mapped", "stream", "tokens"], action="append")
    arguments = parser.parse_args()
    cases = {"mapped": ("", "samples_per_step = 8"), "stream": ("stream = true", "samples_per_step = 8"), "tokens": ("", "tokens_per_step = 256")}
    with tempfile.TemporaryDirectory() as folder:
        write_rows(os.path.join(folder, "rows.jsonl"), arguments.rows)
        for name in arguments.case or ["mapped", "stream"]:
            stream, batch = cases[name]
            with open(os.path.join(folder, "run.toml"), "w") as out:
                out.write(MANIFEST.format(model=os.path.abspath(arguments.model), stream=stream, batch=batch))
            subprocess.run(["rm", "-rf", os.path.join(folder, "runs")], check=True)
            seconds = [until_rows(os.path.abspath(arguments.attune), folder, 5) for _ in range(3)]
            print(json.dumps({"case": name, "rows": arguments.rows, "first_start_s": round(seconds[0], 2),
                              "resumed_s": [round(s, 2) for s in seconds[1:]]}), flush=True)


if __name__ == "__main__":
    main()
