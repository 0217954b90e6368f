# SPDX-License-Identifier: Apache-2.0
"""Opens reports in a Chromium, at three widths, in light and dark and on paper, and looks for what a reader would mind.

    report_in_browser.py ATTUNE [FOLDER]     keeps pages and pictures in FOLDER
    report_in_browser.py --look FOLDER REPORT.html...     pictures of reports that are there already

Ends with 77 where there is no Chromium.
"""
import json
import pathlib
import subprocess
import sys
import tempfile

import browser
import runs

WIDTHS = (400, 800, 1600)
CHECKS = (pathlib.Path(__file__).parent / "checks.js").read_text()


def told(page, url):
    """What the browser said that a page at rest does not say."""
    problems = []
    for event in page.events:
        method, parameters = event.get("method"), event.get("params", {})
        if method == "Network.requestWillBeSent" and parameters["request"]["url"] != url:
            problems.append("asked the network for " + parameters["request"]["url"])
        if method in ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded", "Page.javascriptDialogOpening"):
            problems.append(method + " " + json.dumps(parameters)[:300])
    return problems


def interaction(page):
    """The pointer tells values; a box in the legend hides a run; a key shows where it is."""
    page.look(1600)
    box = page.evaluate("(() => {const s = document.querySelector('svg[data-plot]'); s.scrollIntoView({block: 'center'});"
                        "const b = s.getBoundingClientRect(); return [b.x + b.width / 2, b.y + b.height / 2]})()")
    page("Input.dispatchMouseEvent", type="mouseMoved", x=box[0], y=box[1])
    problems = []
    if not (page.evaluate("document.querySelector('.tip:not([hidden])')?.textContent") or "").startswith("step "):
        problems.append("the pointer over a chart tells nothing")
    hidden = page.evaluate("""(() => {const box = document.querySelector('#run0'); if (!box) return true; box.click();
        const hidden = getComputedStyle(document.querySelector('svg .r0')).display === 'none'; box.click(); return hidden})()""")
    if not hidden:
        problems.append("a run cannot be hidden")
    page("Input.dispatchKeyEvent", type="keyDown", key="Tab", code="Tab", windowsVirtualKeyCode=9)
    if page.evaluate("getComputedStyle(document.activeElement).outlineStyle") in ("none", None):
        problems.append("focus cannot be seen")
    return problems


def self_check(page):
    """The checks see what they are for."""
    page.look(400)
    page.evaluate("document.body.insertAdjacentHTML('beforeend', '<p id=wide style=\"width:2000px;max-width:none;color:#bbb;background:#fff\">pale</p>')")
    found = " ".join(page.evaluate(CHECKS))
    page.evaluate("document.querySelector('#wide').remove()")
    return [] if "in a window of 400" in found and "contrast 1." in found else ["the checks see nothing: " + found]


def pictures(page, url, name, out):
    problems = []
    page.open(url)
    for scheme in ("light", "dark"):
        for width in WIDTHS:
            page.look(width, scheme=scheme)
            problems += ["%s, %d px, %s: %s" % (name, width, scheme, p) for p in page.evaluate(CHECKS)]
            if out:
                page.screenshot(out / ("%s-%d-%s.png" % (name, width, scheme)))
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    page.look(400)
    problems += ["%s, 400 px, all open: %s" % (name, p) for p in page.evaluate(CHECKS)]
    page.look(700, medium="print")
    problems += ["%s, on paper: %s" % (name, p) for p in page.evaluate(CHECKS)]
    return problems + ["%s: %s" % (name, p) for p in told(page, url)]


def main(arguments):
    program = browser.find()
    if not program:
        print("skipped: there is no Chromium on the PATH")
        return 77
    with tempfile.TemporaryDirectory() as scratch:
        if arguments[0] == "--look":
            out, pages = pathlib.Path(arguments[1]), [pathlib.Path(p).resolve() for p in arguments[2:]]
        else:
            out = pathlib.Path(arguments[1]) if len(arguments) > 1 else None
            folder = (out or pathlib.Path(scratch)).resolve()
            runs.make(folder / "runs")
            pages = []
            for name in ("plain", "stages", "hostile", "long"):
                pages.append(folder / (name + ".html"))
                subprocess.run([arguments[0], "report", folder / "runs" / name, "--out", pages[-1]], check=True, stdout=subprocess.DEVNULL)
        page = browser.Browser(program)
        problems = []
        try:
            for file in pages:
                problems += pictures(page, file.as_uri(), file.stem, out)
            if arguments[0] != "--look":
                page.open(pages[1].as_uri())
                problems += interaction(page) + self_check(page) + told(page, pages[1].as_uri())
                if len(page("Page.printToPDF")["data"]) < 10_000:
                    problems.append("nothing comes on paper")
        finally:
            page.close()
    print("\n".join(problems) or "%d pages at %d widths, light, dark and on paper: nothing found" % (len(pages), len(WIDTHS)))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
