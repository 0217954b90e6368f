# SPDX-License-Identifier: Apache-2.0
"""Rows for the benches: rows.py HH.jsonl.gz OUT.jsonl [N]

Splits Anthropic helpful-harmless transcripts at the last "\n\nAssistant:" that both answers share, as plain text:
{"prompt": "...Assistant:", "chosen": " ...", "rejected": " ..."}.
"""
import gzip
import json
import os
import sys

source, out = sys.argv[1:3]
wanted = int(sys.argv[3]) if len(sys.argv) > 3 else 64
rows = []
for line in gzip.open(source, "rt"):
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
