#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Prints the table of docs/sites.md: for each deployment a folder with its components, a small job done there, what the folder weighs and how
# long the job takes from the start of the process to its end, the best of TIMES (10). deployments.sh BUILD_FOLDER [TIMES]
set -eu
build=$(cd "$1" && pwd)
times=${2:-10}
source=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill $server; rm -rf "$work"' EXIT
export HOME=$work OMP_NUM_THREADS=1
unset ATTUNE_PLUGIN_PATH ATTUNE_SITE XDG_CACHE_HOME XDG_CONFIG_HOME XDG_DATA_HOME
cd "$work"

data="use = \"columns\"
path = \"$source/data/two_lines/heldout.jsonl\"
limit = 1"
manifest() { printf 'schema = 1\n[run]\nkind = "%s"\nname = "%s"\noutput = "runs"\nthreads = 1\n%s\n' "$1" "$2" "$3" >"$2.toml"; }
manifest train train "[model]
path = \"$source/configs/tiny/model\"
init = \"random\"
[algorithm]
use = \"sft\"
[optimizer]
learning_rate = 1e-3
[train]
steps = 1
samples_per_step = 1
[[data.train]]
$data
columns = { prompt = \"question\", answer = \"better\" }"
manifest evaluate local "[model]
path = \"runs/train/final\"
[[evaluate]]
use = \"pattern\"
pattern = \"a\"
max_tokens = 1
[evaluate.data]
$data
columns = { prompt = \"question\" }"

# A server that says "a" to all.
cat >server.py <<'END'
import http.server
ANSWER = b'{"choices": [{"message": {"content": "a"}, "finish_reason": "stop"}]}'
class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", str(len(ANSWER)))
        self.end_headers()
        self.wfile.write(ANSWER)
    def log_message(self, *_):
        pass
server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
END
mkfifo port
python3 server.py >port &
server=$!
read -r port <port
manifest evaluate remote "[generator]
use = \"openai\"
url = \"http://127.0.0.1:$port/v1\"
model = \"any\"
$(sed -n '/^\[\[evaluate/,$p' local.toml)"

# row NAME LIBTORCH COMPONENTS COMMAND...: LIBTORCH is yes or no, what the dynamic loader must say of the job.
row() {
  name=$1 torch=$2 components=$3
  shift 3
  rm -rf root
  for component in $components; do cmake --install "$build" --component "$component" --prefix root --strip >/dev/null 2>&1; done
  size=$(du -sk --apparent-size root | cut -f1)
  job() { rm -rf runs/local runs/remote; "$work/root/bin/attune" "$@"; }
  opened=no
  LD_DEBUG=files LD_DEBUG_OUTPUT=opened job "$@" >said 2>&1 || { cat said >&2; echo "$name: failed" >&2; exit 1; }
  ! grep -qs 'file=libtorch_cpu' opened.* || opened=yes
  rm -f opened.*
  [ "$opened" = "$torch" ] || { echo "$name: LibTorch opened: $opened, expected: $torch" >&2; exit 1; }
  # In hundredths of a millisecond.
  took=$(for i in $(seq "$times"); do
    [ "$name" != train ] || rm -rf runs/train
    a=$(date +%s%N); job "$@" >/dev/null 2>&1; b=$(date +%s%N); echo $(((b - a) / 10000))
  done | sort -n | head -1)
  printf '| %s | %s | %s | %d.%d MB | %d.%d ms |\n' "$name" "$(echo $components | sed 's/ /, /g')" "$torch" $((size / 1024)) \
    $((size % 1024 * 10 / 1024)) $((took / 100)) $((took % 100 / 10))
}

plugins="models algorithms datasets evaluators readers weights tokenizers"
echo '| deployment | components | LibTorch | size | start |'
echo '|---|---|---|---|---|'
row 'check manifests' no "host $plugins" check train.toml
row 'prepare data' no 'host models algorithms datasets readers tokenizers' data convert train.toml
row 'evaluate against a server' no 'host datasets evaluators readers generators' run remote.toml
row 'train' yes 'host engine models algorithms datasets readers weights tokenizers' run train.toml
row 'evaluate a local model' yes 'host engine models datasets evaluators readers weights tokenizers' run local.toml
