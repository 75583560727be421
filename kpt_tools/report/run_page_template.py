"""The Jinja2 template of the page of a run; every value is escaped but the SVG of the plots."""

TEMPLATE = """{% extends "base" %}
{% from "parts" import figure, legend, drawing %}
{% block title %}{{ page.title }} - evaluation{% endblock %}
{% block style %}
.objects { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 440px), 1fr)); gap: 14px;
  margin: 12px 0 0; }
.object { padding: 12px 12px 10px; }
.object h3 { font-size: .9rem; font-weight: 600; overflow-wrap: anywhere; }
.object p { margin: 0 0 8px; font-size: .85rem; color: var(--soft); }
.hint p { margin: 4px 0 0; font-size: .95rem; max-width: 85ch; }
.hint pre { margin-top: 8px; }
.matrix td { text-align: center; min-width: 4.2em; border: 2px solid var(--card); border-radius: 8px; padding: 9px; }
.matrix th { white-space: normal; text-align: center; }
.matrix tr > :first-child { text-align: left; border: 0; padding-left: 0; }
.matrix .right { background: rgb(46 158 107 / calc(var(--share) * .75)); }
.matrix .wrong { background: rgb(217 83 79 / calc(var(--share) * .75)); }
.matrix .empty { color: var(--soft); opacity: .55; }
.bar { display: inline-block; width: 90px; height: 8px; margin-left: 10px; border-radius: 4px; background: var(--code);
  overflow: hidden; vertical-align: 1px; }
.bar i { display: block; height: 100%; background: var(--accent); }
.groups { columns: 430px 2; column-gap: 14px; margin: 12px 0 0; }
.groups section { break-inside: avoid; margin: 0 0 14px; }
.groups dd { overflow-wrap: anywhere; }
tr.sum td { font-weight: 600; }
.note { color: var(--soft); font-size: .88rem; margin: 8px 0 0; max-width: 95ch; }
h3.class { margin: 22px 0 0; }
{% endblock %}
{% block header %}
<p class="kicker">Evaluation</p>
<h1>{{ page.title }}</h1>
<p class="lead">{{ page.subtitle }}</p>
<p class="verdict {{ page.tone }}">{{ page.verdict }}</p>
<div class="facts">
<div class="fact"><b>{{ page.result.box.ap | number }}</b>
<span>box AP{% if page.result.box.ap50 is not none %}; AP50 {{ page.result.box.ap50 | number }}{% endif %}</span></div>
{% if page.result.sigmas %}
<div class="fact"><b>{{ page.result.oks.ap | number }}</b>
<span>OKS AP{% if page.result.oks.ap50 is not none %}; AP50 {{ page.result.oks.ap50 | number }}{% endif %}</span></div>
{% endif %}
{% if page.class_plots | length == 1 and page.class_plots[0][0].errors %}
{% set errors = page.class_plots[0][0].errors %}
<div class="fact"><b>{{ errors.pck[1] | number }}</b><span>PCK@0.1: points within 10 % of the box</span></div>
<div class="fact"><b>{{ errors.median_px | number(1) }} px</b>
<span>median error; 90 % below {{ errors.p90_px | number(1) }} px</span></div>
{% endif %}
{% if page.swap_rate is not none %}
<div class="fact"><b>{{ page.swap_rate | percent(1) }}</b><span>left and right exchanged</span></div>
{% endif %}
<div class="fact"><b>{{ page.objects | thousands }}</b>
<span>objects in {{ page.result.images | thousands }} images</span></div>
</div>
{% endblock %}
{% block nav %}
{% if page.hints %}<a href="#next">What next</a>{% endif %}
<a href="#numbers">Numbers</a>
{% if page.class_plots %}<a href="#plots">Errors</a>{% endif %}
<a href="#confusion">Confusion</a>
{% for album in page.albums %}<a href="#album{{ loop.index }}">{{ album.title }}</a>{% endfor %}
{% if page.curve_plots %}<a href="#training">Training</a>{% endif %}
<a href="#facts">Model and data</a>
{% endblock %}
{% block main %}
{% if page.hints %}
<h2 id="next">What to do next</h2>
{% for hint in page.hints %}
<section class="card finding hint {{ hint.tone }}">
<h3>{{ hint.title }}</h3>
<p>{{ hint.text }}</p>
{% if hint.command %}<pre>{{ hint.command }}</pre>{% endif %}
</section>
{% endfor %}
{% endif %}
<h2 id="numbers">Numbers</h2>
<div class="card scroll"><table>
<thead><tr><th>class</th><th>objects</th><th>found</th><th>median score</th><th>box AP</th><th>AP50</th><th>AP75</th>
<th>OKS AP</th><th>AP50</th><th>AP75</th></tr></thead>
<tbody>
{% for part in page.result.classes %}
<tr><td>{{ part.name }}</td><td>{{ part.objects | thousands }}</td><td>{{ part.matched | thousands }}</td>
<td>{{ part.median_score | number(2) }}</td>
<td>{{ part.box.ap | number }}</td><td>{{ part.box.ap50 | number }}</td><td>{{ part.box.ap75 | number }}</td>
{% if part.oks %}
<td>{{ part.oks.ap | number }}</td><td>{{ part.oks.ap50 | number }}</td><td>{{ part.oks.ap75 | number }}</td>
{% else %}<td>n/a</td><td>n/a</td><td>n/a</td>{% endif %}
</tr>
{% endfor %}
{% if page.result.classes | length > 1 %}
<tr class="sum"><td>mean</td><td>{{ page.objects | thousands }}</td><td>{{ page.matched | thousands }}</td><td></td>
<td>{{ page.result.box.ap | number }}</td><td>{{ page.result.box.ap50 | number }}</td>
<td>{{ page.result.box.ap75 | number }}</td>
<td>{{ page.result.oks.ap | number }}</td><td>{{ page.result.oks.ap50 | number }}</td>
<td>{{ page.result.oks.ap75 | number }}</td></tr>
{% endif %}
</tbody></table></div>
<p class="note">AP over thresholds .50:.05:.95, by pycocotools; OKS with sigma {{ page.result.sigma_text }} and area
{{ page.result.area }}: compare with results of the same sigma, area and images only.
Found: a box with IoU &ge; 0.5, at any score.</p>
{% for part in page.result.classes if part.keypoints %}
<h3 class="class">Keypoints of {{ part.name }}</h3>
<div class="card scroll"><table>
<thead><tr><th>keypoint</th><th>n</th><th>PCK@.05</th><th>PCK@.1</th><th>PCK@.2</th><th>median px</th><th>90 % px</th>
<th>median of box</th><th>90 % of box</th><th>sigma</th></tr></thead>
<tbody>
{% for keypoint in part.keypoints %}
{% set e = keypoint.errors %}
<tr><td>{{ keypoint.name }}</td><td>{{ e.labelled | thousands }}</td>
{% for share in e.pck %}<td>{{ share | number }}</td>{% endfor %}
<td>{{ e.median_px | number(1) }}</td><td>{{ e.p90_px | number(1) }}</td><td>{{ e.median_relative | percent(1) }}</td>
<td>{{ e.p90_relative | percent(1) }}</td><td>{{ "%g" | format(keypoint.sigma) }}</td></tr>
{% endfor %}
{% if part.errors %}
{% set e = part.errors %}
<tr class="sum"><td>all</td><td>{{ e.labelled | thousands }}</td>
{% for share in e.pck %}<td>{{ share | number }}</td>{% endfor %}
<td>{{ e.median_px | number(1) }}</td><td>{{ e.p90_px | number(1) }}</td><td>{{ e.median_relative | percent(1) }}</td>
<td>{{ e.p90_relative | percent(1) }}</td><td></td></tr>
{% endif %}
</tbody></table></div>
<p class="note">n labelled points of the {{ part.matched }} of {{ part.objects }} objects that were found. PCK and
"of box": of the larger side of the annotated box. 90 % of the points are nearer than the 90 % columns say.</p>
{% if part.swaps %}
<div class="card scroll"><table>
<thead><tr><th>left and right of {{ part.name }}</th><th>exchanged</th><th>of</th><th>rate</th></tr></thead>
<tbody>
{% for pair in part.swaps %}
<tr><td>{{ pair.names[0] }} &harr; {{ pair.names[1] }}</td><td>{{ pair.swapped }}</td><td>{{ pair.looked_at }}</td>
<td>{{ pair.rate | percent(1) }}
<span class="bar"><i style="width: {{ "%.1f" | format(100 * (pair.rate or 0)) }}%"></i></span></td></tr>
{% endfor %}
</tbody></table></div>
{% endif %}
{% endfor %}
{% if page.class_plots %}
<h2 id="plots">How exact the points are</h2>
{% for part, plots in page.class_plots %}
{% if plots %}<div class="plots">{% for plot in plots %}{{ drawing(plot) }}{% endfor %}</div>{% endif %}
{% endfor %}
{% endif %}
<h2 id="confusion">Confusion</h2>
<p class="lead">Rows are what is annotated, columns what was detected with a score of at least
{{ "%g" | format(page.result.confusion.min_score) }}, as <code>kpt-tools infer</code> shows it.
Colours are shares of the row.</p>
<div class="card scroll"><table class="matrix">
<thead><tr><th>annotated</th>
{% for index in page.confusion_classes %}<th>{{ page.result.confusion.names[index] }}</th>{% endfor %}
<th>missed</th></tr></thead>
<tbody>
{% for name, cells in page.confusion_rows %}
{% set row = loop.index0 %}
<tr><td>{{ name }}</td>
{% for count, share in cells %}
{% if loop.last and loop.index0 == row %}<td></td>
{% else %}
<td class="{{ "empty" if not count else "right" if loop.index0 == row else "wrong" }}"
style="--share: {{ "%.2f" | format(share) }}">{{ count | thousands }}</td>
{% endif %}
{% endfor %}
</tr>
{% endfor %}
</tbody></table></div>
{% for album in page.albums %}
<h2 id="album{{ loop.index }}">{{ album.title }}</h2>
<p class="lead">{{ album.lead }}</p>
{{ legend(page.legend) }}
<div class="objects">
{% for object in album.objects %}
<section class="card object"><h3>{{ object.title }}</h3><p>{{ object.note }}</p>
<div class="pair">{% for picture in object.pictures %}{{ figure(picture) }}{% endfor %}</div></section>
{% endfor %}
</div>
{% endfor %}
{% if page.curve_plots %}
<h2 id="training">Training</h2>
<div class="plots">{% for plot in page.curve_plots %}{{ drawing(plot) }}{% endfor %}</div>
{% endif %}
<h2 id="facts">Model and data</h2>
<div class="groups">
{% for group in page.facts %}
<section class="card"><h3>{{ group.title }}</h3>
<dl>{% for name, value in group.rows %}<dt>{{ name }}</dt><dd>{{ value }}</dd>{% endfor %}</dl></section>
{% endfor %}
</div>
{% if page.config %}
<details class="card"><summary>pipeline.config, as trained</summary>
<pre>{{ page.config }}</pre></details>
{% endif %}
{% endblock %}
{% block footer %}The numbers are explained in docs/eval.md.{% endblock %}
"""
