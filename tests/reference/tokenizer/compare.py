# SPDX-License-Identifier: Apache-2.0
"""Compare `attune tokenize` with Transformers on the same folders: compare.py ATTUNE FOLDER... [--seed N] [--texts N] [--chats N].

Every text must give the same ids and offsets, every conversation the same rendered text and the same places of the
assistant's contents. Prints one line a folder, and ends with 1 if anything differs.
"""
import argparse
import json
import pathlib
import random
import subprocess
import sys
import tempfile

from transformers import AutoTokenizer

SCRIPTS = [(0x21, 0x7E), (0xA1, 0x17F), (0x370, 0x3FF), (0x400, 0x4FF), (0x590, 0x5F4), (0x600, 0x6FF), (0x900, 0x97F),
           (0xE01, 0xE5B), (0x1100, 0x11FF), (0x1E00, 0x1EFF), (0x3041, 0x30FF), (0x4E00, 0x9FFF), (0xAC00, 0xD7A3),
           (0x10400, 0x1044F), (0x1D400, 0x1D4FF), (0x20000, 0x2A6DF), (0x2000, 0x2BFF), (0xFE00, 0xFFEF)]
EMOJI = ["😀", "👩‍👩‍👧‍👦", "🏳️‍🌈", "👍🏽", "🇩🇪", "❤️", "1️⃣", "🤦🏿‍♂️", "🧑‍💻", "🫠"]
WORDS = ("the of and to in is that for it as was with be by on not he his but at are this have from or one had which you "
         "don't I'll we've they're it's can't Hello world tokenizer alignment model 3.14 2024 100,000 e.g. naïve façade "
         "Straße Привет мир 你好 世界 こんにちは 안녕하세요 مرحبا שלום नमस्ते สวัสดี").split()
CODE = ["def f(x):\n    return x ** 2\n", "for (int i = 0; i < n; ++i) {\n\t\ta[i] += b[i];\n}\n", "SELECT * FROM t WHERE a='b';",
        "<div class=\"x\">&nbsp;</div>", "{\"a\": [1, 2.5e-3, null]}", "#include <vector>\r\n", "$\\frac{a}{b}$", "http://x.y/z?a=1&b=%20",
        "<0x0A>", "{{ x }}{% if y %}"]
SPACES = [" ", "  ", "    ", "\n", "\n\n", "\t", "\r\n", "\u00a0", "\u2003", "\u3000", "\u200b", "\u0085", "\u2028", " \n ", "\ufeff"]


def make_text(rng, special):
    pieces = []
    for _ in range(rng.choice([0, 1, 1, 2, 3, 5, 8, 13, 40])):
        kind = rng.randrange(10)
        if kind < 3:
            pieces.append(" ".join(rng.choices(WORDS, k=rng.randint(1, 12))))
        elif kind < 5:
            low, high = rng.choice(SCRIPTS)
            pieces.append("".join(chr(rng.randint(low, high)) for _ in range(rng.randint(1, 12))))
        elif kind == 5:
            pieces.append("".join(rng.choices(EMOJI, k=rng.randint(1, 4))))
        elif kind == 6:
            pieces.append(rng.choice(CODE))
        elif kind == 7:
            pieces.append("".join(rng.choices(SPACES, k=rng.randint(1, 9))))
        elif kind == 8:
            pieces.append("".join(rng.choice("abcdefghijklmnopqrstuvwxyzABC0123456789") for _ in range(rng.randint(20, 120))))
        else:
            pieces.append(rng.choice(special))
        if rng.random() < 0.5:
            pieces.append(rng.choice(SPACES[:6]))
    return "".join(pieces)


def make_chat(rng, special):
    messages = []
    if rng.random() < 0.4:
        messages.append({"role": "system", "content": make_text(rng, special)})
    for turn in range(rng.randint(1, 6)):
        messages.append({"role": "assistant" if turn % 2 else "user", "content": make_text(rng, special)})
    return {"messages": messages, "add_generation_prompt": messages[-1]["role"] == "user" and rng.random() < 0.7}


def bytes_of(text, chars):
    """Byte positions of character positions."""
    position, table = 0, [0]
    for char in text:
        position += len(char.encode())
        table.append(position)
    return [[table[begin], table[end]] for begin, end in chars]


def scored(tokenizer, messages, rendered):
    """Where the answers lie, told from the rendering of what comes before each; None where that is no prefix."""
    spans = []
    for index, message in enumerate(messages):
        if message["role"] != "assistant":
            continue
        before = tokenizer.apply_chat_template(messages[:index], tokenize=False, add_generation_prompt=True)
        content = message["content"]
        whole = before + content
        if not rendered.startswith(whole):
            content = content.strip()
        if not rendered.startswith(before + content):
            return None
        spans.append((len(before), len(before) + len(content)))
    return bytes_of(rendered, spans)


def expected(tokenizer, row):
    result = {}
    if "text" in row:
        text = row["text"]
    else:
        messages = row["messages"]
        text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=row["add_generation_prompt"])
        result["scored"] = scored(tokenizer, messages, text)
        result["rendered"] = text
    encoding = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    result["ids"] = encoding["input_ids"]
    result["offsets"] = bytes_of(text, encoding["offset_mapping"])
    return result


def compare(attune, folder, rows):
    tokenizer = AutoTokenizer.from_pretrained(folder)
    with tempfile.TemporaryDirectory() as scratch:
        given, made = pathlib.Path(scratch, "in.jsonl"), pathlib.Path(scratch, "out.jsonl")
        given.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
        subprocess.run([attune, "tokenize", folder, "--input", given, "--output", made], check=True)
        found = [json.loads(line) for line in made.read_text(encoding="utf-8").split("\n") if line]
    if len(found) != len(rows):
        sys.exit(f"{folder}: {len(rows)} rows given, {len(found)} came back")
    equal, different, unplaced = 0, 0, 0
    for row, row_found in zip(rows, found):
        row_expected = expected(tokenizer, row)
        if row_expected.get("scored", 0) is None:
            unplaced += 1
            del row_expected["scored"]
        wrong = [key for key in row_expected if row_expected[key] != row_found.get(key)]
        equal += not wrong
        different += bool(wrong)
        if wrong and different <= 3:
            print(f"  {json.dumps(row, ensure_ascii=False)[:300]}")
            for key in wrong:
                print(f"    {key}: expected {str(row_expected[key])[:400]}\n    {' ' * len(key)}  found    {str(row_found.get(key))[:400]}")
    print(f"{pathlib.Path(folder).name}: {equal} equal, {different} different ({unplaced} answers placed by attune alone)")
    return different


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("attune")
    parser.add_argument("folders", nargs="+", metavar="FOLDER")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--texts", type=int, default=2000)
    parser.add_argument("--chats", type=int, default=500)
    arguments = parser.parse_args()
    different = 0
    for folder in arguments.folders:
        rng = random.Random(arguments.seed)
        special = sorted(AutoTokenizer.from_pretrained(folder).all_special_tokens) + ["<|im_end|>", "[INST]", "</s>"]
        rows = [{"text": make_text(rng, special)} for _ in range(arguments.texts)]
        rows += [make_chat(rng, special) for _ in range(arguments.chats)]
        different += compare(arguments.attune, folder, rows)
    sys.exit(1 if different else 0)


if __name__ == "__main__":
    main()
