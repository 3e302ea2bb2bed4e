#include "io/report_parts.h"

namespace innerloop::io::report {

std::string_view style_sheet() {
  // Six series colours, told apart by readers with any common colour blindness; in the dark scheme the
  // same hues, lighter.
  static constexpr std::string_view kStyle = R"css(
:root {
  --page: #f7f7f5; --card: #ffffff; --ink: #1b1f24; --soft: #5b636d; --line: #e3e4e1; --axis: #a9afb6;
  --accent: 31 95 168; --wrong: 190 84 32; --note: #b7791f; --strong-ink: #ffffff;
  --s0: #1f5fa8; --s1: #d2691e; --s2: #1f8a70; --s3: #a83279; --s4: #7a6bc4; --s5: #8d959e;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #14171b; --card: #1b1f25; --ink: #e7e9ec; --soft: #9aa3ad; --line: #2c323a; --axis: #5c6570;
    --accent: 90 156 232; --wrong: 232 140 82; --note: #d9a441; --strong-ink: #0d1117;
    --s0: #6aa9f0; --s1: #f0995a; --s2: #4cc2a3; --s3: #e27ab8; --s4: #a99cf0; --s5: #8d959e;
  }
}
* { box-sizing: border-box; margin: 0; }
body {
  background: var(--page); color: var(--ink); line-height: 1.5; -webkit-text-size-adjust: 100%;
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto,
    "Helvetica Neue", "Noto Sans", "Liberation Sans", sans-serif;
}
main { max-width: 1040px; margin: 0 auto; padding: 48px 24px 72px; }
h1 {
  font-size: clamp(1.6rem, 4.5vw, 2.2rem); line-height: 1.2; letter-spacing: -0.015em; font-weight: 680;
  overflow-wrap: anywhere;
}
h2 { font-size: 1.25rem; letter-spacing: -0.01em; font-weight: 650; margin: 52px 0 16px; }
h3 { font-size: 0.95rem; font-weight: 620; margin-bottom: 6px; }
.subtitle { color: var(--soft); margin-top: 6px; overflow-wrap: anywhere; }

.headlines { display: flex; flex-wrap: wrap; gap: 28px 44px; margin: 32px 0 36px; }
.headlines div { min-width: 118px; }
.headlines dt { color: var(--soft); font-size: 0.85rem; }
.headlines dd strong {
  display: block; font-size: 1.5rem; line-height: 1.3; font-weight: 620; letter-spacing: -0.01em;
  font-variant-numeric: tabular-nums; white-space: nowrap;
}
.headlines div:first-child dd strong { color: rgb(var(--accent)); }
.headlines dd span { display: block; color: var(--soft); font-size: 0.8rem; }

aside {
  border-left: 3px solid var(--note); padding: 2px 0 2px 16px; color: var(--soft); font-size: 0.9rem;
  max-width: 78ch;
}
aside p + p { margin-top: 8px; }

.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 400px), 1fr)); gap: 20px; }
.pair + .pair { margin-top: 20px; }
figure {
  background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 18px 20px 16px;
  min-width: 0;
}
figcaption { color: var(--soft); font-size: 0.8rem; margin-top: 10px; }
img { display: block; width: 100%; height: auto; border-radius: 4px; }

/* Charts side by side share their rows, so that plots line up whatever their legends and notes take. */
.pair > .chart {
  display: grid; grid-template-columns: minmax(0, 1fr); grid-template-rows: subgrid; grid-row: span 4;
  row-gap: 0;
}
.chart > h3 {
  grid-row: 1; } .chart > .legend { grid-row: 2; } .chart > svg { grid-row: 3;
  } .chart > figcaption { grid-row: 4;
}
.legend {
  list-style: none; padding: 0; display: flex; flex-wrap: wrap; gap: 2px 16px; color: var(--soft);
  font-size: 0.82rem; margin-bottom: 10px;
}
.legend li { display: flex; align-items: center; gap: 7px; }
.legend svg { width: 18px; height: 8px; flex: none; }
.chart > svg { display: block; width: 100%; height: auto; }
.chart text { font-size: 12px; fill: var(--soft); font-variant-numeric: tabular-nums; }
.grid { stroke: var(--line); stroke-width: 1; }
.axis { stroke: var(--axis); stroke-width: 1; }
.line { fill: none; stroke-width: 2; stroke-linejoin: round; stroke-linecap: round; }
.guide { stroke: var(--axis); stroke-width: 1.2; stroke-dasharray: 4 4; }
.dashed.line { stroke-dasharray: 6 4; }
.band { stroke: none; opacity: 0.16; }
.whisker { stroke-width: 2; opacity: 0.6; }
.dot { stroke: var(--card); stroke-width: 1.5; }
.s0 { --c: var(--s0); } .s1 { --c: var(--s1); } .s2 { --c: var(--s2); }
.s3 { --c: var(--s3); } .s4 { --c: var(--s4); } .s5 { --c: var(--s5); }
.line:not(.guide), .whisker { stroke: var(--c); }
.band, .dot { fill: var(--c); }

.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: 0.9rem; font-variant-numeric: tabular-nums; }
th { font-weight: 500; color: var(--soft); text-align: left; }
tbody th { color: var(--ink); }
.scores th, .scores td, .files th, .files td { padding: 9px 8px; border-bottom: 1px solid var(--line); }
.scores tr > :first-child, .files tr > :first-child { padding-left: 0; }
.scores tr > :last-child { padding-right: 0; }
.scores td, .scores thead th:not(:first-child) { text-align: right; }
.scores tfoot > tr > * { border-bottom: 0; color: var(--soft); }
.lead > * { font-weight: 650; }
.figures td, .figures tbody th { white-space: nowrap; }
.figures thead th { vertical-align: bottom; }
.files tbody th { font-weight: 500; vertical-align: top; }
.pair > .chart:only-child { max-width: 560px; }
p.words { max-width: 78ch; }
section > :is(figure, .pair, .words, details) + :is(figure, .pair, .words) { margin-top: 16px; }
details figure { border: 0; padding: 8px 0; }
.confusion { border-collapse: separate; border-spacing: 3px; margin: 0 -3px; }
.confusion thead th { font-size: 0.8rem; text-align: center; padding: 2px 4px; vertical-align: bottom; }
.confusion thead tr:last-child th:first-child { text-align: left; padding-left: 0; }
.confusion tbody th { font-size: 0.85rem; padding-right: 8px; }
.confusion tbody td {
  text-align: center; padding: 9px 6px; border-radius: 5px; line-height: 1.25; min-width: 58px;
  width: calc(72% / var(--n));
}
.confusion b { display: block; font-weight: 600; }
.confusion small { font-size: 0.75rem; opacity: 0.85; }
.right { background: rgb(var(--accent) / calc(0.06 + 0.94 * var(--share))); }
.wrong { background: rgb(var(--wrong) / calc(0.05 + 0.95 * var(--share))); }
.strong { color: var(--strong-ink); }
.strong small { opacity: 1; }
/* Many classes: a card of its own row, upright column names, bare counts. */
.dense { grid-column: 1 / -1; }
.dense .confusion { width: auto; border-spacing: 2px; }
.dense .confusion thead tr:last-child th {
  writing-mode: vertical-rl; transform: rotate(180deg); text-align: left; padding: 4px 2px;
}
.dense .confusion thead tr:last-child th:first-child { writing-mode: horizontal-tb; transform: none; }
.dense .confusion tbody th { padding-block: 0; white-space: nowrap; }
.dense .confusion tbody td { min-width: 30px; width: auto; padding: 3px 4px; border-radius: 3px; font-size: 0.8rem; }
.dense small { display: none; }
.zero { color: var(--soft); }
.zero b { font-weight: 400; opacity: 0.55; }
.unseen {
  position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap;
}

.protocol {
  display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 210px), 1fr)); gap: 14px 28px;
}
.protocol dt { color: var(--soft); font-size: 0.82rem; }
.protocol dd { overflow-wrap: anywhere; font-variant-numeric: tabular-nums; }
details {
  margin-top: 20px; background: var(--card); border: 1px solid var(--line); border-radius: 10px;
  padding: 12px 20px;
}
h2 + details { margin-top: 0; }
summary { cursor: pointer; font-weight: 560; font-size: 0.92rem; }
details[open] summary { margin-bottom: 10px; }
pre, code { font: 0.82rem/1.55 ui-monospace, "SF Mono", Menlo, Consolas, "Liberation Mono", monospace; }
pre { overflow-x: auto; }
.files code { overflow-wrap: anywhere; }
details p { color: var(--soft); margin-top: 8px; font-size: 0.85rem; }

@media (max-width: 520px) {
  main { padding: 28px 16px 48px; }
  figure { padding: 14px 14px 12px; }
  .chart text { font-size: 14px; }
  .headlines { display: grid; grid-template-columns: 1fr 1fr; gap: 18px 20px; margin: 24px 0 28px; }
  .headlines div:first-child { grid-column: 1 / -1; }
  .headlines dd strong { font-size: 1.3rem; }
  .headlines div:first-child dd strong { font-size: 1.8rem; }
  .protocol { grid-template-columns: 1fr 1fr; gap: 14px 20px; }
  h2 { margin-top: 40px; }
  .scores { font-size: 0.82rem; }
  .scores th, .scores td { padding: 8px 4px; }
  .confusion tbody td { min-width: 52px; }
}
@media print {
  body { background: #fff; }
  figure, details { break-inside: avoid; }
}
)css";
  return kStyle.substr(1);  // without the line break that opens the literal
}

}  // namespace innerloop::io::report
