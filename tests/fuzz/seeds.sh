#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Makes the corpora that fuzzing starts from, out of the tree and the system's C compiler. seeds.sh CORPUS_FOLDER
set -eu
source=$(cd "$(dirname "$0")/../.." && pwd)
corpus=$1
for target in elf metadata manifest lock signature policy jsonl csv json safetensors gguf chat_template; do mkdir -p "$corpus/$target"; done

# Small plugins, as linkers make them, whole and cut.
cat >"$corpus/plugin.c" <<'C'
__asm__(".pushsection .note.attune, \"a\", %note\n.balign 4\n.long 7, 2f - 1f, 1\n.asciz \"ATTUNE\"\n.balign 4\n"
        "1: .ascii \"id = \\\"org.example.seed\\\"\"\n2: .balign 4\n.popsection");
#ifdef MORE
extern void *malloc(unsigned long), at_home(int);
__thread int here;
void *other(void) { at_home(here); return malloc(8); }
#endif
const void *attune_plugin_v1(void) { return 0; }
C
seed() {
  name=$1
  shift
  cc -shared -fPIC -nostdlib -s -Wl,-z,noseparate-code -Wl,--build-id=none "$@" "$corpus/plugin.c" -o "$corpus/elf/$name" 2>/dev/null || return 0
  head -c 900 "$corpus/elf/$name" >"$corpus/elf/$name-cut"
}
seed plain
seed sysv -Wl,--hash-style=sysv -DMORE
seed gnu -Wl,--hash-style=gnu -DMORE -lc -Wl,-z,now
seed paths -Wl,-rpath,/opt/lib:/usr/lib -Wl,-soname,seed.so
seed stack -Wl,-z,execstack -DMORE
rm "$corpus/plugin.c"
for file in "$source"/plugins/*/*/plugin.toml; do
  { cat "$file"; printf '\n[build]\nabi = "0.1"\nfingerprint = ""\n'; } >"$corpus/metadata/$(basename "$(dirname "$file")")"
done
for file in $(find "$source/configs" -name '*.toml'); do cp "$file" "$corpus/manifest/$(basename "$file")"; done
{ printf 'include = ["more.toml"]\nschema = 1\n[env.SET]\nsecret = true\n[run]\nkind = "evaluate"\nname = "${SET}"\n\0[model]\npath = "m"\n'; } >"$corpus/manifest/included"

cp "$source"/tests/trust/golden/*.minisig "$source"/tests/trust/golden/*.pub "$source"/tests/trust/golden/*.key "$corpus/signature/"
printf '[trust]\nrequire = "signed"\n[[trust.key]]\nname = "a"\nkey = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3"\n[[trust.revoked]]\nid = "E7620F1842B4E81F"\nreason = "lost"\n' >"$corpus/policy/site"
printf 'schema = 1\n[values]\n"train.steps" = 3\n[[file]]\nrole = "input"\nname = "a"\nsha256 = "%064d"\n' 0 >"$corpus/lock/lock"

for file in "$source"/data/examples/*.jsonl; do cp "$file" "$corpus/jsonl/$(basename "$file")"; done
printf '{"a": [1, 2.5e3, null, true], "b": {"c": "\\ud83d\\ude00"}}\n\n{}\n' >"$corpus/jsonl/types"
printf '[{"a": 1}, {"b": [true, {"c": "x"}]}]' >"$corpus/json/list"
printf '{"data": [{"a": 1}]}' >"$corpus/json/field"
printf 'a,b\n1,"x ""y"" z"\n2,"two\nlines"\n' >"$corpus/csv/quotes"
printf 'a\tb\r\n1\t2\r\n' >"$corpus/csv/tabs"
python3 - "$corpus" <<'P'
import bz2, gzip, json, struct, sys
corpus = sys.argv[1]
rows = b'{"a": 1}\n{"a": "two"}\n'
open(corpus + "/jsonl/gzip", "wb").write(gzip.compress(rows, mtime=0))
open(corpus + "/jsonl/bzip2", "wb").write(bz2.compress(rows))
open(corpus + "/jsonl/zstd", "wb").write(b"\x28\xb5\x2f\xfd\x20" + bytes([len(rows)]) + struct.pack("<I", len(rows) << 3 | 1)[:3] + rows)
head = json.dumps({"__metadata__": {"format": "pt"}, "w": {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]},
                   "b": {"dtype": "BF16", "shape": [3], "data_offsets": [16, 22]}}).encode()
open(corpus + "/safetensors/two", "wb").write(struct.pack("<Q", len(head)) + head + bytes(22))
open(corpus + "/safetensors/index", "w").write('{"metadata": {"total_size": 1}, "weight_map": {"a": "shard.safetensors", "b": "no.safetensors"}}')

def text(s): return struct.pack("<Q", len(s.encode())) + s.encode()
def texts(*all): return struct.pack("<IQ", 8, len(all)) + b"".join(map(text, all))
def numbers(kind, form, *all): return struct.pack("<IQ", kind, len(all)) + struct.pack("<%d%s" % (len(all), form), *all)
def whole(name, value): return name, 4, struct.pack("<I", value)
def gguf(name, values, tensors):
    made, data = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(values)), b""
    for key, kind, value in values: made += text(key) + struct.pack("<I", kind) + value
    for key, shape, kind, size in tensors:
        made += text(key) + struct.pack("<I%dQIQ" % len(shape), len(shape), *shape, kind, len(data))
        data += bytes(range(size)) + bytes(-size % 32)
    open(corpus + "/gguf/" + name, "wb").write(made + bytes(-len(made) % 32) + data)
llama = [("general.architecture", 8, text("llama"))] + [whole("llama." + k, v) for k, v in (
    ("block_count", 1), ("embedding_length", 32), ("feed_forward_length", 32), ("context_length", 64), ("attention.head_count", 2),
    ("rope.dimension_count", 4))] + [("llama.attention.layer_norm_rms_epsilon", 6, struct.pack("<f", 1e-5))]
ids = [whole("tokenizer.ggml.bos_token_id", 0), whole("tokenizer.ggml.eos_token_id", 1)]
pieces = llama + ids + [("tokenizer.ggml.model", 8, text("llama")), ("tokenizer.ggml.tokens", 9, texts("<s>", "</s>", "a", "b", "ab")),
    ("tokenizer.ggml.scores", 9, numbers(6, "f", 0, 0, -1, -2, -3)), ("tokenizer.ggml.token_type", 9, numbers(5, "i", 3, 3, 1, 1, 4)),
    ("llama.rope.scaling.type", 8, text("linear")), ("llama.rope.scaling.factor", 6, struct.pack("<f", 2))]
bytes_ = llama + ids + [("tokenizer.ggml.model", 8, text("gpt2")), ("tokenizer.ggml.pre", 8, text("llama-bpe")),
    ("tokenizer.ggml.tokens", 9, texts("<s>", "</s>", "a", "b", "ab")), ("tokenizer.ggml.merges", 9, texts("a b")),
    ("tokenizer.chat_template", 8, text("{{ x }}")), ("tokenizer.ggml.add_bos_token", 7, b"\1")]
matrix = "token_embd.weight"
gguf("pieces", pieces, [(matrix, (32, 1), 0, 128), ("blk.0.attn_q.weight", (2, 4), 1, 16)])
gguf("bytes", bytes_, [(matrix, (32, 1), 8, 34), ("rope_freqs.weight", (2,), 0, 8)])
for kind, (n, size) in {2: (32, 18), 3: (32, 20), 6: (32, 22), 7: (32, 24), 10: (256, 84), 11: (256, 110), 12: (256, 144), 13: (256, 176), 14: (256, 210), 30: (2, 4)}.items():
    gguf("type%d" % kind, llama, [(matrix, (n, 1), kind, size)])
P
cat >"$corpus/chat_template/macro" <<'T'
{%- macro show(m, n=2) -%}{{ m | tojson(indent=n) }}{%- endmacro -%}
{% generation %}{{ show(messages[0]) }}{% endgeneration %}{{ strftime_now('%Y') }}
{% if messages[1:] | length > 1 and 'x' in messages[-1].content.split('a')[0] %}{{ bos_token ~ 'b' * 3 }}{% elif tools is none %}
{% for a, b in {'k': [1, 2.5]} | items %}{% continue %}{% endfor %}{% endif %}
T
printf '{%% for m in messages %%}<|{{ m.role }}|>{{ m.content }}{%% endfor %%}{%% if add_generation_prompt %%}<|assistant|>{%% endif %%}' >"$corpus/chat_template/chatml"
printf "{%% set x = namespace(n=0) %%}{%% for m in messages %%}{%% set x.n = x.n + 1 %%}{{ m['content'] | trim | upper }}{{ loop.index0 }}{%% if m.role == 'system' %%}{{ raise_exception('no') }}{%% endif %%}{%% endfor %%}" >"$corpus/chat_template/filters"
