#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Makes the corpora that fuzzing starts from, out of the tree and a build. seeds.sh BUILD_FOLDER CORPUS_FOLDER
set -eu
source=$(cd "$(dirname "$0")/../.." && pwd)
build=$1 corpus=$2
for target in elf metadata manifest trust jsonl csv json safetensors gguf chat_template; do mkdir -p "$corpus/$target"; done

# Small plugins, whole and cut; their metadata.
for file in $(find "$build/tests/plugins/fixtures/built" -name '*.attune.so' -size -40k | sort | head -40); do
  name=$(basename "$file")
  cp "$file" "$corpus/elf/$name"
  head -c 5000 "$file" >"$corpus/elf/cut-$name"
done
for file in "$source"/plugins/*/*/plugin.toml; do
  { cat "$file"; printf '\n[build]\nabi = "0.1"\nfingerprint = ""\n'; } >"$corpus/metadata/$(basename "$(dirname "$file")")"
done
for file in $(find "$source/configs" -name '*.toml'); do cp "$file" "$corpus/manifest/$(basename "$file")"; done
{ printf 'include = ["more.toml"]\nschema = 1\n[env.SET]\nsecret = true\n[run]\nkind = "evaluate"\nname = "${SET}"\n\0[model]\npath = "m"\n'; } >"$corpus/manifest/included"

cp "$source"/tests/trust/golden/*.minisig "$source"/tests/trust/golden/*.pub "$source"/tests/trust/golden/*.key "$corpus/trust/"
printf '[trust]\nrequire = "signed"\n[[trust.key]]\nname = "a"\nkey = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3"\n[[trust.revoked]]\nid = "E7620F1842B4E81F"\nreason = "lost"\n' >"$corpus/trust/site"
printf 'schema = 1\n[values]\n"train.steps" = 3\n[[file]]\nrole = "input"\nname = "a"\nsha256 = "%064d"\n' 0 >"$corpus/trust/lock"

for file in "$source"/data/examples/*.jsonl; do cp "$file" "$corpus/jsonl/$(basename "$file")"; done
printf '{"a": [1, 2.5e3, null, true], "b": {"c": "\\ud83d\\ude00"}}\n\n{}\n' >"$corpus/jsonl/types"
printf '[{"a": 1}, {"b": [true, {"c": "x"}]}]' >"$corpus/json/list"
printf '{"data": [{"a": 1}]}' >"$corpus/json/field"
printf 'a,b\n1,"x ""y"" z"\n2,"two\nlines"\n' >"$corpus/csv/quotes"
printf 'a\tb\r\n1\t2\r\n' >"$corpus/csv/tabs"
python3 - "$corpus" <<'P'
import json, struct, sys
corpus = sys.argv[1]
head = json.dumps({"__metadata__": {"format": "pt"}, "w": {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]},
                   "b": {"dtype": "BF16", "shape": [3], "data_offsets": [16, 22]}}).encode()
open(corpus + "/safetensors/two", "wb").write(struct.pack("<Q", len(head)) + head + bytes(22))
text = lambda s: struct.pack("<Q", len(s)) + s.encode()
values = [("general.architecture", 8, text("llama")), ("llama.block_count", 4, struct.pack("<I", 1)),
          ("llama.embedding_length", 4, struct.pack("<I", 32)), ("llama.attention.head_count", 4, struct.pack("<I", 2)),
          ("tokenizer.ggml.tokens", 9, struct.pack("<IQ", 8, 2) + text("a") + text("b"))]
for name, kind, size in (("f32", 0, 128), ("q4_1", 3, 20), ("q8_0", 8, 34)):
    made = b"GGUF" + struct.pack("<IQQ", 3, 1, len(values))
    for key, type_, value in values: made += text(key) + struct.pack("<I", type_) + value
    made += text("token_embd.weight") + struct.pack("<IQQIQ", 2, 32, 1, kind, 0)
    open(corpus + "/gguf/" + name, "wb").write(made + bytes(-len(made) % 32) + bytes(size))
P
printf '{%% for m in messages %%}<|{{ m.role }}|>{{ m.content }}{%% endfor %%}{%% if add_generation_prompt %%}<|assistant|>{%% endif %%}' >"$corpus/chat_template/chatml"
printf "{%% set x = namespace(n=0) %%}{%% for m in messages %%}{%% set x.n = x.n + 1 %%}{{ m['content'] | trim | upper }}{{ loop.index0 }}{%% if m.role == 'system' %%}{{ raise_exception('no') }}{%% endif %%}{%% endfor %%}" >"$corpus/chat_template/filters"
