"""bench.html: one file that needs nothing else, for light and dark, wide and narrow."""
from html import escape

from suite import figures

STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #667; --line: #dde1e6; --back: #fff; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e8eb; --soft: #9aa4b0; --line: #333a42; --back: #15181c; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--back); margin: 0 auto; max-width: 60rem;
  padding: 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2rem; }
.wide { overflow-x: auto; } table { border-collapse: collapse; width: 100%; font-size: .9rem; }
th, td { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid var(--line); vertical-align: top; }
th { color: var(--soft); font-weight: 500; } td.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.note { color: var(--soft); } svg { max-width: 45rem; display: block; margin: 1rem 0; }
"""
COLUMNS = ("who", "s, median", "quartiles", "their time over ours (95 %)", "useful GFLOP/s (of the peak)", "peak MB", "note")
NUMBERS = (1, 2, 3, 4, 5)


def table(case: dict, roof: dict | None) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in COLUMNS)
    body = []
    for row in figures.rows(case, roof):
        cells = (row.who, row.seconds, row.spread, row.ratio, row.useful, row.memory, row.note)
        body.append("<tr>" + "".join(f'<td class="n">{escape(text)}</td>' if i in NUMBERS else f"<td>{escape(text)}</td>"
                                     for i, text in enumerate(cells)) + "</tr>")
    return f'<div class="wide"><table><tr>{head}</tr>{"".join(body)}</table></div>'


def html(bench: dict) -> str:
    charts = figures.charts_of(bench)
    facts = "".join(f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in figures.machine_rows(bench))
    notes = list(bench["notes"]) + [f"{who}: {why}" for who, why in bench["unavailable"].items()]
    if not bench["finished"]:
        notes.append("the run was stopped before its end; what follows was measured until then")
    parts = ["<h1>Innerloop and its rivals: one second-order meta-step</h1>",
             f'<div class="wide"><table>{facts}</table></div>', *(f'<p class="note">{escape(note)}</p>' for note in notes)]
    for case in figures.full_cases(bench):
        parts += [f"<h2>{escape(case['title'])}</h2>", charts.get(f"ratio_{case['name']}", ""), table(case, bench["roofline"])]
    curves = [charts[f"curve_{curve['axis']}"] for curve in bench["curves"] if f"curve_{curve['axis']}" in charts]
    parts += ["<h2>How it scales</h2>", *curves] if curves else []
    if "roofline" in charts:
        parts += ["<h2>How far the roofline is</h2>",
                  '<p class="note">FLOP and bytes are those that the engine counted: ideal ones, each operand read once.</p>',
                  charts["roofline"]]
    parts.append('<p class="note">Useful GFLOP/s: the arithmetic that the meta-step needs, whoever does it, over the median. '
                 "Times are of identical tensors; whoever computed another loss or gradient norm is not timed. Peak memory is the "
                 "arena's for innerloop and the whole process's for others.</p>")
    return ('<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
            f"<title>Innerloop benchmarks</title><style>{STYLE}</style><body>{''.join(parts)}</body></html>\n")
