#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""tutorial.py PAGE PREFIX FOLDER [SECTION...]: does in a fresh FOLDER what the page says. Blocks that begin with ```sh are run, in their order, with
the installation below PREFIX; blocks that name a file become that file. Sections are named by their headings; default: all."""
import os
import pathlib
import re
import shutil
import subprocess
import sys


def main():
    page, prefix, folder, *sections = sys.argv[1:]
    place = pathlib.Path(folder)
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    environment = dict(os.environ, PREFIX=prefix, PATH=f"{prefix}/bin:{os.environ['PATH']}", CMAKE_BUILD_TYPE="Release")
    if shutil.which("ccache"):
        environment.update(CMAKE_CXX_COMPILER_LAUNCHER="ccache", CMAKE_C_COMPILER_LAUNCHER="ccache")
    did = 0
    for section in re.split(r"^## ", pathlib.Path(page).read_text(), flags=re.M)[1:]:
        if sections and section.split("\n", 1)[0] not in sections:
            continue
        for language, file, body in re.findall(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", section, re.M | re.S):
            did += 1
            if file:
                assert (place / file).exists(), f"{file}: the template has no such file"
                (place / file).write_text(body)
            elif language == "sh":
                done = subprocess.run(["sh", "-e"], input=body, text=True, cwd=place, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
                if done.returncode != 0:
                    sys.exit(f"{body}\n{done.stdout}")
    if not did:
        sys.exit(f"{page}: has no such section")


if __name__ == "__main__":
    main()
