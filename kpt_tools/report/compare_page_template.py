"""The Jinja2 template of the page of `compare`; every value is escaped but the SVG of the plots."""

TEMPLATE = """{% extends "base" %}
{% from "parts" import drawing %}
{% block title %}{{ page.comparison.names | join(", ") }} - comparison{% endblock %}
{% block style %}
td.best { font-weight: 700; color: var(--good); }
th.group { text-align: left; padding: 18px 0 6px; color: var(--ink); font-weight: 650; }
td { white-space: normal; overflow-wrap: anywhere; vertical-align: top; min-width: 7em; }
thead th { overflow-wrap: anywhere; white-space: normal; color: var(--ink); font-weight: 650; vertical-align: bottom; }
thead span { display: block; font-weight: 400; font-size: .78rem; color: var(--soft); }
.warnings { margin: 14px 0 0; padding: 10px 14px 10px 30px; border-radius: 10px; }
.warnings.error { color: var(--error); background: var(--error-ground); }
.warnings.info { color: var(--warning); background: var(--warning-ground); }
{% endblock %}
{% block header %}
<p class="kicker">Comparison</p>
<h1>{{ page.comparison.names | join(" · ") }}</h1>
{% if page.comparison.warnings %}
<ul class="warnings {{ "info" if page.comparison.comparable else "error" }}">
{% for warning in page.comparison.warnings %}<li>{{ warning }}</li>{% endfor %}
</ul>
{% endif %}
{% endblock %}
{% block nav %}
<a href="#table">Numbers</a>
{% if page.plots %}<a href="#curves">Curves</a>{% endif %}
{% endblock %}
{% block main %}
<h2 id="table">Numbers</h2>
{% if page.comparison.comparable %}<p class="lead">The best of a row is green.</p>{% endif %}
<div class="card scroll"><table>
<thead><tr><th></th>
{% for name in page.comparison.names %}
<th>{{ name }}<span>{{ page.comparison.sources[loop.index0] }}</span></th>
{% endfor %}
</tr></thead>
<tbody>
{% for heading, rows in page.comparison.groups() %}
<tr><th class="group" colspan="{{ 1 + page.comparison.names | length }}">{{ heading }}</th></tr>
{% for row in rows %}
{% set marks = page.comparison.marks(row) %}
<tr><td{% if row.field %} title="{{ row.field }}"{% endif %}>{{ row.name }}</td>
{% for text in row.texts() %}<td{% if marks[loop.index0] %} class="best"{% endif %}>{{ text }}</td>{% endfor %}
</tr>
{% endfor %}
{% endfor %}
</tbody></table></div>
{% if page.plots %}
<h2 id="curves">Curves</h2>
<div class="plots">{% for plot in page.plots %}{{ drawing(plot) }}{% endfor %}</div>
{% endif %}
{% endblock %}
{% block footer %}The numbers are explained in docs/eval.md.{% endblock %}
"""
