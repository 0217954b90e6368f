# SPDX-License-Identifier: Apache-2.0
"""Write a model folder with a tokenizer and a chat template: make_folder.py SOURCE OUT [--template NAME].

SOURCE is a tokenizer.json, the same gzipped, or a sentencepiece model.
"""
import argparse
import gzip
import json
import pathlib
import tempfile

from transformers import LlamaTokenizer, PreTrainedTokenizerFast

# Three families: every turn alike, contents trimmed with BOS first, and turns that must alternate.
TEMPLATES = {
    "chatml": "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}",
    "headers": "{{ bos_token }}{% for message in messages %}"
    "{{ '<|start_header_id|>' + message.role + '<|end_header_id|>\n\n' + message.content | trim + '<|eot_id|>' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}",
    "inst": "{{ bos_token }}{% if messages[0]['role'] == 'system' %}{% set system = messages[0]['content'] %}"
    "{% set turns = messages[1:] %}{% else %}{% set turns = messages %}{% endif %}"
    "{% for message in turns %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('roles must alternate') }}{% endif %}"
    "{% if message['role'] == 'user' %}{% if loop.first and system is defined %}{{ '[INST] ' + system + '\n\n' + message['content'] + ' [/INST]' }}"
    "{% else %}{{ '[INST] ' + message['content'] + ' [/INST]' }}{% endif %}"
    "{% else %}{{ message['content'] + eos_token }}{% endif %}{% endfor %}",
}


def load(source):
    if source.suffix in (".json", ".gz"):
        data = gzip.decompress(source.read_bytes()) if source.suffix == ".gz" else source.read_bytes()
        with tempfile.NamedTemporaryFile(suffix=".json") as file:
            file.write(data)
            file.flush()
            tokenizer = PreTrainedTokenizerFast(tokenizer_file=file.name)
        special = [token["content"] for token in json.loads(data)["added_tokens"] if token["special"]]
        tokenizer.bos_token = tokenizer.eos_token = special[0]
        return tokenizer
    with tempfile.TemporaryDirectory() as folder:
        model = pathlib.Path(folder, "tokenizer.model")
        model.write_bytes(source.read_bytes())
        return LlamaTokenizer.from_pretrained(folder, legacy=False)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--template", choices=TEMPLATES, default="chatml")
    arguments = parser.parse_args()
    tokenizer = load(arguments.source)
    tokenizer.chat_template = TEMPLATES[arguments.template]
    tokenizer.save_pretrained(arguments.out)
    # The generic class reads tokenizer.json as it is; a model's own class may build another tokenizer from its parts.
    config = arguments.out / "tokenizer_config.json"
    settings = json.loads(config.read_text())
    settings["tokenizer_class"] = "PreTrainedTokenizerFast"
    config.write_text(json.dumps(settings, indent=2, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
