"""What all HTML pages share: frame, looks, and the parts that they are put together from."""

PARTS = """{% macro figure(picture) %}
<figure>
<img src="{{ picture.source }}" alt="{{ picture.caption }}">
<figcaption>{{ picture.caption }}{% if picture.note %}<span>{{ picture.note }}</span>{% endif %}</figcaption>
</figure>
{% endmacro %}
{% macro legend(entries) %}
{% if entries %}
<div class="legend">
{% for name, colour in entries %}
<span><i style="background: rgb({{ colour | join(', ') }})"></i>{{ name }}</span>
{% endfor %}
</div>
{% endif %}
{% endmacro %}
{% macro drawing(plot) %}
<section class="card"><h3>{{ plot.title }}</h3><p>{{ plot.note }}</p>{{ plot.svg | safe }}</section>
{% endmacro %}
"""

BASE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>{% block title %}{% endblock %}</title>
<style>
:root {
  color-scheme: light dark;
  --ground: #f6f7f9; --card: #ffffff; --ink: #1c2430; --soft: #5b6675; --line: #e2e6eb; --code: #f0f2f5;
  --accent: #1f6fd0; --error: #c62a2f; --warning: #a8650a; --info: #1f6fd0; --good: #1d7f4a;
  --error-ground: #fdecec; --warning-ground: #fdf3e0; --info-ground: #e9f2fd; --good-ground: #e6f6ec;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #12161c; --card: #1a2028; --ink: #e6eaf0; --soft: #9aa6b5; --line: #2b333e; --code: #232b35;
    --accent: #6db0ff; --error: #ff8a8a; --warning: #f1b456; --info: #6db0ff; --good: #6fd39b;
    --error-ground: #3a1f22; --warning-ground: #392c15; --info-ground: #1b2c42; --good-ground: #17331f;
  }
}
* { box-sizing: border-box; }
html { scroll-behavior: smooth; -webkit-text-size-adjust: 100%; }
body {
  margin: 0; background: var(--ground); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
}
main, header .in, nav .in, footer { max-width: 1120px; margin: 0 auto; padding: 0 20px; }
header { padding: 34px 0 22px; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 4px; overflow-wrap: anywhere; letter-spacing: -.01em; }
h2 { font-size: 1.25rem; margin: 44px 0 4px; letter-spacing: -.005em; }
h3 { font-size: 1rem; margin: 0; }
.lead { color: var(--soft); margin: 0 0 14px; max-width: 70ch; }
.kicker { color: var(--soft); font-size: .85rem; margin: 0 0 6px; }
.verdict {
  display: inline-block; margin: 12px 0 0; padding: 8px 14px; border-radius: 10px; font-weight: 600;
}
.verdict.error { color: var(--error); background: var(--error-ground); }
.verdict.warning { color: var(--warning); background: var(--warning-ground); }
.verdict.info { color: var(--good); background: var(--good-ground); }
nav { position: sticky; top: 0; z-index: 2; background: var(--ground); border-bottom: 1px solid var(--line); }
nav .in { display: flex; gap: 4px 20px; overflow-x: auto; white-space: nowrap; scrollbar-width: none; }
nav a { color: var(--soft); text-decoration: none; padding: 10px 0; font-size: .92rem; }
nav a:hover { color: var(--ink); }
.facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(132px, 1fr)); gap: 12px; margin: 20px 0 0; }
.fact { background: var(--card); border: 1px solid var(--line); border-radius: 12px; padding: 12px 14px; }
.fact b { display: block; font-size: 1.5rem; line-height: 1.2; font-weight: 650; font-variant-numeric: tabular-nums; }
.fact span { color: var(--soft); font-size: .86rem; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 12px; padding: 16px 18px; }
.finding { margin: 12px 0 0; border-left: 4px solid var(--line); }
.finding.error { border-left-color: var(--error); }
.finding.warning { border-left-color: var(--warning); }
.finding.info { border-left-color: var(--info); }
.index { display: flex; flex-wrap: wrap; gap: 7px; margin: 12px 0 4px; padding: 0; list-style: none; }
.index a { display: inline-flex; align-items: center; gap: 7px; padding: 3px 10px; border-radius: 8px;
  text-decoration: none; }
.index a.error { color: var(--error); background: var(--error-ground); }
.index a.warning { color: var(--warning); background: var(--warning-ground); }
.index a.info { color: var(--info); background: var(--info-ground); }
.index b { font-weight: 650; font-variant-numeric: tabular-nums; }
.finding, h2 { scroll-margin-top: 54px; }
.top { display: flex; flex-wrap: wrap; align-items: baseline; gap: 4px 10px; }
.badge { font-size: .75rem; font-weight: 650; padding: 2px 9px; border-radius: 99px; }
.badge.error { color: var(--error); background: var(--error-ground); }
.badge.warning { color: var(--warning); background: var(--warning-ground); }
.badge.info { color: var(--info); background: var(--info-ground); }
.count { color: var(--soft); font-variant-numeric: tabular-nums; margin-left: auto; }
code, pre { font: .86em ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
.top code { font-weight: 600; font-size: .95em; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 2px 14px; margin: 8px 0 0; font-size: .94rem; }
dt { color: var(--soft); }
dd { margin: 0; min-width: 0; }
pre { background: var(--code); border-radius: 8px; padding: 7px 10px; margin: 2px 0;
  white-space: pre-wrap; overflow-wrap: anywhere; }
details { margin: 6px 0 0; font-size: .92rem; }
summary { cursor: pointer; color: var(--accent); }
ul.messages { margin: 10px 0 0; font-size: .92rem; }
ul.messages, details ul { padding: 0 0 0 18px; overflow-wrap: anywhere; }
details ul { margin: 4px 0 0; }
ul.messages li, details li { margin: 2px 0; }
.grid { display: grid; grid-template-columns: repeat(auto-fill, minmax(250px, 1fr)); gap: 12px; margin: 12px 0 0; }
.grid.small { grid-template-columns: repeat(auto-fill, minmax(200px, 1fr)); }
.grid.two { grid-template-columns: repeat(auto-fit, minmax(min(100%, 320px), 1fr)); }
figure { margin: 0; min-width: 0; }
figure img {
  display: block; width: 100%; aspect-ratio: 1; object-fit: contain; border-radius: 8px; background: var(--code);
}
.grid:not(.small, .two) figure img { aspect-ratio: 4 / 3; }
.grid.two figure img { aspect-ratio: auto; max-height: 420px; }
figcaption { font-size: .8rem; line-height: 1.35; margin: 5px 0 0; overflow-wrap: anywhere; }
figcaption span { display: block; color: var(--soft); }
.pair { display: grid; grid-template-columns: 1fr 1fr; gap: 6px; }
.beside .grid.small { grid-template-columns: repeat(auto-fit, minmax(110px, 220px)); }
@media (min-width: 780px) {
  .beside { display: grid; grid-template-columns: minmax(0, 1fr) auto; gap: 0 22px; align-items: start; }
  .beside .grid.small { grid-template-columns: repeat(2, 220px); justify-content: end; direction: rtl; }
  .beside .grid.small figure { direction: ltr; }
  .beside .pairs { grid-template-columns: 446px; }
}
.pairs { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 320px), 1fr)); gap: 14px;
  margin: 12px 0 0; }
.legend { display: flex; flex-wrap: wrap; gap: 4px 14px; margin: 10px 0 0; font-size: .88rem; }
.legend i { display: inline-block; width: 11px; height: 11px; border-radius: 50%; margin-right: 6px; }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 430px), 1fr)); gap: 14px;
  margin: 14px 0 0; align-items: start; }
.plots svg { width: 100%; height: auto; display: block; color: var(--soft); }
.plots svg text { font-family: inherit !important; }
.plots p { margin: 0 0 8px; color: var(--soft); font-size: .88rem; }
.scroll { overflow-x: auto; margin: 12px 0 0; padding: 4px 18px; }
table { border-collapse: collapse; width: 100%; font-size: .92rem; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: 7px 10px; border-top: 1px solid var(--line); white-space: nowrap; }
thead th { border-top: 0; color: var(--soft); font-weight: 500; }
th:first-child, td:first-child { text-align: left; padding-left: 0; white-space: normal; overflow-wrap: anywhere;
  min-width: 8.5em; }
.flip { margin: 12px 0 0; }
.chips { display: flex; flex-wrap: wrap; gap: 6px; margin: 8px 0 0; }
.chip { background: var(--code); border-radius: 99px; padding: 2px 11px; font-size: .88rem; }
footer { color: var(--soft); font-size: .85rem; padding: 44px 20px 30px; }
@media (max-width: 560px) {
  header { padding: 24px 0 16px; }
  h1 { font-size: 1.35rem; }
  main, header .in, nav .in { padding: 0 14px; }
  .facts { grid-template-columns: 1fr 1fr; gap: 8px; }
  .card { padding: 13px 14px; }
  .top .meaning { order: 1; flex-basis: 100%; }
  dl { grid-template-columns: 1fr; gap: 0; }
  dt { font-size: .82rem; margin-top: 5px; }
  .grid, .grid.small { grid-template-columns: 1fr 1fr; }
}
@media print { nav { display: none; } .card { break-inside: avoid; } }
{% block style %}{% endblock %}
</style>
</head>
<body>
<header><div class="in">
{% block header %}{% endblock %}
</div></header>
<nav><div class="in">
{% block nav %}{% endblock %}
</div></nav>
<main>
{% block main %}{% endblock %}
</main>
<footer>{{ page.made_by }}. {% block footer %}{% endblock %} This page holds all its pictures and fetches nothing.
</footer>
</body>
</html>
"""
