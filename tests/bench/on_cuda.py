# SPDX-License-Identifier: Apache-2.0
"""Training of models of Llama's shapes on a CUDA device: tokens per second, memory, and the share of the device's matrix products in use.

  on_cuda.py --attune build/bin/attune --tokenizer FOLDER [--trl TRAIN.py --python PYTHON] [--works 1B:sft,1B:dpo,8B:sft,8B:dpo] [--steps 8]

FOLDER holds a tokenizer in the Hugging Face layout. Weights are random, so losses are not compared. Models of 8B train adapters of
rank 16. TRAIN.py runs one TRL training and prints a JSON line; it is asked for --device cuda --liger --random. FLOPs of a row: twice
the weights it is multiplied with forward, as much again for each of the two products back (one where weights are frozen), and
attention's over the causal half; the reference's pass is counted, recomputation is not.
"""
import argparse
import json
import os
import pathlib
import random
import statistics
import subprocess
import sys
import tempfile

parser = argparse.ArgumentParser()
parser.add_argument("--attune", required=True)
parser.add_argument("--tokenizer", required=True)
parser.add_argument("--trl")
parser.add_argument("--python", default=sys.executable)
parser.add_argument("--works", default="1B:sft,1B:dpo,8B:sft,8B:dpo")
parser.add_argument("--steps", type=int, default=8)
args = parser.parse_args()
work = pathlib.Path(tempfile.mkdtemp(prefix="attune-cuda-"))

COMMON = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu", "rms_norm_eps": 1e-5, "rope_theta": 500000.0,
          "max_position_embeddings": 8192, "vocab_size": 128256, "num_key_value_heads": 8, "num_attention_heads": 32, "attention_bias": False,
          "mlp_bias": False, "torch_dtype": "bfloat16", "initializer_range": 0.02, "eos_token_id": 2, "bos_token_id": 1}
SHAPES = {"1B": {"hidden_size": 2048, "intermediate_size": 8192, "num_hidden_layers": 16, "head_dim": 64, "tie_word_embeddings": True},
          "8B": {"hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32, "head_dim": 128, "tie_word_embeddings": False}}
WORDS = "time year people way day man thing woman life child world school state family student group country problem hand part place case week".split()
BATCH, LENGTH = {"sft": 16, "dpo": 8}, {"sft": (64, 960), "dpo": (512, 256)}  # Samples a step; words of a prompt and of an answer.


def model_of(size: str) -> pathlib.Path:
    folder = work / size
    if not folder.exists():
        folder.mkdir()
        (folder / "config.json").write_text(json.dumps(COMMON | SHAPES[size]))
        for file in pathlib.Path(args.tokenizer).resolve().iterdir():
            if file.name == "tokenizer.json":
                (folder / file.name).symlink_to(file)
            elif file.name == "tokenizer_config.json":
                (folder / file.name).write_text(json.dumps({k: v for k, v in json.loads(file.read_text()).items() if k != "chat_template"}))
    return folder


def rows_of(method: str) -> pathlib.Path:
    draw, (prompt, answer) = random.Random(0), LENGTH[method]
    words = lambda count: " ".join(draw.choice(WORDS) for _ in range(count))
    path = work / f"{method}.jsonl"
    path.write_text("".join(json.dumps({"prompt": words(prompt), "chosen": " " + words(answer), "rejected": " " + words(answer)}) + "\n"
                            for _ in range(BATCH[method] * args.steps)))
    return path


def flops(size: str, method: str) -> float:
    """Of a step, as Attune does the work: the prompt once."""
    s = COMMON | SHAPES[size]
    d, f, layers = s["hidden_size"], s["intermediate_size"], s["num_hidden_layers"]
    kv = s["num_key_value_heads"] * s["head_dim"]
    block = layers * (d * d * 2 + 2 * d * kv + 3 * d * f)
    prompt, answer = LENGTH[method]
    answers = 1 if method == "sft" else 2
    tokens, scored = prompt + answers * answer, answers * answer
    seen = prompt * prompt / 2 + answers * (answer * prompt + answer * answer / 2)  # Pairs of a query and a key.
    forward = 2 * block * tokens + 2 * d * s["vocab_size"] * scored + 4 * layers * d * seen
    back = 1 if size == "8B" else 2
    return BATCH[method] * (forward * (1 + back + (method == "dpo")) + (4 * layers * d * seen if back == 1 else 0))


def run_attune(size: str, method: str) -> dict:
    columns = 'prompt = "prompt", answer = "chosen"' if method == "sft" else 'prompt = "prompt", chosen = "chosen", rejected = "rejected"'
    adapter = '[adapter]\nuse = "lora"\nrank = 16\nalpha = 32.0\nmerge = false' if size == "8B" else ""
    manifest = work / "run.toml"
    manifest.write_text(f"""schema = 1
[run]
kind = "train"
name = "{size}-{method}"
output = "{work}/runs"
device = "cuda"
[model]
path = "{model_of(size)}"
dtype = "bfloat16"
init = "random"
[[data.train]]
use = "columns"
path = "{rows_of(method)}"
columns = {{ {columns} }}
[algorithm]
use = "{method}"
{adapter}
[optimizer]
use = "adamw"
learning_rate = 1e-6
[train]
steps = {args.steps}
samples_per_step = {BATCH[method]}
tokens_per_batch = 16384
max_length = 2048
shuffle = false
checkpoint = {{ every = 0, keep = 1 }}
""")
    subprocess.run([args.attune, "run", str(manifest), "--quiet"], check=True)
    folder = work / "runs" / f"{size}-{method}"
    steps = [json.loads(line) for line in open(folder / "metrics.jsonl")]
    reference = [float(line.split("=")[1]) for line in (folder / "record.toml").read_text().splitlines() if line.startswith("reference_seconds")][0]
    subprocess.run(["rm", "-rf", str(folder)])
    return {"step_s": statistics.median(step["seconds"] for step in steps[2:]) + reference / len(steps), "mb": steps[-1]["device_memory_mb"],
            "loss": [step["loss"] for step in steps]}


def run_trl(size: str, method: str) -> dict:
    command = [args.python, args.trl, method, str(model_of(size)), str(rows_of(method)), "--steps", str(args.steps), "--batch", str(BATCH[method]),
               "--max-length", "2048", "--dtype", "bfloat16", "--device", "cuda", "--liger", "--random"] + (["--lora", "16"] if size == "8B" else [])
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    result = subprocess.run(command, capture_output=True, text=True, env=environment)
    if result.returncode:
        return {"error": result.stderr.strip().splitlines()[-1][:200]}
    found = json.loads([line for line in result.stdout.splitlines() if line.startswith("{")][-1])
    return {"step_s": statistics.median(found["step_s"][2:]), "mb": found["device_mb"], "loss": found["loss"]}


CEILING = """
import torch, time
a, b = (torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16) for _ in range(2))
for _ in range(5): a @ b
torch.cuda.synchronize(); start = time.time()
for _ in range(30): a @ b
torch.cuda.synchronize(); print(30 * 2 * 8192**3 / (time.time() - start))
"""
ceiling = float(subprocess.run([args.python, "-c", CEILING], check=True, capture_output=True, text=True).stdout)
print(f"bf16 products of 8192 x 8192 x 8192: {ceiling / 1e12:.0f} TFLOP/s")
print("| work | TRL + Liger, s a step | Attune, s a step | speed | TRL + Liger, MB | Attune, MB | Attune, TFLOP/s | of the ceiling | of 989 |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|")
for what in args.works.split(","):
    size, method = what.split(":")
    ours = run_attune(size, method)
    theirs = run_trl(size, method) if args.trl else {"error": "not run"}
    rate = flops(size, method) / ours["step_s"]
    left = [f"{theirs['step_s']:.3f}", f"{ours['step_s']:.3f}", f"{theirs['step_s'] / ours['step_s']:.2f}×", f"{theirs['mb']:.0f}"] if "step_s" in theirs else [
        theirs["error"], f"{ours['step_s']:.3f}", "-", "-"]
    print("| " + " | ".join([f"{size} {method.upper()}", *left, f"{ours['mb']:.0f}", f"{rate / 1e12:.0f}", f"{rate / ceiling:.0%}", f"{rate / 989e12:.0%}"]) + " |", flush=True)
    print("  losses", [round(x, 4) for x in ours["loss"][:3]], [round(x, 4) for x in theirs.get("loss", [])[:3]], file=sys.stderr)
subprocess.run(["rm", "-rf", str(work)])
