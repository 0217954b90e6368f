#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Hold a folder imported from a GGUF file against Transformers' reading of the same file.

    compare.py IMPORTED FILE.gguf

IMPORTED is a Hugging Face folder (config.json, model.safetensors, tokenizer.json, ...). Prints the largest difference of
any tensor, the configuration keys that differ, and how many of a few hundred strings get other token ids; ends with 1
if anything differs. Transformers builds every byte-level tokenizer of a GGUF file with GPT-2's words, so for the pre-tokenizer
"smollm" the reference is given the split into single digits that the published SmolLM2 tokenizer has.
Made with Python 3.11, torch 2.11, transformers 5.23, tokenizers, gguf 0.19.
"""
import argparse
import os
import random
import sys

import torch
from gguf import GGUFReader
from safetensors.torch import load_file
from tokenizers import Tokenizer, pre_tokenizers
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

CONFIG_KEYS = (
    "model_type hidden_size intermediate_size num_hidden_layers num_attention_heads num_key_value_heads "
    "head_dim hidden_act max_position_embeddings vocab_size tie_word_embeddings attention_bias mlp_bias bos_token_id "
    "eos_token_id pad_token_id rms_norm_eps rope_parameters"
).split()

TEXTS = [
    "", " ", "  ", "\n", "\n\n\n", "\t\tx", "a", "Hello, world!", "  two spaces", "trailing   ", "a  b   c    d",
    "It's they're I'll we'd you've I'm", "IT'S THEY'RE", "1", "12", "1234567890", " 1 22  333   4444", "3.14159e-10",
    "x=1;y=22;z=333", "²³½¼ ⅓ Ⅷ ٣٤ 一二三", "２０２６年", "naïve café Ångström", "Привет, мир!", "你好，世界。", "こんにちは",
    "مرحبا بالعالم", "שלום", "नमस्ते", "สวัสดี", "한국어", "🙂👍🏽👩‍👩‍👧‍👦🇩🇪", "e\u0301 vs \u00e9", "\u00a0nbsp\u2003em",
    "zero\u200bwidth", "\ufeffbom", "tab\tnew\r\nline", "def f(x):\n    return x ** 2  # square\n", "{\"a\": [1, 2, {}]}",
    "https://example.org/a?b=c&d=%20#e", "<|im_start|>user\nHi<|im_end|>\n", "<|endoftext|>", "a<|im_end|>b <|im_end|> c",
    "<|im_start", "<|IM_START|>", "<repo_name><file_sep>x", "\\n \\t \\\\", "____ ---- ====", "\x00\x01\x7f", "\u2028\u2029",
]


def more_texts(count):
    dice = random.Random(5)
    pools = ["abcdefghij  ", "0123456789 ", " \n\t", "'\".,;:!?()[]{}", "äöüßéèñçøå", "абвгд ", "你好世界的 ", "🙂🎉🚀",
             "²³½٣Ⅷ", "ABCXYZ", "#/\\|@$%^&*"]
    special = ["<|im_start|>", "<|im_end|>", "<|endoftext|>", "'s", "'ll", "the ", " of", "ing "]
    for _ in range(count):
        made = []
        for _ in range(dice.randint(1, 60)):
            made.append(dice.choice(special) if dice.random() < 0.1 else dice.choice(dice.choice(pools)))
        yield "".join(made)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("imported")
    parser.add_argument("file")
    given = parser.parse_args()
    folder, name = os.path.split(os.path.abspath(given.file))
    bad = 0

    model = AutoModelForCausalLM.from_pretrained(folder, gguf_file=name, dtype=torch.float32)
    theirs = {k: v for k, v in model.state_dict().items()}
    ours = load_file(os.path.join(given.imported, "model.safetensors"))
    if model.config.tie_word_embeddings:
        theirs.pop("lm_head.weight", None)
    if set(ours) != set(theirs):
        bad += 1
        print("names differ:", sorted(set(ours) ^ set(theirs))[:10])
    worst, equal = 0.0, 0
    for key in set(ours) & set(theirs):
        a, b = ours[key].float(), theirs[key].float()
        if a.shape != b.shape:
            bad += 1
            print(f"{key}: shape {tuple(a.shape)}, Transformers has {tuple(b.shape)}")
            continue
        equal += torch.equal(a, b)
        worst = max(worst, (a - b).abs().max().item())
    bad += worst >= 1e-6
    print(f"tensors: {len(ours)}, equal bit for bit: {equal}, largest difference: {worst:.3g}")

    config = AutoConfig.from_pretrained(given.imported)
    for key in CONFIG_KEYS:
        a, b = getattr(config, key, None), getattr(model.config, key, None)
        if a != b and not (isinstance(a, float) and abs(a - b) <= 1e-7 * abs(b)):
            bad += 1
            print(f"config.{key}: {a!r}, Transformers has {b!r}")

    mine = Tokenizer.from_file(os.path.join(given.imported, "tokenizer.json"))
    loaded = AutoTokenizer.from_pretrained(given.imported)
    reference_tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=name)
    reference = reference_tokenizer.backend_tokenizer
    texts = TEXTS + list(more_texts(600))
    pre = GGUFReader(given.file).fields.get("tokenizer.ggml.pre")
    as_loaded = sum(mine.encode(t, add_special_tokens=False).ids != reference.encode(t, add_special_tokens=False).ids
                    for t in texts)
    if pre is not None and pre.contents() == "smollm":
        reference.pre_tokenizer = pre_tokenizers.Sequence(
            [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)])
    wrong = [t for t in texts if mine.encode(t, add_special_tokens=False).ids != reference.encode(t, add_special_tokens=False).ids]
    decoded = [t for t in texts if mine.decode(mine.encode(t).ids, skip_special_tokens=False)
               != reference.decode(reference.encode(t).ids, skip_special_tokens=False)]
    through = [t for t in texts if loaded(t)["input_ids"] != mine.encode(t).ids]
    print(f"strings: {len(texts)}, other ids: {len(wrong)} ({as_loaded} without the split into digits), "
          f"other decoding: {len(decoded)}, other ids through AutoTokenizer: {len(through)}")
    for text in (wrong + decoded + through)[:5]:
        print("   ", repr(text))
    bad += len(wrong) + len(decoded) + len(through)
    for key in ("bos_token_id", "eos_token_id", "pad_token_id", "unk_token_id"):
        if getattr(loaded, key) != getattr(reference_tokenizer, key):
            bad += 1
            print(f"tokenizer.{key}: {getattr(loaded, key)}, Transformers has {getattr(reference_tokenizer, key)}")
    chat = [{"role": "user", "content": "Hi 12"}, {"role": "assistant", "content": "Hello"}]
    if reference_tokenizer.chat_template:
        same = loaded.apply_chat_template(chat, tokenize=False) == reference_tokenizer.apply_chat_template(chat, tokenize=False)
        bad += not same
        print("chat template renders the same:", same)
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
