# SPDX-License-Identifier: Apache-2.0
"""Rows for the benches: rows.py HH.jsonl.gz|long OUT.jsonl [N]

Splits Anthropic helpful-harmless transcripts at the last "\n\nAssistant:" that both answers share, as plain text:
{"prompt": "...Assistant:", "chosen": " ...", "rejected": " ..."}. `long` makes prompts of 400 words and answers of 56, of words
that are one token each in vocabularies of GPT-2's kind.
"""
import gzip
import json
import os
import random
import sys

source, out = sys.argv[1:3]
wanted = int(sys.argv[3]) if len(sys.argv) > 3 else 64
WORDS = "time year people way day man thing woman life child world school state family student group country problem hand part place case week".split()
rows = []
if source == "long":
    draw = random.Random(0)
    words = lambda count: " ".join(draw.choice(WORDS) for _ in range(count))
    rows = [{"prompt": words(400), "chosen": " " + words(56), "rejected": " " + words(56)} for _ in range(wanted)]
for line in gzip.open(source, "rt") if source != "long" else []:
    row = json.loads(line)
    shared = os.path.commonprefix([row["chosen"], row["rejected"]])
    cut = shared.rfind("\n\nAssistant:")
    if cut < 0:
        continue
    cut += len("\n\nAssistant:")
    made = {"prompt": row["chosen"][:cut], "chosen": row["chosen"][cut:], "rejected": row["rejected"][cut:]}
    if made["chosen"].strip() and made["rejected"].strip():
        rows.append(made)
    if len(rows) == wanted:
        break
with open(out, "w") as file:
    for row in rows:
        file.write(json.dumps(row) + "\n")
print(f"{len(rows)} rows to {out}")
