# SPDX-License-Identifier: Apache-2.0
"""Writes docs/accuracy.md from what the tests measure: tables.py BUILD_FOLDER [CURVES_TABLE.md]

CURVES_TABLE is what curves.py --table wrote; without it that part of the page stays as it is.
"""
import collections
import json
import pathlib
import re
import subprocess
import sys
import tempfile

build = pathlib.Path(sys.argv[1]).resolve()
page = pathlib.Path(__file__).resolve().parents[2] / "docs" / "accuracy.md"


def run(test, pattern):
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        done = subprocess.run([build / "tests" / test, f"--gtest_filter={pattern}", f"--gtest_output=json:{file.name}"], capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"{test} failed:\n{done.stdout[-2000:]}")
        return done.stdout, json.load(open(file.name))


def laws():
    """How many laws each algorithm was held to; run() has ended the script where one failed."""
    _, report = run("laws_test", "Every/AlgorithmLaw.*:Every/PeerLaw.*:Every/EdgeLaw.*:Every/ResumeLaw.*")
    names = [test["name"].split("/")[1] for suite in report["testsuites"] for test in suite["testsuite"]]
    return collections.Counter(names)


def algorithms():
    """Variants side by side: the error to the formula, and to TRL where there is one."""
    out, _ = run("laws_test", "*AlgorithmLaw.Loss*:*PeerLaw.Loss*")
    rows = {}
    for line in out.splitlines():
        if line.startswith("| ") and len(cells := [cell.strip() for cell in line.strip("| \n").split(" | ")]) >= 4:
            name, options, whose, error = cells[0], cells[1], cells[-2].strip("| "), cells[-1]
            rows.setdefault((name, options), {})[whose] = max(float(error), rows.get((name, options), {}).get(whose, 0.0))
    passed = laws()
    yield "| algorithm | options | to the formula, fp64 | to TRL 1.16 | laws |"
    yield "|---|---|---:|---:|---:|"
    for (name, options), errors in sorted(rows.items()):
        shown = ", ".join(f"{k} = {json.dumps(v)}" for k, v in json.loads(options).items()) or "defaults"
        cell = lambda whose: f"{errors[whose]:.1e}" if whose in errors else ""
        yield f"| {name} | {shown} | {cell('formula')} | {cell('trl')} | {passed[name]} |"


def models():
    found = {}
    for what in ("LogProbabilities", "Gradients"):
        _, report = run("model_test", f"*EveryModel.GivesThe{what}OfTransformers*")
        skip = {"name", "file", "line", "status", "result", "timestamp", "time", "classname", "value_param", "type_param"}
        for suite in report["testsuites"]:
            for test in suite["testsuite"]:
                for case, error in test.items():
                    if case not in skip:
                        found.setdefault((test["name"].split("/")[1], case), {})[what] = float(error)
    yield "| model | configuration | log-probabilities | gradients, relative |"
    yield "|---|---|---:|---:|"
    for (model, case), errors in sorted(found.items()):
        yield f"| {model} | {case} | {errors['LogProbabilities']:.1e} | {errors['Gradients']:.1e} |"


def datasets():
    out, _ = run("datasets_test", "*BecomeTheSamples*")
    yield "| dataset | a published row's fields | rows that map | rows refused, with the message |"
    yield "|---|---|---:|---:|"
    for name, mapped, refused in re.findall(r"^(\w+): (\d+) mapped, (\d+) refused", out, re.M):
        first = json.loads((page.parents[1] / "plugins" / "datasets" / name / "rows.json").read_text())[0]["row"]
        yield f"| {name} | {', '.join(f'`{key}`' for key in first)} | {mapped} | {refused} |"


def adapters():
    """What adapters.py prints, where this Python has PEFT; else what the page had."""
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(__file__).resolve().parents[2]
        done = subprocess.run([sys.executable, root / "tests/reference/adapters.py", build / "bin/attune", root / "configs/tiny/model", folder], capture_output=True, text=True)
    if done.returncode == 77:
        before = re.search(r"<!-- adapters -->\n(.*)<!-- /adapters -->", page.read_text(), re.S)
        yield before.group(1).strip() if before else ""
        return
    if done.returncode:
        sys.exit(f"adapters.py failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    yield "| adapter | log-probabilities |"
    yield "|---|---:|"
    for what, gap in re.findall(r"^(.*[^:]): largest difference (\S+)$", done.stdout, re.M):
        yield f"| {what} | {gap} |"


def optimizers():
    _, report = run("engine_test", "AdamWInt8.*:Nf4.HasThe*:Optimizer.MovesWeights*:Muon.MakesA*")
    cases = {test["name"]: test for suite in report["testsuites"] for test in suite["testsuite"]}
    near, pytorch, muon = cases["StaysNearFloat32"], cases["MovesWeightsAsThatOfPyTorchDoes"], cases["MakesAMatrixOrthogonalAsItsDefinitionSays"]
    yield "| what | beside | largest difference |"
    yield "|---|---|---:|"
    for name, whose in [("AdamW", "PyTorch 2.11, 6 steps"), ("SGD", "PyTorch 2.11, 6 steps"), ("Muon", "PyTorch 2.11, 6 steps, bfloat16")]:
        yield f"| {name}: weights | {whose} | {float(pytorch[name]):.1e} |"
    yield f"| Muon: Newton-Schulz in float32 | its definition in fp64 | {float(muon['float32']):.1e} |"
    yield f"| AdamW, states in int8: change of the weights, 60 steps | float32 states | {float(near['mean']):.1%} in the mean, {float(near['worst']):.1%} of the largest |"
    yield "| NF4: codes, scales, values | bitsandbytes 0.50 | none |"


kept = re.search(r"<!-- curves -->\n(.*)<!-- /curves -->", page.read_text(), re.S) if page.exists() else None
curves = pathlib.Path(sys.argv[2]).read_text() if len(sys.argv) > 2 else kept.group(1) if kept else ""
page.write_text(f"""# Accuracy

What the tests measured, written down by `tests/reference/tables.py`; the limits are in the tests. Numbers in the last place depend on the
processor.

## Algorithms

Loss and gradient on random scores, against the paper's formula in 40 digits (`tests/reference/algorithms.py`; limit 1e-6) and against TRL's
own code (`tests/reference/trl_losses.py`; limit 1e-5): the larger relative error of the two. `laws`: those of `tests/laws` that the
algorithm was held to, all passed. Where TRL's convention differs, see
[Same name, other loss](algorithms/README.md#same-name-other-loss).

{chr(10).join(algorithms())}

## Models

Against Transformers 5.23 in fp32, small random models (`tests/reference/models/parity.py`; limits 1e-5 and 1e-4). Each also comes back
from an export bit for bit (`tests/reference/models/roundtrip.py`).

{chr(10).join(models())}

## Datasets

{chr(10).join(datasets())}

## Adapters

Against PEFT 0.21 on a small random model with a head of its own (`tests/reference/adapters.py`; limit 1e-5).

<!-- adapters -->
{chr(10).join(adapters())}
<!-- /adapters -->

## Optimizers and weights in 4 bits

`tests/reference/optimizers.py`, `tests/reference/nf4.py`.

{chr(10).join(optimizers())}

## Training beside TRL

SmolLM2-135M, the same rows in the same order, two seeds (`tests/reference/curves.py`).

<!-- curves -->
{curves.strip()}
<!-- /curves -->
""")
print(f"{page}: {len(page.read_text().splitlines())} lines")
