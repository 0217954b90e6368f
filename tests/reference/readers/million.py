#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Reads large Parquet files of pyarrow through `attune data convert` and compares every row with pyarrow's.

    million.py ATTUNE MODEL_FOLDER [ROWS]

Nested structs and lists, dictionary pages, zstd, nulls; row groups of 50,000. Prints rows per second and the peak memory of
the reading process for a tenth of the rows and for all of them; exit 1 at the first row that differs.
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

import pyarrow as pa
import pyarrow.parquet as pq

GROUP = 50_000


def table(first, count):
    rows = range(first, first + count)
    turn = pa.struct([("role", pa.string()), ("content", pa.string())])
    return pa.table({
        "id": pa.array([f"row {i}" for i in rows]),
        "messages": pa.array([[{"role": "user", "content": f"How much is {i} + {k}?"} if k % 2 == 0 else {"role": "assistant", "content": f"{i + k} ✓"}
                               for k in range(2 + 2 * (i % 3))] for i in rows], pa.list_(turn)),
        "topic": pa.array([None if i % 7 == 0 else f"topic {i % 50}" for i in rows], pa.string()).dictionary_encode(),
        "nested": pa.array([{"score": None if i % 11 == 0 else i / 8, "tags": None if i % 13 == 0 else [f"t{i % 5}"] * (i % 4)} for i in rows],
                           pa.struct([("score", pa.float64()), ("tags", pa.list_(pa.string()))])),
    })


def conversations(row):
    return {"id": row["id"], "prompt": row["messages"][:1], "answers": [{"turns": row["messages"][1:]}]}


def columns(row):
    labels = {"topic": row["topic"], **row["nested"]}
    return {"id": row["id"], "prompt": [{"role": "user", "content": row["id"]}], "answers": [{"turns": [{"role": "assistant", "content": row["id"]}]}],
            "labels": labels}


READ = {"conversations": (conversations, ""), "columns": (columns, 'columns = { id = "id", prompt = "id", answer = "id", labels = { topic = "topic", score = "nested.score", tags = "nested.tags" } }')}


def write(path, rows):
    with pq.ParquetWriter(path, table(0, 1).schema, compression="zstd") as writer:
        for first in range(0, rows, GROUP):
            writer.write_table(table(first, min(GROUP, rows - first)))


def check(attune, model, path, dataset):
    expected, options = READ[dataset]
    manifest = path.with_suffix(".toml")
    manifest.write_text(f"""schema = 1
[run]
kind = "train"
name = "million"
[model]
path = "{model}"
[[data.train]]
use = "{dataset}"
path = "{path}"
{options}
[algorithm]
use = "sft"
[optimizer]
learning_rate = 1e-5
[train]
steps = 1
samples_per_step = 1
""")
    started = time.time()
    process = subprocess.Popen([attune, "data", "convert", str(manifest)], stdout=subprocess.PIPE)
    lines, count = iter(process.stdout), 0
    for batch in pq.ParquetFile(path).iter_batches(10_000):
        for row in batch.to_pylist():
            made = json.loads(next(lines))
            if made != expected(row):
                sys.exit(f"row {count} differs:\n  here    {made}\n  pyarrow {expected(row)}")
            count += 1
    if next(lines, None) is not None:
        sys.exit("more rows than were written")
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"attune ended with {status}")
    print(f"{dataset}: {count} rows equal; {path.stat().st_size / 1e6:.1f} MB, {count / (time.time() - started):.0f} rows/s with pyarrow beside it, "
          f"peak memory {usage.ru_maxrss / 1024:.0f} MB", flush=True)


if __name__ == "__main__":
    attune, model = (pathlib.Path(part).resolve() for part in sys.argv[1:3])
    rows = int(sys.argv[3]) if len(sys.argv) > 3 else 1_000_000
    with tempfile.TemporaryDirectory() as folder:
        for count in (rows // 10, rows):
            path = pathlib.Path(folder) / f"{count}.parquet"
            write(path, count)
            for dataset in READ:
                check(attune, model, path, dataset)
