"""The Jinja2 template of the page of `check`; every value is escaped but the SVG of the plots."""

TEMPLATE = """{% extends "base" %}
{% from "parts" import figure, legend, drawing %}
{% block title %}{{ page.title }} - data check{% endblock %}
{% block header %}
<p class="kicker">Data check</p>
<h1>{{ page.title }}</h1>
<p class="verdict {{ page.tone }}">{{ page.verdict }}</p>
<div class="facts">
<div class="fact"><b>{{ page.usable_images | thousands }}</b>
<span>of {{ page.statistics.images | thousands }} images usable</span></div>
<div class="fact"><b>{{ page.usable_objects | thousands }}</b>
<span>of {{ page.statistics.objects | thousands }} objects usable</span></div>
<div class="fact"><b>{{ page.statistics.classes | length }}</b>
<span>{{ "class" if page.statistics.classes | length == 1 else "classes" }}</span></div>
<div class="fact"><b>{{ page.count_of("error") | thousands }}</b><span>errors</span></div>
<div class="fact"><b>{{ page.count_of("warning") | thousands }}</b><span>warnings</span></div>
<div class="fact"><b>{{ page.count_of("info") | thousands }}</b><span>notes</span></div>
</div>
{% endblock %}
{% block nav %}
<a href="#findings">Findings</a>
{% if page.samples %}<a href="#pictures">Pictures</a>{% endif %}
{% if page.flips %}<a href="#flips">Left and right</a>{% endif %}
{% if page.poses %}<a href="#poses">Unusual poses</a>{% endif %}
<a href="#numbers">Numbers</a>
{% endblock %}
{% block main %}
<h2 id="findings">Findings</h2>
{% if not page.findings %}<p class="lead">None.</p>{% endif %}
{% if page.findings | length > 3 %}
<ul class="index">
{% for found in page.findings %}
<li><a class="{{ found.severity }}" href="#{{ found.code }}"><code>{{ found.code }}</code>
<b>{{ found.count | thousands }}</b></a></li>
{% endfor %}
</ul>
{% endif %}
{% for found in page.findings %}
<section class="card finding {{ found.severity }}" id="{{ found.code }}">
<div class="top"><span class="badge {{ found.severity }}">{{ found.severity }}</span><code>{{ found.code }}</code>
<span class="meaning">{{ found.meaning }}</span><span class="count">{{ found.count | thousands }}&times;</span></div>
{% set shown = 2 %}
<div class="{{ "beside" if found.pictures and (found.pictures | length) < 3 else "below" }}">
<div class="text">
<dl>
<dt>Consequence</dt><dd>{{ found.consequence }}</dd>
{% if found.advice != "Nothing." %}<dt>What to do</dt><dd>{{ found.advice }}</dd>{% endif %}
{% if found.command %}<dt>Repair</dt><dd><pre>{{ found.command }}</pre></dd>{% endif %}
</dl>
<ul class="messages">
{% for message in found.messages[:shown] %}<li>{{ message }}</li>{% endfor %}
</ul>
{% if found.count > shown %}
<details><summary>{{ (found.count - shown) | thousands }} more</summary>
<ul>{% for message in found.messages[shown:] %}<li>{{ message }}</li>{% endfor %}
{% if found.count > found.messages | length %}
<li>... and {{ (found.count - found.messages | length) | thousands }} in the report of
<code>kpt-tools check --report FILE</code></li>{% endif %}
</ul></details>
{% endif %}
</div>
{% if found.pictures and found.paired %}
<div class="pairs">
{% for two in found.pictures | twos %}
<div class="pair">{% for picture in two %}{{ figure(picture) }}{% endfor %}</div>
{% endfor %}
</div>
{% elif found.pictures %}
<div class="grid small">{% for picture in found.pictures %}{{ figure(picture) }}{% endfor %}</div>
{% endif %}
</div>
</section>
{% endfor %}
{% if page.samples %}
<h2 id="pictures">Pictures with their annotations</h2>
<p class="lead">Taken evenly from the whole data set. Do boxes and points lie where they should?
Rings are points labelled as hidden.</p>
{{ legend(page.legend) }}
<div class="grid">{% for picture in page.samples %}{{ figure(picture) }}{% endfor %}</div>
{% endif %}
{% if page.flips %}
<h2 id="flips">Left and right</h2>
<p class="lead">Training mirrors pictures. Points of a pair exchange their names then: in the mirrored picture the
left point must again lie on the left side of the object. Pairs are read from the names;
<code>make-config --flip-pairs</code> changes them.</p>
{% for flip in page.flips %}
<section class="card flip">
<h3>{{ flip.class_name }}</h3>
<div class="chips">
{% for a, b in flip.pairs %}<span class="chip">{{ a }} &harr; {{ b }}</span>{% endfor %}
{% if not flip.pairs %}<span class="chip">no pairs: every point keeps its name</span>{% endif %}
</div>
{% if flip.pairs and flip.unpaired %}
<p class="lead" style="margin: 8px 0 0">Keep their names: {{ flip.unpaired | join(", ") }}.</p>{% endif %}
{% if flip.pictures %}
<div class="grid two">{% for picture in flip.pictures %}{{ figure(picture) }}{% endfor %}</div>{% endif %}
</section>
{% endfor %}
{% endif %}
{% if page.poses %}
<h2 id="poses">Unusual poses</h2>
<p class="lead">The objects whose points form the least usual shapes, the strangest first. The score counts robust
standard deviations from the middle of the class: above 6 it is worth a look, below 3 it is ordinary.</p>
{{ legend(page.legend) }}
<div class="grid small">{% for picture in page.poses %}{{ figure(picture) }}{% endfor %}</div>
{% endif %}
<h2 id="numbers">Numbers</h2>
<div class="card scroll"><table>
<thead><tr><th>class</th><th>objects</th><th>images</th><th>with box</th><th>with points</th>
<th>small / medium / large</th><th>median size</th></tr></thead>
<tbody>
{% for row in page.statistics.classes %}
<tr><td>{{ row.name }}</td><td>{{ row.objects | thousands }}</td><td>{{ row.images | thousands }}</td>
<td>{{ row.with_box | thousands }}</td><td>{{ row.with_keypoints | thousands }}</td>
<td>{{ row.sizes | join(" / ") }}</td>
<td>{% if row.side_px %}{{ "%.0f px" | format(row.side_px.median) }}{% else %}n/a{% endif %}</td></tr>
{% endfor %}
</tbody></table></div>
{% if page.plots %}
<div class="plots">
{% for plot in page.plots %}
{{ drawing(plot) }}
{% endfor %}
</div>
{% endif %}
{% endblock %}
{% block footer %}Codes are explained in docs/check.md.{% endblock %}
"""
