# SPDX-License-Identifier: Apache-2.0
"""Watches a run in a pseudo-terminal: the picture follows the run and the size of the terminal, and the terminal comes back as it was.

    watch_in_terminal.py ATTUNE
"""
import fcntl
import os
import pathlib
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time

PATIENCE = 20  # Seconds for what takes half of one.


class Watched:
    """`attune runs watch` in a terminal of its own."""

    def __init__(self, attune, folder, columns):
        self.ours, theirs = pty.openpty()
        self.resize(columns)
        self.before = termios.tcgetattr(theirs)
        self.theirs, self.text = theirs, ""
        self.process = subprocess.Popen([attune, "runs", "watch", folder], stdin=theirs, stdout=theirs, stderr=theirs,
                                        start_new_session=True, env=dict(os.environ, TERM="xterm", LC_ALL="C.UTF-8"),
                                        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))

    def resize(self, columns, rows=24):
        fcntl.ioctl(self.ours, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def until(self, condition, what):
        """Reads until the newest picture is so; returns its lines."""
        end = time.time() + PATIENCE
        while time.time() < end:
            if select.select([self.ours], [], [], 0.2)[0]:
                self.text += os.read(self.ours, 1 << 16).decode(errors="replace")
            picture = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self.text[self.text.rfind("\x1b[?2026h"):]).replace("\r", "").split("\n")
            if condition(picture):
                return picture
        raise AssertionError("%s; the screen is\n%s" % (what, "\n".join(picture)))

    def ends(self):
        end = time.time() + PATIENCE
        while self.process.poll() is None and time.time() < end:
            if select.select([self.ours], [], [], 0.2)[0]:
                self.text += os.read(self.ours, 1 << 16).decode(errors="replace")
        while select.select([self.ours], [], [], 0)[0]:
            self.text += os.read(self.ours, 1 << 16).decode(errors="replace")
        assert self.process.poll() == 0, "it ended with %s" % self.process.poll()
        assert termios.tcgetattr(self.theirs) == self.before, "the terminal is not as it was"
        assert self.text.rfind("\x1b[?1049l") > self.text.rfind("\x1b[?1049h") >= 0, "the other screen stays"
        assert self.text.rfind("\x1b[?25h") > self.text.rfind("\x1b[?25l") >= 0, "the cursor stays hidden"


def main(attune):
    with tempfile.TemporaryDirectory() as scratch:
        run = pathlib.Path(scratch) / "run"
        watched = Watched(attune, str(run), 80)
        watched.until(lambda p: "waiting" in p[0], "a run that is not there is not waited for")
        run.mkdir()
        with open(run / "metrics.jsonl", "w") as rows:
            rows.write('{"step": 1, "loss": 0.5}\n{"step": 2, "loss": 0.25, "reward/margin": 1}\n')
        wide = watched.until(lambda p: any("0.25" in line and "█▁" in line for line in p), "appended rows are not seen")
        watched.resize(40)
        narrow = watched.until(lambda p: max(map(len, p)) <= 40 and any("reward margin" in line for line in p), "it does not fit 40 columns")
        assert max(map(len, wide)) <= 80 and len(narrow) <= 24
        (run / "metrics.jsonl").write_text('{"step": 1, "loss": 0.75}\n')
        watched.until(lambda p: any("0.75" in line for line in p), "a rewound file is not read anew")
        os.write(watched.ours, b"q")
        watched.ends()

        watched = Watched(attune, str(run), 60)
        watched.until(lambda p: any("0.75" in line for line in p), "nothing is drawn")
        os.write(watched.ours, b"\x03")
        watched.ends()

        watched = Watched(attune, str(run), 60)
        watched.until(lambda p: any("0.75" in line for line in p), "nothing is drawn")
        watched.process.send_signal(signal.SIGTERM)
        watched.ends()


if __name__ == "__main__":
    main(sys.argv[1])
