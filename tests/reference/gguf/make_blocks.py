#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Write blocks.json: for each quantised type of GGUF random blocks and what the `gguf` package makes of them.

    make_blocks.py > blocks.json

Bytes and little-endian F32 values as hexadecimal text. Made with Python 3.11, gguf 0.19, numpy 2.4.
"""
import json
import sys

import numpy as np
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType as Type
from gguf.quants import dequantize

SCALES = {Type.Q4_0: [0], Type.Q4_1: [0, 2], Type.Q5_0: [0], Type.Q5_1: [0, 2], Type.Q8_0: [0], Type.Q2_K: [80, 82],
          Type.Q3_K: [108], Type.Q4_K: [0, 2], Type.Q5_K: [0, 2], Type.Q6_K: [208]}

dice = np.random.default_rng(11)
made = {}
for kind, places in SCALES.items():
    elements, size = GGML_QUANT_SIZES[kind]
    blocks = dice.integers(0, 256, (4 if elements == 32 else 2, size), dtype=np.uint8)
    for place in places:
        scale = dice.normal(0, 0.1, len(blocks)).astype(np.float16)
        scale[0] = np.float16(3e-6)  # a subnormal
        blocks[:, place:place + 2] = scale.view(np.uint8).reshape(-1, 2)
    values = dequantize(blocks, kind).astype("<f4")
    made[kind.name] = {"type": int(kind), "elements": int(elements), "blocks": len(blocks), "bytes": blocks.tobytes().hex(),
                       "values": values.tobytes().hex()}
json.dump(made, sys.stdout, indent=1)
print()
