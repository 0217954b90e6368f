#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes reference.md, every constant and table of the plugin ABI, from abi.h. With --check: says whether it is up to date."""
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).resolve().parent
HEADER = HERE.parent.parent / "sdk/include/attune/abi.h"
PAGE = HERE / "reference.md"


def words(comment):
    """A comment's text on one line."""
    lines = [re.sub(r"^\s*\*? ?", "", line).strip() for line in comment.splitlines()]
    return " ".join(line for line in lines if line).strip()


def cell(text):
    return text.replace("|", "\\|")


def members(body):
    """(declaration, comment, thread) for each member of a struct."""
    found, before = [], ""
    pattern = re.compile(r"/\*(.*?)\*/|([^;/]+;)", re.S)
    for match in pattern.finditer(body):
        comment, code = match.groups()
        if comment is None:
            found.append([" ".join(code.split()), before, ""])
            before = ""
            continue
        text = words(comment)
        behind = found and body[: match.start()].rsplit("\n", 1)[-1].strip()
        thread = re.match(r"\[(\w+)\]\s*(.*)", text)
        if behind and thread:
            found[-1][2], text = thread.groups()
        elif behind and not found[-1][1]:
            found[-1][1], text = text, ""
        elif thread and not behind:
            before, text = text, ""
        if text:
            if behind:
                found[-1][1] = (found[-1][1] + " " + text).strip()
            else:
                before = text
    return found


def table(name, comment, body):
    lines = [f"### `{name}`", ""]
    if comment:
        lines += [cell(comment), ""]
    lines += ["| member | thread | |", "|---|---|---|"]
    for code, text, thread in members(body):
        if not thread and (tag := re.match(r"\[(\w+)\]\s*(.*)", text)):
            thread, text = tag.groups()
        lines.append(f"| `{cell(code.rstrip(';'))}` | {thread} | {cell(text)} |")
    return lines + [""]


def constants(body):
    """Rows of an enum."""
    rows, number = [], -1
    for line in body.splitlines():
        comment = re.search(r"/\*(.*?)\*/", line)
        for name, value in re.findall(r"(ATTUNE_\w+)(?:\s*=\s*(\d+))?", re.sub(r"/\*.*?\*/", "", line)):
            number = int(value) if value else number + 1
            rows.append(f"| `{name}` | {number} | {cell(words(comment.group(1))) if comment else ''} |")
    return rows


def page(header):
    version = ".".join(re.search(rf"ATTUNE_ABI_{part} (\d+)", header).group(1) for part in ("MAJOR", "MINOR"))
    lines = ["# The plugin ABI", "",
             f"Written by `reference.py` from `attune/abi.h`, ABI {version}. Threads: *control* is one thread that creates, calls and",
             "destroys; *worker* a pool thread, one call at a time per instance unless the factory is declared concurrent; *any* is",
             "thread-safe.", ""]
    lines += ["## Rules", ""]
    intro = header.split("*/")[1].split("/*")[1]
    for rule, text in re.findall(r"^ \*   (\w[\w ]+?)\s{2,}(.+(?:\n \*\s{10,}.+)*)", intro, re.M):
        lines.append(f"- **{rule.strip()}** {words(text)}")
    lines.append("")
    pattern = re.compile(
        r"/\* -{3,} (?P<heading>.+?) -{3,} \*/|(?P<comment>/\*(?:(?!\*/).)*\*/\s*)?"
        r"(?:enum \{(?P<enum>.*?)\};(?:[ \t]*/\*(?P<behind>.*?)\*/)?|typedef struct (?P<name>attune_\w+) \{(?P<body>.*?)\n\} \w+;|struct (?P<host>attune_host) \{(?P<hbody>.*?)\n\};)", re.S)
    for match in pattern.finditer(header):
        comment = words(match["comment"][2:].rsplit("*/", 1)[0]) if match["comment"] else ""
        if match["heading"]:
            lines += [f"## {match['heading'][0].upper()}{match['heading'][1:]}", ""]
        elif match["enum"]:
            comment = comment or words(match["behind"] or "")
            lines += ([cell(comment), ""] if comment else []) + ["| constant | value | |", "|---|---|---|"] + constants(match["enum"]) + [""]
        else:
            body = match["body"] or match["hbody"]
            first = re.match(r"\s*/\*(.*?)\*/[ \t]*\n", body, re.S)  # A comment beside the opening brace is the table's own.
            if first and "\n" not in body[: first.start(1)]:
                comment, body = (comment + " " + words(first.group(1))).strip(), body[first.end():]
            lines += table(match["name"] or match["host"], comment, body)
    return "\n".join(lines).rstrip() + "\n"


def main():
    made = page(HEADER.read_text())
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(made)
    elif PAGE.read_text() != made:
        sys.exit(f"{PAGE.name} is not what {HEADER.name} says; run docs/plugins/reference.py")


if __name__ == "__main__":
    main()
