"""From a report to what is shown: the rows of tables and the charts. Pages only arrange these."""
from dataclasses import dataclass

from suite import charts, report, stats
from suite.contestants import OURS

COLOURS = {OURS: 0, "torch_eager": 1, "torch_func": 2, "tensorflow": 3, "jax_map": 5, "jax_vmap": 5, "torch_compile": 6,
           "torch_graph": 7, "learn2learn": 7, "tensorflow_tasks": 7, "jax_tasks": 4}


@dataclass(frozen=True)
class Row:
    who: str
    seconds: str
    spread: str
    ratio: str  # their time over ours
    useful: str  # useful arithmetic
    memory: str
    note: str


def bytes_of(result: dict) -> float | None:
    return result["facts"].get("peak_bytes") or result["facts"].get("rss_bytes")


def useful(case: dict, seconds: float, roof: dict | None) -> str:
    """GFLOP/s, and their share of the arithmetic peak where that was measured with as many threads."""
    rate = case["flops"] / seconds
    share = f" ({100 * rate / roof['flops_per_s']:.0f} %)" if roof and case["threads"] is None else ""
    return f"{rate / 1e9:.1f}{share}"


def spread(s: stats.Summary) -> str:
    """Quartiles, where there are enough samples for them."""
    return f"{s.low:.4g} to {s.high:.4g}, n = {s.count}" if s.count >= 4 else f"n = {s.count}"


def rows(case: dict, roof: dict | None) -> list[Row]:
    """Ours first, then the rivals from the fastest on, then those without a figure."""
    measured = report.measured(case)
    ours = measured.get(OURS)

    def median(result: dict) -> float:
        return stats.summary(result["samples_s"]).median

    ordered = sorted(measured.values(), key=lambda r: (r["who"] != OURS, median(r)))
    found = []
    for result in ordered:
        s = stats.summary(result["samples_s"])
        ratio = ""
        if ours is not None and result is not ours:
            r = stats.ratio(result["samples_s"], ours["samples_s"])
            ratio = f"{r.value:.2f} ({r.low:.2f} to {r.high:.2f})" if r.enough else f"{r.value:.2f} (too few rounds)"
        memory = bytes_of(result)
        found.append(Row(result["who"], f"{s.median:.4g}", spread(s), ratio,
                         useful(case, s.median, roof), f"{memory / 1e6:.0f}" if memory else "", result["note"]))
    found += [Row(r["who"], "", "", "", "", "", f"{r['status']}: {r['note']}") for r in case["results"] if r["who"] not in measured]
    return found


def full_cases(bench: dict) -> list[dict]:
    """Those that every rival was asked for."""
    return [case for case in bench["cases"] if case["every_rival"]]


def ratio_bars(case: dict) -> str:
    measured = report.measured(case)
    ours = measured.get(OURS)
    if ours is None or len(measured) < 2:
        return ""
    bars = [charts.Bar(OURS, 1.0, f"1  ({stats.summary(ours['samples_s']).median:.3g} s)")]
    rivals = [(who, stats.ratio(r["samples_s"], ours["samples_s"])) for who, r in measured.items() if who != OURS]
    for who, r in sorted(rivals, key=lambda item: item[1].value):
        low, high = (r.low, r.high) if r.enough else (None, None)
        bars.append(charts.Bar(who, r.value, f"{r.value:.1f}x", low, high, COLOURS.get(who, 7)))
    return charts.bars(case["title"], bars, "time of a meta-step over ours; a line is the 95 % interval of the ratio")


def curve_chart(bench: dict, curve: dict) -> str:
    """Empty when fewer than two of its points were measured."""
    series: dict[str, list[tuple[float, float]]] = {}
    for name in curve["cases"]:
        case = report.case_named(bench, name)
        if case is None:
            continue
        x = case[curve["axis"]] or bench["threads"]
        for who, result in report.measured(case).items():
            series.setdefault(who, []).append((x, stats.summary(result["samples_s"]).median))
    drawn = [charts.Series(who, points, COLOURS.get(who, 7)) for who, points in series.items() if len(points) > 1]
    first = report.case_named(bench, curve["cases"][0])
    if not drawn or first is None:
        return ""
    return charts.lines(f"Seconds of a meta-step over {curve['label']} ({first['workload'].upper()})", drawn, curve["label"],
                        "seconds")


def roofline_points(bench: dict) -> list[tuple[str, float, float]]:
    """Ours: FLOP and bytes as the engine counted them."""
    points = []
    for case in full_cases(bench):
        ours = report.measured(case).get(OURS)
        if ours and ours["facts"].get("bytes"):
            flops, moved = ours["facts"]["flops"], ours["facts"]["bytes"]
            points.append((case["name"], flops / moved, flops / stats.summary(ours["samples_s"]).median))
    return points


def roofline_chart(bench: dict) -> str:
    roof, points = bench["roofline"], roofline_points(bench)
    if roof is None or not points:
        return ""
    roofs = [charts.Roof("memory", roof["memory_bytes_per_s"])]
    if roof["cache_bytes_per_s"] > 0:
        roofs.append(charts.Roof("cache", roof["cache_bytes_per_s"]))
    words = ", ".join(f"{r.name} {r.bytes_per_s / 1e9:.1f} GB/s" for r in roofs)
    title = f"Roofline of {bench['threads']} threads: {roof['flops_per_s'] / 1e9:.0f} GFLOP/s, {words}"
    return charts.roofline(title, roof["flops_per_s"], roofs, points)


def charts_of(bench: dict) -> dict[str, str]:
    """By a name that serves as file name."""
    found = {f"ratio_{case['name']}": ratio_bars(case) for case in full_cases(bench)}
    found |= {f"curve_{curve['axis']}": curve_chart(bench, curve) for curve in bench["curves"]}
    found["roofline"] = roofline_chart(bench)
    return {name: chart for name, chart in found.items() if chart}


def shown_command(words: list[str]) -> str:
    """Without the options that name places of one machine."""
    shown, skip = [], False
    for word in (w for w in words if w != "--built-here"):
        if skip or word.split("=")[0] in ("--python", "--innerloop", "--out", "--cache"):
            skip = not skip and "=" not in word
            continue
        shown.append(word)
    return " ".join(["tools/bench.sh", *shown])


def machine_rows(bench: dict) -> list[tuple[str, str]]:
    m = bench["machine"]
    gpu = m.get("gpu") or {}
    versions = {r["facts"]["framework"]: r["facts"]["version"] for case in bench["cases"] for r in case["results"]
                if r["facts"].get("framework")}
    memory = f"{m['memory_bytes'] / 2**30:.1f} GiB" if m.get("memory_bytes") else ""
    found = [("CPU", f"{m.get('cpu')}, {m.get('cores')} cores, kernels {m.get('target')}"), ("GPU", gpu.get("name", "")),
             ("memory", memory), ("threads", str(bench["threads"])), ("device", bench["device"]),
             ("precision", bench["precision"]), ("Innerloop", f"{m.get('innerloop')}, commit {m.get('commit') or 'unknown, a named program'}"),
             ("compiler", m.get("compiler") or ""), ("rivals", ", ".join(f"{k} {v}" for k, v in sorted(versions.items()))),
             ("started", bench["started"]), ("took", f"{bench['seconds']:.0f} s"),
             ("priority", f"nice {m['nice']}" if m.get("nice") else ""), ("load at the start", f"{m.get('load_before', 0):.1f}"),
             ("command", shown_command(bench["command"]))]
    return [(name, value) for name, value in found if value]
