#include "meta/profile/flame_page.h"

namespace innerloop::meta::profile {

std::string_view flame_template() {
  static constexpr std::string_view kPage = R"html(<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>@TITLE@</title>
<style>
:root {
  --page: #f7f7f5; --card: #ffffff; --ink: #1b1f24; --soft: #5b636d; --line: #e3e4e1;
  --range: #d9dcdf; --forward: #a9c8ec; --first: #f3c394; --tangent: #9fd8c5; --second: #e6a9cd; --update: #c3b9ee;
  --draw: #d8d39a;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #14171b; --card: #1b1f25; --ink: #e7e9ec; --soft: #9aa3ad; --line: #2c323a;
    --range: #333a43; --forward: #28507c; --first: #7d4a1d; --tangent: #1d5f4e; --second: #77305a; --update: #4a4190;
    --draw: #5d5823;
  }
}
* { box-sizing: border-box; margin: 0; }
body {
  background: var(--page); color: var(--ink); padding: 24px clamp(10px, 3vw, 32px) 40px; -webkit-text-size-adjust: 100%;
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Liberation Sans", sans-serif;
}
h1 { font-size: clamp(1.15rem, 3.5vw, 1.5rem); font-weight: 650; letter-spacing: -0.01em; overflow-wrap: anywhere; }
.legend { display: flex; flex-wrap: wrap; gap: 4px 16px; color: var(--soft); font-size: 0.82rem; margin: 8px 0 14px; padding: 0; list-style: none; }
.legend i { display: inline-block; width: 12px; height: 12px; border-radius: 3px; margin-right: 6px; vertical-align: -1px; }
#detail { min-height: 3.2em; color: var(--soft); font-size: 0.86rem; font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
#detail b { color: var(--ink); font-weight: 600; }
#flame { position: relative; background: var(--card); border: 1px solid var(--line); border-radius: 8px; overflow: hidden; }
#flame button {
  position: absolute; height: 25px; border: 0; border-right: 1px solid var(--card); border-bottom: 1px solid var(--card);
  color: var(--ink); font: inherit; font-size: 12px; line-height: 23px; padding: 0 4px; text-align: left; overflow: hidden;
  white-space: nowrap; text-overflow: ellipsis; cursor: pointer; border-radius: 0;
}
#flame button:hover, #flame button:focus-visible { outline: 2px solid var(--ink); outline-offset: -2px; z-index: 1; }
#flame button.above { opacity: 0.6; }
</style>
</head>
<body>
<h1>@HEADING@</h1>
<ul class="legend" id="legend"></ul>
<div id="flame" role="group" aria-label="Flame graph"></div>
<p id="detail" aria-live="polite">The width of a box is its time. Click one to widen it, and the one at the top to go back.</p>
<noscript>This page draws with JavaScript, which is switched off.</noscript>
<script>
"use strict";
const tree = @TREE@;
const kinds = ["range", "draw", "forward", "first", "tangent", "second", "update"];
const flame = document.getElementById("flame"), detail = document.getElementById("detail");
const total = tree.s, kRow = 25;
const time = (s) => s >= 1 ? s.toFixed(3) + " s" : s >= 1e-3 ? (s * 1e3).toFixed(3) + " ms" : (s * 1e6).toFixed(1) + " us";
(function link(node, parent) {
  node.p = parent;
  for (const child of node.c || []) link(child, node);
})(tree, null);
for (const kind of kinds) {
  const item = document.createElement("li"), dot = document.createElement("i");
  dot.style.background = "var(--" + kind + ")";
  item.append(dot, kind === "range" ? "range" : kind);
  document.getElementById("legend").append(item);
}
function describe(node) {
  const path = [];
  for (let at = node; at; at = at.p) path.unshift(at.n);
  const inside = (node.c || []).reduce((sum, child) => sum + child.s, 0);
  let text = time(node.s) + ", " + (100 * node.s / total).toFixed(1) + " % of all";
  if (node.c) text += ", of it " + time(Math.max(0, node.s - inside)) + " in no box below";
  if (node.f) text += ", " + (node.f / node.s / 1e9).toFixed(1) + " GFLOP/s";
  if (node.b) text += ", " + (node.b / node.s / 1e9).toFixed(1) + " GB/s";
  const name = document.createElement("b");
  name.textContent = path.join(" \u203a ");
  detail.replaceChildren(name, document.createElement("br"), text);
}
function show(focus) {
  flame.replaceChildren();
  let deepest = 0;
  const put = (node, left, width, row, above) => {
    deepest = Math.max(deepest, row);
    const box = document.createElement("button");
    box.type = "button";
    box.className = above ? "above" : "";
    box.textContent = node.n;
    box.title = node.n + ": " + time(node.s);
    box.style.cssText = "left:" + left + "%;width:" + width + "%;top:" + row * kRow + "px;background:var(--" + node.k + ")";
    box.onclick = () => { describe(node); show(node); };
    box.onmouseenter = box.onfocus = () => describe(node);
    flame.append(box);
  };
  const ancestors = [];
  for (let at = focus.p; at; at = at.p) ancestors.unshift(at);
  ancestors.forEach((node, row) => put(node, 0, 100, row, true));
  (function draw(node, left, width, row) {
    if (width < 0.05) return;
    put(node, left, width, row, false);
    for (const child of node.c || []) {
      const share = node.s > 0 ? width * child.s / node.s : 0;
      draw(child, left, share, row + 1);
      left += share;
    }
  })(focus, 0, 100, ancestors.length);
  flame.style.height = (deepest + 1) * kRow + "px";
}
show(tree);
</script>
</body>
</html>
)html";
  return kPage;
}

}  // namespace innerloop::meta::profile
