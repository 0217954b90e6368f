#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A dataset in C, an evaluator in C++, a tokenizer in Rust, a model and an algorithm in C++, each written and built with nothing but an
# installed SDK, in one training run of a site that trusts signed code alone.
# together.sh BUILD CMAKE PLACE FOLDER...: BUILD is installed from, below each FOLDER lies my_KIND with its build.
set -eu
build=$1 cmake=$2 place=$3
documented=$(cd "$(dirname "$0")/../../docs/plugins" && pwd)/README.md
shift 3
fail() { echo "$*" >&2; exit 1; }
# refuses CODE WORDS COMMAND...: the command must end with CODE and say WORDS.
refuses() {
  expected=$1 words=$2 code=0
  shift 2
  "$@" >said 2>&1 || code=$?
  [ "$code" = "$expected" ] && grep -q "$words" said || fail "expected exit code $expected and \"$words\", found $code: $(cat said)"
}

rm -rf "$place"
mkdir -p "$place/root/lib/attune" "$place/job/model" "$place/home"
for component in host engine readers weights; do "$cmake" --install "$build" --component $component --prefix "$place/root" --strip >/dev/null; done
cd "$place/job"
export HOME="$place/home"
unset ATTUNE_PLUGIN_PATH ATTUNE_SITE XDG_CACHE_HOME XDG_CONFIG_HOME XDG_DATA_HOME
attune=$place/root/bin/attune

# ---- five authors: by which compiler, in how many lines ----
for folder in "$@"; do
  source=$(echo "$folder"/my_*)
  name=$(basename "$source")
  for code in "$source/$name.c" "$source/$name.cpp" "$source/src/lib.rs"; do [ ! -e "$code" ] || break; done
  # The whole conformance suite ran when it was built; here the host of this installation sees it.
  "$attune" plugins validate "$source/build/$name.attune.so" --test growth >/dev/null
  cp "$source/build/$name.attune.so" "$place/root/lib/attune/"
  "$attune" plugins inspect "$source/build/$name.attune.so" | sed -n "s/^  compiler  */$name: /p; s/^  needs  */  needs /p"
  case $code in *.c) language=C ;; *.cpp) language=C++ ;; *) language=Rust ;; esac
  row="| \`${name#my_}/1\` | $language | $(wc -l <"$code") | $(wc -l <"$source/plugin.toml") |"
  grep -qF "$row" "$documented" || fail "expected in $documented: $row"
done

# ---- a model of random weights, six rows, one manifest ----
cat >model/config.json <<'END'
{"architectures": ["MyModelForCausalLM"], "vocab_size": 258, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
 "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8, "rms_norm_eps": 1e-5, "rope_theta": 10000.0,
 "max_position_embeddings": 128, "tie_word_embeddings": false, "hidden_act": "silu", "dtype": "float32"}
END
for n in 1 2 3 4 5 6; do echo "{\"question\": \"$n + $n?\", \"answer\": \"$((n + n))\"}"; done >sums.jsonl
cat >run.toml <<'END'
schema = 1
[run]
kind = "pipeline"
name = "together"
seed = 1
threads = 1
output = "runs"

[[stage]]
name = "learn"
kind = "train"
model = { path = "model", init = "random" }
algorithm = { use = "my_algorithm", penalty = 0.01 }
optimizer = { learning_rate = 1e-2 }
train = { steps = 60, samples_per_step = 6 }
[[stage.data.train]]
use = "my_dataset"
path = "sums.jsonl"

[[stage]]
name = "ask"
kind = "evaluate"
model = { path = "@learn.final" }
[[stage.evaluate]]
use = "my_evaluator"
max_tokens = 4
data = { use = "my_dataset", path = "sums.jsonl" }
END

# ---- one key, and a site that trusts it alone ----
"$attune" plugins keygen site >/dev/null
mkdir -p "$place/root/etc/attune"
cat >"$place/root/etc/attune/site.toml" <<END
[trust]
require = "signed"
[[trust.key]]
name = "the site"
key = "$(tail -1 site.pub)"
END
"$attune" check run.toml >/dev/null
"$attune" lock run.toml >/dev/null
refuses 5 T-01 "$attune" run run.toml --locked
[ "$(grep -c 'T-01 .*/my_\(dataset\|evaluator\|algorithm\)' said)" = 3 ] && [ ! -e runs ] || fail "expected all three at once: $(cat said)"
"$attune" plugins sign --key site.key "$place"/root/lib/attune/*.so >/dev/null
refuses 5 "T-01 .*libattune-engine.so" "$attune" run run.toml --locked
"$attune" plugins sign --key site.key "$place/root/lib/libattune-engine.so" >/dev/null
LD_DEBUG=files LD_DEBUG_OUTPUT=opened "$attune" run run.toml --locked --json >results.json

# No code but LibTorch and the system's came from a file that somebody could have changed since it was checked.
grep -qs 'file=.*libtorch_cpu.so' opened.* || fail "expected the loader to tell of LibTorch"
! grep -hs 'calling init: .*attune[^/]*\.so$' opened.* || fail "expected engine and plugins to be mapped from memory"
rm opened.*

# Each of the five had its part, and the model learned its six sums.
for kind in dataset evaluator tokenizer model algorithm; do
  grep -q "\"org.example.my_$kind\"" runs/together/*/record.toml || fail "my_$kind had no part: $(cat runs/together/*/record.toml)"
done
tr -d ' \n' <results.json | grep -q '"my_evaluator":{"rows":6,"metrics":{"accuracy":{"value":1.0,' || fail "expected accuracy 1: $(cat results.json)"

# Other bytes than those that were signed and locked.
printf x >>"$place/root/lib/attune/my_dataset.attune.so"
refuses 5 "my_dataset.attune.so" "$attune" run run.toml --locked --set 'run.output="again"'
