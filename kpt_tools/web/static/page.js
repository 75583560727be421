"use strict";

const $ = (id) => document.getElementById(id);
const SVG = "http://www.w3.org/2000/svg";
const ASKED_SCORE = 0.05; // what the slider can reach down to
const DARK = "#101218";

let model = null;
let result = null;
let running = null;

function element(name, attributes = {}, text = "") {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text) made.textContent = text;
  return made;
}

function shape(name, attributes, parent) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  parent.append(made);
  return made;
}

function dot(colour) {
  const made = element("span", { class: "dot" });
  made.style.background = colour;
  return made;
}

function say(text) {
  $("message").textContent = text;
  $("message").hidden = !text;
}

function textOn(colour) {
  const [r, g, b] = [1, 3, 5].map((start) => parseInt(colour.slice(start, start + 2), 16));
  return 0.299 * r + 0.587 * g + 0.114 * b > 120 ? DARK : "#ffffff";
}

const classOf = (found) => model.classes.find((one) => one.id === found.class_id);
const least = () => Number($("score").value);
const leastPoint = () => Number($("point").value);

async function start() {
  const answer = await fetch("model");
  if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
  model = await answer.json();
  document.title = `${model.name} - kpt-tools`;
  $("model").textContent = model.name;
  for (const one of model.classes) {
    const item = element("li");
    const count = one.keypoints.length;
    item.append(dot(one.colour), element("b", {}, one.name), count ? `${count} keypoint${count > 1 ? "s" : ""}` : "box only");
    $("classes").append(item);
  }
  $("limits").textContent = `JPEG, PNG, WebP, BMP or TIFF, up to ${model.max_upload_bytes / 1e6} MB. Nothing is stored.`;
  $("score").min = Math.min(ASKED_SCORE, model.min_score);
  $("score").value = model.min_score;
  $("point").value = model.min_keypoint_score;
  $("point-row").hidden = !model.classes.some((one) => one.keypoints.length);
}

async function look(file) {
  if (!file || !model) return;
  say("");
  if (file.size > model.max_upload_bytes) {
    say(`${file.name}: ${(file.size / 1e6).toFixed(1)} MB; expected at most ${model.max_upload_bytes / 1e6} MB. Scale it down, or start the server with a larger --max-upload-mb.`);
    return;
  }
  running?.abort();
  const mine = (running = new AbortController());
  const form = new FormData();
  form.append("image", file, file.name || "pasted picture");
  $("busy").hidden = false;
  try {
    const asked = Math.min(ASKED_SCORE, model.min_score);
    const answer = await fetch(`predict?picture=1&min_score=${asked}`, { method: "POST", body: form, signal: mine.signal });
    const content = await answer.json().catch(() => ({ error: `the server answered ${answer.status}` }));
    if (!answer.ok) throw new Error(content.error);
    await show(content);
  } catch (error) {
    if (error.name === "AbortError") return;
    say(error instanceof TypeError ? "The server does not answer. Is it still running?" : error.message);
  } finally {
    if (running === mine) {
      $("busy").hidden = true;
      running = null;
    }
  }
}

async function show(content) {
  const image = $("picture");
  image.src = content.picture;
  await image.decode();
  result = content;
  $("drop").hidden = true;
  for (const id of ["view", "panel", "another", "save-picture", "save-json"]) $(id).hidden = false;
  fit();
}

/* As large as the stage allows, and small pictures up to three times their size. */
function fit() {
  if (!result) return;
  const { width, height } = result.image;
  const narrow = window.matchMedia("(max-width: 820px)").matches;
  const box = $("stage").getBoundingClientRect();
  const room = { width: box.width - 40, height: narrow ? window.innerHeight * 0.7 : box.height - 40 };
  const scale = Math.min(room.width / width, room.height / height, 3);
  $("picture").style.width = `${Math.max(1, Math.round(width * scale))}px`;
  $("picture").style.height = `${Math.max(1, Math.round(height * scale))}px`;
  render();
}

function render() {
  if (!result) return;
  const shown = result.detections.filter((found) => found.score >= least());
  $("score-value").textContent = least().toFixed(2);
  $("point-value").textContent = leastPoint().toFixed(2);
  summarise(shown);
  const overlay = $("overlay");
  draw(overlay, shown, result.image.width / $("picture").clientWidth);
  list(shown);
}

function summarise(shown) {
  const { name, width, height } = result.image;
  const counts = new Map();
  for (const found of shown) counts.set(found.class, (counts.get(found.class) || 0) + 1);
  const words = [...counts].map(([what, count]) => `${count} × ${what}`).join(", ");
  const time = result.seconds < 1 ? `${Math.round(result.seconds * 1000)} ms` : `${result.seconds.toFixed(1)} s`;
  $("summary").replaceChildren(
    element("b", {}, words || "Nothing found"),
    element("span", {}, `${name} · ${width} × ${height} px · ${time}`)
  );
}

/* `unit` is the size of a screen pixel in pixels of the picture. */
function draw(overlay, shown, unit) {
  overlay.replaceChildren();
  overlay.setAttribute("viewBox", `0 0 ${result.image.width} ${result.image.height}`);
  for (const [number, found] of [...shown.entries()].reverse()) {
    const group = shape("g", { class: "object", "data-number": number }, overlay);
    const one = classOf(found);
    if ($("show-boxes").checked) drawBox(group, found, one, unit);
    const visible = found.keypoints.map((point) => point.score >= leastPoint());
    if ($("show-skeleton").checked) drawSkeleton(group, found, one, visible, unit);
    if ($("show-points").checked) drawPoints(group, found, one, visible, unit);
  }
  if ($("show-points").checked && $("show-names").checked) drawNames(overlay, shown, unit);
}

function drawBox(group, found, one, unit) {
  const [x, y, width, height] = found.box_xywh_px;
  const frame = { x, y, width, height, fill: "none" };
  shape("rect", { ...frame, stroke: DARK, "stroke-opacity": 0.45, "stroke-width": 4.5 * unit }, group);
  shape("rect", { ...frame, stroke: one.colour, "stroke-width": 2.25 * unit }, group);
  const size = 13 * unit;
  const label = plate(group, `${found.class} ${found.score.toFixed(2)}`, one.colour, size);
  const above = y - label.height >= 0;
  const left = Math.max(0, Math.min(x - 1.1 * unit, result.image.width - label.width));
  label.move(left, above ? y - label.height : Math.max(0, y));
}

function drawSkeleton(group, found, one, visible, unit) {
  const edges = one.skeleton.filter(([a, b]) => visible[a] && visible[b]).map(([a, b]) => [found.keypoints[a], found.keypoints[b], a, b]);
  const line = (from, to, stroke, width, opacity) =>
    shape("line", { x1: from.x, y1: from.y, x2: to.x, y2: to.y, stroke, "stroke-width": width * unit, "stroke-opacity": opacity, "stroke-linecap": "round" }, group);
  for (const [from, to] of edges) line(from, to, DARK, 5, 0.45);
  for (const [from, to, a, b] of edges) {
    const middle = { x: (from.x + to.x) / 2, y: (from.y + to.y) / 2 };
    line(from, middle, one.keypoints[a].colour, 2.75, 1);
    line(middle, to, one.keypoints[b].colour, 2.75, 1);
  }
}

function drawPoints(group, found, one, visible, unit) {
  found.keypoints.forEach((point, index) => {
    if (!visible[index]) return;
    const place = { cx: point.x, cy: point.y };
    shape("circle", { ...place, r: 7 * unit, fill: DARK, "fill-opacity": 0.45 }, group);
    const disc = shape("circle", { ...place, r: 5 * unit, fill: one.keypoints[index].colour, stroke: "#ffffff", "stroke-width": 1.5 * unit }, group);
    shape("title", {}, disc).textContent = `${point.name} ${point.score.toFixed(2)}`;
  });
}

/* Names of points, each where it covers no other name and as few points as can be. */
function drawNames(overlay, shown, unit) {
  const points = shown.flatMap((found, number) =>
    found.keypoints.map((point, index) => ({ ...point, number, colour: classOf(found).keypoints[index].colour })).filter((point) => point.score >= leastPoint())
  );
  const reach = 6 * unit;
  const discs = points.map((point) => ({ x: point.x - reach, y: point.y - reach, width: 2 * reach, height: 2 * reach }));
  const taken = [];
  for (const point of points) {
    const name = plate(overlay.querySelector(`[data-number="${point.number}"]`), point.name, point.colour, 11.5 * unit);
    const place = places(point, name, 9 * unit)
      .map((spot) => ({ ...spot, width: name.width, height: name.height }))
      .map((spot, order) => ({ spot, cost: cost(spot, taken, discs) + order / 100 }))
      .reduce((best, one) => (one.cost < best.cost ? one : best)).spot;
    taken.push(place);
    name.move(place.x, place.y);
  }
}

/* Spots around a point, best first: right, left, above, below, and the corners. */
function places(point, name, gap) {
  const [left, middle, right] = [point.x - gap - name.width, point.x - name.width / 2, point.x + gap];
  const [above, level, below] = [point.y - gap - name.height, point.y - name.height / 2, point.y + gap];
  return [[right, level], [left, level], [middle, above], [middle, below], [right, above], [right, below], [left, above], [left, below]].map(([x, y]) => ({ x, y }));
}

function cost(spot, taken, discs) {
  const meets = (other) => spot.x < other.x + other.width && other.x < spot.x + spot.width && spot.y < other.y + other.height && other.y < spot.y + spot.height;
  const outside = spot.x < 0 || spot.y < 0 || spot.x + spot.width > result.image.width || spot.y + spot.height > result.image.height;
  return 10 * taken.filter(meets).length + 2 * discs.filter(meets).length + (outside ? 50 : 0);
}

/* A name on a plate of the given colour; `move` puts its upper left corner. */
function plate(group, text, colour, size) {
  const made = shape("g", {}, group);
  const ground = shape("rect", { fill: colour, "fill-opacity": 0.92, rx: size * 0.22 }, made);
  const words = shape("text", { fill: textOn(colour), "font-size": size, "font-weight": 600, "font-family": "system-ui, sans-serif" }, made);
  words.textContent = text;
  const width = words.getComputedTextLength() + size * 0.7;
  const height = size * 1.4;
  ground.setAttribute("width", width);
  ground.setAttribute("height", height);
  words.setAttribute("x", size * 0.35);
  words.setAttribute("y", height * 0.73);
  return { width, height, move: (x, y) => made.setAttribute("transform", `translate(${x} ${y})`) };
}

function list(shown) {
  const hidden = result.detections.length - shown.length;
  const rows = shown.map((found, number) => card(found, number));
  if (!shown.length) rows.push(element("li", { class: "nothing" }, hidden ? "Nothing above this score. Move the slider to see weaker objects." : "The model sees none of its classes here."));
  else if (hidden) rows.push(element("li", { class: "nothing" }, `${hidden} weaker object${hidden > 1 ? "s" : ""} below the slider.`));
  rows.push(...result.warnings.map((text) => element("li", { class: "nothing" }, text)));
  $("objects").replaceChildren(...rows);
}

function card(found, number) {
  const one = classOf(found);
  const item = element("li", { tabindex: "0" });
  const head = element("div", { class: "head" });
  head.append(dot(one.colour), element("span", {}, found.class), element("span", { class: "score" }, found.score.toFixed(2)));
  const bar = element("div", { class: "bar" });
  const part = element("i");
  part.style.width = `${Math.round(found.score * 100)}%`;
  part.style.background = one.colour;
  bar.append(part);
  item.append(head, bar);
  if (found.keypoints.length) item.append(pointTable(found, one));
  const pick = (on) => {
    $("overlay").classList.toggle("picked", on);
    $("overlay").querySelector(`[data-number="${number}"]`)?.classList.toggle("picked", on);
  };
  for (const name of ["mouseenter", "focus"]) item.addEventListener(name, () => pick(true));
  for (const name of ["mouseleave", "blur"]) item.addEventListener(name, () => pick(false));
  return item;
}

function pointTable(found, one) {
  const table = element("table");
  found.keypoints.forEach((point, index) => {
    const row = table.insertRow();
    row.classList.toggle("weak", point.score < leastPoint());
    row.insertCell().append(dot(one.keypoints[index].colour));
    row.insertCell().textContent = point.name;
    for (const text of [`${point.x.toFixed(0)}, ${point.y.toFixed(0)}`, point.score.toFixed(2)]) {
      const cell = row.insertCell();
      cell.className = "num";
      cell.textContent = text;
    }
  });
  return table;
}

function save(blob, name) {
  const link = element("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

const stem = () => result.image.name.replace(/\.[^.]*$/, "");

function saveJson() {
  const { picture, ...content } = result;
  content.detections = content.detections.filter((found) => found.score >= least());
  save(new Blob([JSON.stringify(content, null, 2)], { type: "application/json" }), `${stem()}.json`);
}

/* At least as large as it is on the screen: lines and names have been drawn for that. */
async function savePicture() {
  const picture = $("picture");
  const scale = Math.max(1, picture.clientWidth / picture.naturalWidth);
  const size = { width: Math.round(picture.naturalWidth * scale), height: Math.round(picture.naturalHeight * scale) };
  const canvas = element("canvas", size);
  const copy = $("overlay").cloneNode(true);
  copy.setAttribute("xmlns", SVG);
  copy.setAttribute("width", canvas.width);
  copy.setAttribute("height", canvas.height);
  const layer = new Image();
  layer.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(new XMLSerializer().serializeToString(copy))}`;
  await layer.decode();
  const pen = canvas.getContext("2d");
  pen.drawImage(picture, 0, 0, canvas.width, canvas.height);
  pen.drawImage(layer, 0, 0);
  canvas.toBlob((blob) => save(blob, `${stem()}_detected.png`), "image/png");
}

function firstFile(transfer) {
  const found = [...(transfer?.files || [])];
  if (found.length > 1) say(`${found.length} files; the first one is shown. For many pictures use kpt-tools infer.`);
  return found[0];
}

for (const name of ["score", "point", "show-boxes", "show-points", "show-skeleton", "show-names"]) $(name).addEventListener("input", render);
$("file").addEventListener("change", (event) => {
  look(event.target.files[0]);
  event.target.value = "";
});
$("save-json").addEventListener("click", saveJson);
$("save-picture").addEventListener("click", () => savePicture().catch((error) => say(`The picture cannot be saved: ${error.message}`)));
addEventListener("resize", fit);
addEventListener("paste", (event) => look(firstFile(event.clipboardData)));
for (const name of ["dragenter", "dragover"]) {
  addEventListener(name, (event) => {
    event.preventDefault();
    document.body.classList.add("dragging");
  });
}
addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) document.body.classList.remove("dragging");
});
addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("dragging");
  look(firstFile(event.dataTransfer)).catch((error) => say(error.message));
});
start().catch((error) => say(`The page cannot be set up: ${error.message}`));
