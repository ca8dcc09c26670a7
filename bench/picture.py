"""docs/benchmarks.svg: the tables `one` and `eight` as bars, drawn from the document, so that the two cannot differ.

    python3 bench/picture.py docs/benchmarks.md      draws it again

It has its own background, which follows the reader's scheme, light or dark, so that it is readable on either page.
"""
import re
import sys
from html import escape
from pathlib import Path
from typing import NamedTuple

CASES = ("one", "eight")
OURS = "http-torrent"       # and its variants, which begin so
MEASURES = (("CPU seconds for each GiB delivered", "CPU s/GiB"), ("seconds until all are complete", "wall s"))

WIDTH, EDGE = 960, 28
NAMES = 224         # the column of names; then one column for each measure
GAP = 30            # between these columns
VALUE = 52          # beside the longest bar
BAR, ROW = 16, 27
HEAD = 86           # the picture's title and legend
PANEL_HEAD, PANEL_FOOT = 66, 50
COLUMN = (WIDTH - 2 * EDGE - NAMES - GAP * (len(MEASURES) - 1)) // len(MEASURES)

STYLE = """
  text { font-family: system-ui, -apple-system, "Segoe UI", "DejaVu Sans", Helvetica, Arial, sans-serif; fill: #1f2328 }
  .title { font-size: 19px; font-weight: 600 } .panel { font-size: 15px; font-weight: 600 } .name, .value { font-size: 13px }
  .of-ours { font-weight: 600 } .measure, .note { font-size: 12px; fill: #59636e }
  .ground { fill: #ffffff; stroke: #d1d9e0 } .line { stroke: #d1d9e0 } .ours { fill: #0b6bcb } .other { fill: #9aa4af }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 } .measure, .note { fill: #9198a1 } .ground { fill: #0d1117; stroke: #3d444d }
    .line { stroke: #3d444d } .ours { fill: #4c9df3 } .other { fill: #656e78 }
  }
"""


class Panel(NamedTuple):
    title: str
    rows: list      # (system, one figure for each measure)
    made_by: str    # command, date and machine


def drawn(document):
    """The picture of a document's tables; those that are empty have no panel."""
    panels = [panel for name in CASES if (panel := panel_of(document, name))]
    if not panels:
        raise ValueError(f"no table to draw: neither of {', '.join(CASES)} has figures")
    body, y = [], HEAD
    for panel in panels:
        body += draw(panel, y)
        y += height_of(panel)
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y}" width="{WIDTH}" height="{y}" role="img" '
        'aria-labelledby="title">',
        '<title id="title">What a delivery over loopback costs, in CPU time and in time, for each system</title>',
        f"<style>{STYLE}</style>",
        f'<rect class="ground" x="0.5" y="0.5" width="{WIDTH - 1}" height="{y - 1}" rx="8"/>',
        text("title", EDGE, 40, "What a delivery costs: everything on one machine, over loopback"),
        text("note", EDGE, 62, "Shorter is better. Medians of the tables in docs/benchmarks.md."),
        *body, "</svg>", ""])


def panel_of(document, name):
    """What stands between the markers of a case; None without a table there."""
    section = document.partition(f"<!-- bench:{name} begin -->")[2].partition(f"<!-- bench:{name} end -->")[0]
    lines = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("|")]
    if len(lines) < 3:
        return None
    columns = [lines[0].index(column) for _, column in MEASURES]
    # A wall time is followed by its spread in brackets.
    rows = [(cells[0], [float(cells[at].split()[0]) for at in columns]) for cells in lines[2:]]
    title = re.search(r"^### (.*)", section, re.M)[1]
    made_by = re.search(r"^`(bench/run [^`]*)`, ([\d-]+), ([^;]*);", section, re.M)
    return Panel(title, rows, ", ".join(made_by.groups()))


def height_of(panel):
    return PANEL_HEAD + ROW * len(panel.rows) + PANEL_FOOT


def draw(panel, y):
    yield f'<line class="line" x1="{EDGE}" y1="{y}" x2="{WIDTH - EDGE}" y2="{y}"/>'
    yield text("panel", EDGE, y + 30, panel.title)
    for row, (system, _) in enumerate(panel.rows):
        yield text("name" + (" of-ours" if is_ours(system) else ""), EDGE, bar_top(y, row) + BAR - 3, system)
    for at, (words, _) in enumerate(MEASURES):
        x = EDGE + NAMES + at * (COLUMN + GAP)
        yield text("measure", x, y + 53, words)
        most = max(figures[at] for _, figures in panel.rows)
        for row, (system, figures) in enumerate(panel.rows):
            width = (COLUMN - VALUE) * figures[at] / most
            top = bar_top(y, row)
            yield (f'<rect class="{"ours" if is_ours(system) else "other"}" x="{x}" y="{top}" width="{width:.1f}" '
                   f'height="{BAR}" rx="2"/>')
            yield text("value" + (" of-ours" if is_ours(system) else ""), round(x + width + 7, 1), top + BAR - 3,
                       f"{figures[at]:.2f}")
    yield text("note", EDGE, y + height_of(panel) - 22, panel.made_by)


def bar_top(y, row):
    return y + PANEL_HEAD + ROW * row


def is_ours(system):
    return system.startswith(OURS)


def text(kind, x, y, words):
    return f'<text class="{kind}" x="{x}" y="{y}">{escape(words)}</text>'


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.with_suffix(".svg").write_text(drawn(path.read_text()))
