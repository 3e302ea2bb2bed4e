"""Charts as inline SVG that follow the reader's light or dark scheme, alone or inside a page."""
import math
from dataclasses import dataclass
from html import escape

STYLE = """
.chart { --ink: #1b1f24; --soft: #667; --grid: #dde1e6; --back: #fff; --s0: #0b6bcb; --s1: #d1495b; --s2: #2e933c;
  --s3: #e08e0b; --s4: #8e5fbf; --s5: #00838f; --s6: #9a6b3f; --s7: #777; font: 13px system-ui, sans-serif; }
@media (prefers-color-scheme: dark) { .chart { --ink: #e6e8eb; --soft: #9aa4b0; --grid: #333a42; --back: #15181c;
  --s0: #5ab0ff; --s1: #ff7b8a; --s2: #6fd07c; --s3: #ffbe55; --s4: #c39bf0; --s5: #4dd0e1; --s6: #d1a679; --s7: #aaa; } }
.chart .back { fill: var(--back); } .chart text { fill: var(--ink); } .chart .soft { fill: var(--soft); font-size: 12px; }
.chart .grid { stroke: var(--grid); } .chart .line { fill: none; stroke-width: 2; } .chart .title { font-weight: 600; }
"""
WIDTH = 720


@dataclass(frozen=True)
class Bar:
    label: str
    value: float
    text: str
    low: float | None = None
    high: float | None = None
    colour: int = 0


@dataclass(frozen=True)
class Series:
    name: str
    points: list[tuple[float, float]]
    colour: int = 0


def svg(height: float, title: str, body: list[str]) -> str:
    return (f'<svg class="chart" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" width="100%" role="img" '
            f'aria-label="{escape(title, quote=True)}"><style>{STYLE}</style>'
            f'<rect class="back" width="{WIDTH}" height="{height:.0f}"/><text class="title" x="12" y="22">{escape(title)}</text>'
            + "".join(body) + "</svg>")


def bars(title: str, items: list[Bar], unit: str) -> str:
    """Horizontal bars from 0 on, each with its value in words and, where given, its interval."""
    left, right, row, top = 190, 120, 24, 40
    most = max([bar.high or bar.value for bar in items] or [1])
    scale = (WIDTH - left - right) / most
    body = []
    for i, bar in enumerate(items):
        y = top + i * row
        body.append(f'<text x="{left - 8}" y="{y + 15}" text-anchor="end">{escape(bar.label)}</text>'
                    f'<rect x="{left}" y="{y + 3}" width="{max(1, bar.value * scale):.1f}" height="16" rx="2" '
                    f'fill="var(--s{bar.colour % 8})"/>')
        end = left + max(bar.value, bar.high or 0) * scale
        if bar.low is not None and bar.high is not None:
            body.append(f'<line x1="{left + bar.low * scale:.1f}" x2="{left + bar.high * scale:.1f}" y1="{y + 11}" y2="{y + 11}" '
                        'stroke="var(--ink)"/>')
        body.append(f'<text x="{end + 6:.1f}" y="{y + 15}">{escape(bar.text)}</text>')
    height = top + len(items) * row + 26
    body.append(f'<text class="soft" x="{left}" y="{height - 8}">{escape(unit)}</text>')
    return svg(height, title, body)


def short(value: float) -> str:
    for limit, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= limit:
            return f"{value / limit:.3g}{letter}"
    return f"{value:.3g}"


def ticks(low: float, high: float) -> list[float]:
    """Of a logarithmic axis: 1, 2 and 5 times powers of ten where few fit, else powers of ten."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    steps = (1, 2, 5) if len(decades) <= 3 else (1,)
    return [m * 10.0 ** d for d in decades for m in steps if low * 0.999 <= m * 10.0 ** d <= high * 1.001]


class Axes:
    """Both axes logarithmic."""

    def __init__(self, xs: list[float], ys: list[float], top: float, height: float):
        self.x0, self.x1 = min(xs) / 1.1, max(xs) * 1.1
        self.y0, self.y1 = min(ys) / 1.3, max(ys) * 1.3
        self.left, self.right, self.top, self.bottom = 64, WIDTH - 20, top, top + height

    def at(self, x: float, y: float) -> tuple[float, float]:
        u = math.log(x / self.x0) / math.log(self.x1 / self.x0)
        v = math.log(y / self.y0) / math.log(self.y1 / self.y0)
        return self.left + u * (self.right - self.left), self.bottom - v * (self.bottom - self.top)

    def grid(self, x_label: str, y_label: str, x_ticks: list[float] | None = None) -> list[str]:
        body = []
        for x in x_ticks or ticks(self.x0, self.x1):
            at, _ = self.at(x, self.y0)
            body.append(f'<line class="grid" x1="{at:.1f}" x2="{at:.1f}" y1="{self.top}" y2="{self.bottom}"/>'
                        f'<text class="soft" x="{at:.1f}" y="{self.bottom + 16}" text-anchor="middle">{short(x)}</text>')
        for y in ticks(self.y0, self.y1):
            _, at = self.at(self.x0, y)
            body.append(f'<line class="grid" x1="{self.left}" x2="{self.right}" y1="{at:.1f}" y2="{at:.1f}"/>'
                        f'<text class="soft" x="{self.left - 6}" y="{at + 4:.1f}" text-anchor="end">{short(y)}</text>')
        body.append(f'<text class="soft" x="{self.right}" y="{self.bottom + 34}" text-anchor="end">{escape(x_label)}</text>'
                    f'<text class="soft" x="12" y="{self.top - 8}">{escape(y_label)}</text>')
        return body

    def polyline(self, points: list[tuple[float, float]], colour: str) -> str:
        path = " ".join("{:.1f},{:.1f}".format(*self.at(*p)) for p in points)
        return f'<polyline class="line" points="{path}" style="stroke:{colour}"/>'

    def dot(self, point: tuple[float, float], colour: str) -> str:
        x, y = self.at(*point)
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{colour}"/>'


def legend(names: list[tuple[str, int]], y: float) -> str:
    parts, x = [], 64.0
    for name, colour in names:
        parts.append(f'<rect x="{x:.0f}" y="{y - 10}" width="12" height="12" rx="2" fill="var(--s{colour % 8})"/>'
                     f'<text class="soft" x="{x + 17:.0f}" y="{y}">{escape(name)}</text>')
        x += 34 + 7.2 * len(name)
    return "".join(parts)


def lines(title: str, series: list[Series], x_label: str, y_label: str) -> str:
    xs = sorted({x for s in series for x, _ in s.points})
    axes = Axes(xs, [y for s in series for _, y in s.points], 72, 250)
    body = axes.grid(x_label, y_label, xs)
    for s in series:
        colour = f"var(--s{s.colour % 8})"
        body.append(axes.polyline(sorted(s.points), colour))
        body += [axes.dot(p, colour) for p in s.points]
    body.append(legend([(s.name, s.colour) for s in series], 42))
    return svg(axes.bottom + 44, title, body)


@dataclass(frozen=True)
class Roof:
    name: str
    bytes_per_s: float


def roofline(title: str, peak_flops: float, roofs: list[Roof], points: list[tuple[str, float, float]]) -> str:
    """`points`: name, FLOP a byte, FLOP/s. `roofs`: the slowest memory first; its ridge sets the axis."""
    ridge = peak_flops / roofs[0].bytes_per_s
    xs = [x for _, x, _ in points] + [ridge / 8, ridge * 4]
    ys = [y for *_, y in points] + [peak_flops, roofs[0].bytes_per_s * min(xs)]
    axes = Axes(xs, ys, 56, 280)
    body = axes.grid("FLOP a byte", "FLOP/s")
    for roof in roofs:
        knee = peak_flops / roof.bytes_per_s
        start = max(axes.x0, axes.y0 / roof.bytes_per_s)
        if knee > start:
            body.append(axes.polyline([(start, roof.bytes_per_s * start), (knee, peak_flops)], "var(--soft)"))
            u, v = axes.at(start, roof.bytes_per_s * start)
            body.append(f'<text class="soft" x="{u + 8:.1f}" y="{v - 6:.1f}">{escape(roof.name)}</text>')
        body.append(axes.polyline([(max(knee, axes.x0), peak_flops), (axes.x1, peak_flops)], "var(--ink)"))
    for i, (name, x, y) in enumerate(points):
        u, v = axes.at(x, y)
        body.append(axes.dot((x, y), f"var(--s{i % 8})") + f'<text class="soft" x="{u + 7:.1f}" y="{v + 4:.1f}">{escape(name)}</text>')
    return svg(axes.bottom + 44, title, body)
