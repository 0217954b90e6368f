# SPDX-License-Identifier: Apache-2.0
"""Writes plugins/algorithms/*/golden.json: losses and their gradients in fp64, from the papers' formulas in plain Python.

  python3 tests/reference/algorithms.py

Each formula gives the loss and, written out by hand, its derivative by the log-probability of every unit; the script holds the
derivative against central differences before it writes anything.
"""
import json
import math
import pathlib
import random

PLUGINS = pathlib.Path(__file__).resolve().parents[2] / "plugins" / "algorithms"


def sigmoid(x):
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))


def log_sigmoid(x):
    return min(x, 0.0) - math.log1p(math.exp(-abs(x)))


def split(values, lengths):
    parts, first = [], 0
    for length in lengths:
        parts.append(values[first:first + length])
        first += length
    return parts


def sft(batch, options):
    """loss = -sum w log p; derivative -w."""
    return -sum(w * lp for w, lp in zip(batch["weight"], batch["logprob"])), [-w for w in batch["weight"]]


def dpo(batch, options):
    """h = beta ((pi_w - ref_w) - (pi_l - ref_l)); loss = -(1-e) ls(h) - e ls(-h); dloss/dh = s(h) - (1-e)."""
    beta, eps = options.get("beta", 0.1), options.get("label_smoothing", 0.0)
    policy = [math.fsum(part) for part in split(batch["logprob"], batch["lengths"])]
    reference = [math.fsum(part) for part in split(batch["reference"], batch["lengths"])]
    loss, gradient = 0.0, []
    for chosen in range(0, len(policy), 2):
        rejected = chosen + 1
        h = beta * ((policy[chosen] - reference[chosen]) - (policy[rejected] - reference[rejected]))
        loss += -(1 - eps) * log_sigmoid(h) - eps * log_sigmoid(-h)
        slope = beta * (sigmoid(h) - (1 - eps))
        gradient += [slope] * batch["lengths"][chosen] + [-slope] * batch["lengths"][rejected]
    return loss, gradient


CASES = {
    "sft": (sft, [({}, True)]),
    "dpo": (dpo, [({}, True), ({"beta": 0.5}, True), ({"beta": 2.0, "label_smoothing": 0.1}, False), ({"beta": 0.05, "label_smoothing": 0.3}, False)]),
}


def random_batch(seed, pairs):
    draw = random.Random(seed)
    lengths = [draw.randint(1, 9) for _ in range(2 * pairs)]
    units = sum(lengths)
    return {
        "logprob": [round(-draw.expovariate(0.7), 6) for _ in range(units)],
        "reference": [round(-draw.expovariate(0.7), 6) for _ in range(units)],
        "weight": [draw.choice([0.5, 1.0, 1.0, 2.0]) for _ in range(units)],
        "lengths": lengths,
    }


for name, (formula, variants) in CASES.items():
    cases = []
    for seed, (options, monotone) in enumerate(variants):
        batch = random_batch(seed, 6)
        numerator, gradient = formula(batch, options)
        for u in range(len(gradient)):
            h = 1e-5
            nudged = []
            for sign in (1, -1):
                moved = dict(batch, logprob=list(batch["logprob"]))
                moved["logprob"][u] += sign * h
                nudged.append(formula(moved, options)[0])
            difference = (nudged[0] - nudged[1]) / (2 * h)
            assert abs(difference - gradient[u]) <= 1e-8 * max(1, abs(gradient[u])), (name, options, u, difference, gradient[u])
        cases.append({"options": options, "monotone": monotone, "batch": batch, "numerator": numerator, "gradient": gradient})
    path = PLUGINS / name / "golden.json"
    path.write_text(json.dumps({"made_by": "tests/reference/algorithms.py", "cases": cases}, indent=1) + "\n")
    print(f"{path.relative_to(PLUGINS.parents[1])}: {len(cases)} cases")
