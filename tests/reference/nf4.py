# SPDX-License-Identifier: Apache-2.0
"""Writes nf4.json: what bitsandbytes makes of weights in 4 bits, on the CPU. nf4.py

Weight i of R x I is (i * 2654435761 mod 2^32) / 2^24, rounded down, less 127, over 2^(6 + row mod 5): exact in fp32. Long
results are named by their SHA-256. Values are code times scale in fp32, by the format: version 0.50's kernel for CPUs takes the scale of
another block where rows are not of whole blocks.
"""
import hashlib
import json
import pathlib

import bitsandbytes
import torch
from bitsandbytes.functional import dequantize_blockwise, quantize_4bit

raw = lambda tensor: bytes(tensor.contiguous().flatten().view(torch.uint8).tolist())
name = lambda tensor: hashlib.sha256(raw(tensor)).hexdigest()


def weights(rows, width):
    numbers = torch.tensor([((i * 2654435761) % 2**32 >> 24) - 127 for i in range(rows * width)], dtype=torch.float32).view(rows, width)
    return numbers / 2.0 ** (6 + torch.arange(rows)[:, None] % 5)


def values(codes, state):
    scales = state.absmax
    if state.nested:
        scales = dequantize_blockwise(state.absmax, state.state2) + state.offset
    pairs = torch.stack([codes.flatten() >> 4, codes.flatten() & 15], 1).flatten().long()
    return state.code[pairs] * scales.float().repeat_interleave(64)[: len(pairs)]


cases = []
for rows, width, twice in [(5, 78, False), (48, 80, False), (48, 80, True), (320, 64, True), (512, 96, True)]:
    codes, state = quantize_4bit(weights(rows, width), blocksize=64, compress_statistics=twice, quant_type="nf4")
    case = {"rows": rows, "width": width, "double_quant": twice, "codes": name(codes), "scales": name(state.absmax), "values": name(values(codes, state)[: rows * width])}
    if twice:
        case |= {"offset": state.offset.item(), "scale_sizes": state.state2.absmax.tolist(), "dynamic": name(state.state2.code)}
    cases.append(case)
pathlib.Path(__file__).with_suffix(".json").write_text(json.dumps({"bitsandbytes": bitsandbytes.__version__, "torch": torch.__version__, "cases": cases}, indent=1) + "\n")
