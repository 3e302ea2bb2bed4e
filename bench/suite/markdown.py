"""The tables of a report as Markdown, for docs/benchmarks.md, and its charts as SVG files."""
from pathlib import Path

from suite import figures

HEAD = ("| who | s, median | quartiles | their time over ours (95 %) | useful GFLOP/s (of the peak) | peak MB | note |\n"
        "|---|---:|---|---:|---:|---:|---|")


def cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def table(case: dict, roof: dict | None) -> str:
    lines = ["| " + " | ".join(map(cell, (row.who, row.seconds, row.spread, row.ratio, row.useful, row.memory, row.note))) + " |"
             for row in figures.rows(case, roof)]
    return "\n".join([HEAD, *lines])


def page(bench: dict, charts: dict[str, str], folder: str) -> str:
    """`folder`: where the charts lie, as links name it."""
    def picture(name: str) -> list[str]:
        return [f"![{name.replace('_', ' ')}]({folder}/{name}.svg)", ""] if name in charts else []

    parts = ["| | |", "|---|---|", *(f"| {cell(name)} | {cell(value)} |" for name, value in figures.machine_rows(bench)), ""]
    parts += [f"* {note}" for note in bench["notes"]]
    parts += [f"* {who}: {why}" for who, why in bench["unavailable"].items()]
    parts += [] if bench["finished"] else ["* the run was stopped before its end"]
    parts += ["* peak MB: of the arena for innerloop, of the whole process for others", ""]
    for case in figures.full_cases(bench):
        parts += [f"### {case['title']} (`{case['name']}`)", "", table(case, bench["roofline"]), "", *picture(f"ratio_{case['name']}")]
    for curve in bench["curves"]:
        if f"curve_{curve['axis']}" in charts:
            parts += [f"### Over {curve['label']}", "", *picture(f"curve_{curve['axis']}")]
    if "roofline" in charts:
        parts += ["### Roofline", "", *picture("roofline")]
    return "\n".join(parts).rstrip() + "\n"


def write(bench: dict, page_path: Path | None, folder: Path | None) -> str:
    """The page; written to `page_path`, the charts into `folder`, where given."""
    charts = figures.charts_of(bench)
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        for name, chart in charts.items():
            (folder / f"{name}.svg").write_text(chart + "\n", encoding="utf-8")
    link = folder.name if folder is not None else "."
    text = page(bench, charts if folder is not None else {}, link)
    if page_path is not None:
        page_path.write_text(text, encoding="utf-8")
    return text
