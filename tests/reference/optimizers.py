# SPDX-License-Identifier: Apache-2.0
"""Writes optimizers.json: what torch.optim makes of the same gradients. optimizers.py

Two matrices, tall and wide, and a vector, six steps. `orthogonal`: five Newton-Schulz steps in fp64, from their definition.
"""
import json
import pathlib

import torch

STEPS, RATE = 6, 0.01
SHAPES = {"tall": (6, 3), "wide": (3, 5), "vector": (5,)}
torch.manual_seed(0)
start = {name: torch.randn(shape) for name, shape in SHAPES.items()}
gradients = [{name: torch.randn(shape) for name, shape in SHAPES.items()} for _ in range(STEPS)]


def after(make, names):
    weights = {name: torch.nn.Parameter(start[name].clone()) for name in names}
    optimizer = make(list(weights.values()))
    for step in gradients:
        for name, weight in weights.items():
            weight.grad = step[name].clone()
        optimizer.step()
    return {name: weight.detach().flatten().tolist() for name, weight in weights.items()}


def orthogonal(matrix, a=3.4445, b=-4.7750, c=2.0315):
    x = matrix.double()
    x = x / x.norm()
    for _ in range(5):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.flatten().tolist()


CASES = [
    ("AdamW", {"betas": [0.9, 0.99], "eps": 1e-8, "weight_decay": 0.1}, {"use": "adamw"}, {}),
    ("SGD", {}, {"use": "sgd", "weight_decay": 0.0}, {}),
    ("SGD", {"momentum": 0.9, "weight_decay": 0.1}, {"use": "sgd"}, {}),
    ("SGD", {"momentum": 0.9, "weight_decay": 0.1, "nesterov": True}, {"use": "sgd"}, {}),
    ("Muon", {"momentum": 0.95, "weight_decay": 0.1}, {"use": "muon", "newton_schulz": "bfloat16"}, {"adjust_lr_fn": "original"}),
    ("Muon", {"momentum": 0.9, "weight_decay": 0.1, "nesterov": False}, {"use": "muon", "newton_schulz": "bfloat16"}, {"adjust_lr_fn": "original"}),
    ("Muon", {"momentum": 0.95, "weight_decay": 0.0}, {"use": "muon", "newton_schulz": "bfloat16", "scale": "match_rms_adamw"}, {"adjust_lr_fn": "match_rms_adamw"}),
]
found = []
for kind, both, ours, theirs in CASES:
    names = [name for name in SHAPES if kind != "Muon" or len(SHAPES[name]) == 2]
    weights = after(lambda parameters: getattr(torch.optim, kind)(parameters, lr=RATE, **both, **theirs), names)
    found.append({"torch": kind, "options": {**both, **ours}, "weights": weights})
flat = lambda tensors: {name: tensor.flatten().tolist() for name, tensor in tensors.items()}
text = {"torch": torch.__version__, "learning_rate": RATE, "shapes": SHAPES, "start": flat(start), "gradients": [flat(g) for g in gradients], "cases": found,
        "orthogonal": {name: orthogonal(start[name]) for name in ("tall", "wide")}}
shorter = json.loads(json.dumps(text), parse_float=lambda number: float(f"{float(number):.9g}"))
pathlib.Path(__file__).with_suffix(".json").write_text(json.dumps(shorter) + "\n")
