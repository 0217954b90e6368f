# SPDX-License-Identifier: Apache-2.0
"""How peak memory grows with the vocabulary and with the length of one sequence.

  scaling.py --attune build/bin/attune [--page docs/performance.md --picture docs/scaling.svg]

Trains a Llama with random weights one step on one sequence of bytes. Vocabulary: two layers, 64 wide (configs/tiny), 2,048 tokens, 32,768 to
262,144 words; what belongs to the parameters (weight, gradient and two moments, 16 bytes each) is subtracted, so that what is left is
the process, the activations and the head. Length: one layer, 16 wide, 259 words, 2,048 to 131,072 tokens in one sequence, nothing subtracted. The line through the
lengths is of least squares; `off` is the farthest that a measurement lies from it. With --page the tables go between the page's markers.
"""
import argparse
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib

parser = argparse.ArgumentParser()
parser.add_argument("--attune", required=True)
parser.add_argument("--page")
parser.add_argument("--picture")
parser.add_argument("--vocabularies", default="32768,65536,131072,262144")
parser.add_argument("--lengths", default="2048,16384,32768,65536,131072")
args = parser.parse_args()
source = pathlib.Path(__file__).resolve().parents[2] / "configs/tiny/model"
work = pathlib.Path(tempfile.mkdtemp(prefix="attune-scaling-"))


def train(vocabulary: int, tokens: int, **shape) -> dict:
    """A step on one sequence of `tokens` bytes; the run's results."""
    for name in ("runs", "model"):
        shutil.rmtree(work / name, ignore_errors=True)
    shutil.copytree(source, work / "model")
    config = json.loads((source / "config.json").read_text())
    config |= {"vocab_size": vocabulary, "max_position_embeddings": 2 * tokens, "tie_word_embeddings": False, **shape}
    (work / "model/config.json").write_text(json.dumps(config))
    (work / "rows.jsonl").write_text(json.dumps({"question": "x", "answer": "abcdefgh" * (tokens // 8)}) + "\n")
    (work / "run.toml").write_text(f"""schema = 1
[run]
kind = "train"
name = "scaling"
output = "runs"
[model]
path = "model"
init = "random"
[[data.train]]
use = "columns"
path = "rows.jsonl"
columns = {{ prompt = "question", answer = "answer" }}
[algorithm]
use = "sft"
[optimizer]
learning_rate = 1e-4
[train]
steps = 1
samples_per_step = 1
max_length = {tokens}
tokens_per_batch = {tokens}
""")
    subprocess.run([args.attune, "run", str(work / "run.toml"), "--quiet"], check=True, stdout=subprocess.DEVNULL)
    record = tomllib.loads((work / "runs/scaling/record.toml").read_text())
    results = record.get("result", record.get("results"))
    bytes_of_weights = (work / "runs/scaling/final/model.safetensors").stat().st_size  # fp32; the header has a kilobyte.
    return {"peak": results["peak_memory_bytes"], "planned": results["planned_memory_bytes"], "parameters": bytes_of_weights // 4}


def line(xs: list, ys: list) -> tuple:
    """Slope, intercept and largest relative distance of the line of least squares."""
    n, mx, my = len(xs), sum(xs) / len(xs), sum(ys) / len(ys)
    slope = sum((x - mx) * (y - my) for x, y in zip(xs, ys)) / sum((x - mx) ** 2 for x in xs)
    at = my - slope * mx
    return slope, at, max(abs(y / (at + slope * x) - 1) for x, y in zip(xs, ys))


def picture(left: list, right: list, fit: tuple) -> str:
    """Two panels: bars over the vocabulary, points and their line over the length."""
    def text(x, y, words, anchor="middle", size=11):
        return f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}" font-size="{size}">{words}</text>'
    made = ['<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 820 300" font-family="sans-serif" fill="#333">',
            '<rect width="820" height="300" fill="white"/>', text(200, 22, "Peak less parameters over vocabulary (MB)", size=13),
            text(610, 22, "Peak over tokens in one sequence (MB)", size=13)]
    top = 1.25 * max(y for _, y in left)
    for i, (x, y) in enumerate(left):
        height = 210 * y / top
        made += [f'<rect x="{60 + 80 * i}" y="{250 - height:.1f}" width="50" height="{height:.1f}" fill="#4878a8"/>',
                 text(85 + 80 * i, 268, f"{x // 1024}k"), text(85 + 80 * i, 244 - height, f"{y:.0f}")]
    made.append('<path d="M45 40V250H370" fill="none" stroke="#333"/>')
    most, high = right[-1][0], 1.1 * max(y for _, y in right)
    place = lambda x, y: (470 + 310 * x / most, 250 - 210 * y / high)  # noqa: E731
    (x0, y0), (x1, y1) = place(0, fit[1]), place(most, fit[1] + fit[0] * most)
    made += ['<path d="M470 40V250H790" fill="none" stroke="#333"/>', f'<path d="M{x0:.1f} {y0:.1f}L{x1:.1f} {y1:.1f}" stroke="#c06030" fill="none"/>']
    for x, y in right:
        cx, cy = place(x, y)
        made.append(f'<circle cx="{cx:.1f}" cy="{cy:.1f}" r="4" fill="#4878a8"/>')
        if x >= most / 4:
            made += [text(cx, 268, f"{x // 1024}k"), text(cx - 8, cy - 8, f"{y:.0f}", "end")]
    return "\n".join([*made, "</svg>", ""])


def table(head: list, rows: list) -> str:
    return "\n".join(["| " + " | ".join(head) + " |", "|" + "---|" * len(head), *("| " + " | ".join(row) + " |" for row in rows)])


bars, words = [], []
for vocabulary in map(int, args.vocabularies.split(",")):
    found = train(vocabulary, 2048)
    left = found["peak"] - 16 * found["parameters"]
    bars.append((vocabulary, left / 1e6))
    print(f"{vocabulary} words: {left / 1e6:.0f} MB", file=sys.stderr, flush=True)
    words.append([f"{vocabulary:,}", f"{found['peak'] / 1e6:.0f} MB", f"{16 * found['parameters'] / 1e6:.0f} MB", f"{left / 1e6:.0f} MB", f"{found['planned'] / 1e6:.0f} MB"])
points, lengths = [], []
for tokens in map(int, args.lengths.split(",")):
    found = train(259, tokens, hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=1, num_key_value_heads=1)
    points.append((tokens, found["peak"] / 1e6))
    print(f"{tokens} tokens: {found['peak'] / 1e6:.0f} MB", file=sys.stderr, flush=True)
    lengths.append([f"{tokens:,}", f"{found['peak'] / 1e6:.0f} MB", f"{found['planned'] / 1e6:.0f} MB"])
fit = line([x for x, _ in points], [y for _, y in points])
text = (table(["vocabulary", "peak", "parameters", "left", "planned"], words) + "\n\n" + table(["tokens", "peak", "planned"], lengths) +
        f"\n\n{fit[1]:.0f} MB and {1e3 * fit[0]:.2f} kB a token; off by {100 * fit[2]:.1f} % at most.")
print(text)
if args.picture:
    pathlib.Path(args.picture).write_text(picture(bars, points, fit))
if args.page:
    page = pathlib.Path(args.page)
    new, count = re.subn(r"(<!-- scaling -->\n).*?(<!-- /scaling -->)", lambda match: match[1] + text + "\n" + match[2], page.read_text(), flags=re.S)
    if not count:
        sys.exit(f"{page}: has no <!-- scaling -->")
    page.write_text(new)
shutil.rmtree(work)
