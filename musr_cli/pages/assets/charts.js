/* Two kinds of diagrams as SVG; colours come from the page's style, and dashes or rows tell series apart without them. */
const NAMESPACE = "http://www.w3.org/2000/svg";
const DASHES = ["", "7 4", "2 3", "9 3 2 3", "1 4", "12 4"];
const WIDTH = 760;

function draw(tag, attributes, ...children) {
  const element = document.createElementNS(NAMESPACE, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

const hue = (index) => `var(--s${index % 7})`;

/** Round steps that divide a range into about `count` parts. */
function ticks(low, high, count) {
  const raw = (high - low) / count || 1;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((candidate) => candidate >= raw);
  const first = Math.ceil(low / step - 1e-9);
  return Array.from({ length: Math.floor(high / step + 1e-9) - first + 1 }, (_, index) => (first + index) * step);
}

const plain = (value) => String(Number(value.toPrecision(6)));

/** A chart whose label says in words what it shows; `height` in the units of its drawing. */
function chart(height, label) {
  return draw("svg", { class: "chart", viewBox: `0 0 ${WIDTH} ${height}`, role: "img", "aria-label": label });
}

/**
 * One row a system: a dot for each value, a box from quartile to quartile, a line at the median, a diamond at the mean.
 *   series: [{ name, values: [number], labels: [string] }]
 */
function stripChart(series, unit, label) {
  const all = series.flatMap(({ values }) => values);
  const [low, high] = padded(Math.min(...all), Math.max(...all));
  const left = 150, right = 20, row = 54, bottom = 34;
  const x = (value) => left + ((value - low) / (high - low)) * (WIDTH - left - right);
  const height = row * series.length + bottom;
  const svg = chart(height, label);
  for (const tick of ticks(low, high, 7)) {
    svg.append(draw("line", { class: "grid", x1: x(tick), x2: x(tick), y1: 0, y2: height - bottom + 4 }));
    svg.append(draw("text", { x: x(tick), y: height - bottom + 18, "text-anchor": "middle" }, plain(tick)));
  }
  svg.append(draw("text", { class: "faint", x: WIDTH - right, y: height - 2, "text-anchor": "end" }, unit));
  series.forEach((one, index) => strip(svg, one, index, row * (index + 0.5), x, left));
  return svg;
}

function strip(svg, { name, values, labels }, index, y, x, left) {
  const text = draw("text", { x: left - 10, y: y + 4, "text-anchor": "end" }, name.length > 20 ? `${name.slice(0, 19)}…` : name);
  text.append(draw("title", {}, name));
  svg.append(text);
  const sorted = [...values].sort((a, b) => a - b);
  const [q1, median, q3] = [0.25, 0.5, 0.75].map((share) => quantile(sorted, share));
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const box = { x: x(q1), y: y - 14, width: Math.max(x(q3) - x(q1), 1), height: 28, rx: 3, fill: hue(index) };
  svg.append(draw("rect", { ...box, "fill-opacity": 0.22, stroke: hue(index) }));
  svg.append(draw("line", { x1: x(median), x2: x(median), y1: y - 14, y2: y + 14, stroke: hue(index), "stroke-width": 3 }));
  values.forEach((value, place) => {
    // golden-ratio steps spread dots evenly without any chance
    const lift = (((place * 0.618) % 1) - 0.5) * 22;
    const dot = draw("circle", { cx: x(value), cy: y + lift, r: values.length > 200 ? 1.8 : 3, fill: hue(index), "fill-opacity": 0.75 });
    dot.append(draw("title", {}, `${labels[place]}: ${plain(Number(value.toFixed(3)))}`));
    svg.append(dot);
  });
  const [cx, size] = [x(mean), 6];
  const diamond = `M${cx},${y - size}L${cx + size},${y}L${cx},${y + size}L${cx - size},${y}Z`;
  svg.append(draw("path", { d: diamond, fill: "var(--ground)", stroke: "var(--ink)", "stroke-width": 1.5 }));
}

function quantile(sorted, share) {
  const place = (sorted.length - 1) * share, below = Math.floor(place);
  return sorted[below] + (sorted[Math.min(below + 1, sorted.length - 1)] - sorted[below]) * (place - below);
}

function padded(low, high) {
  const margin = (high - low) * 0.05 || Math.abs(high) * 0.05 || 0.5;
  return [low - margin, high + margin];
}

/**
 * Lines over frequency in kHz, named in a legend that also shows dashes.
 *   series: [{ name, x: [kHz], y: [number or null], hue: index }]
 */
function lineChart(series, { xLabel, yLabel, label, marks = [], fromZero = false }) {
  const left = 56, right = 14, top = 8, bottom = 40, height = 300;
  const finite = series.flatMap(({ y }) => y).filter((value) => value !== null);
  const [low, high] = padded(fromZero ? 0 : Math.min(...finite), Math.max(...finite));
  const base = fromZero ? 0 : low;
  const end = Math.max(...series.flatMap(({ x }) => x));
  const x = (value) => left + (value / end) * (WIDTH - left - right);
  const y = (value) => top + (1 - (value - base) / (high - base)) * (height - top - bottom);
  const svg = chart(height, label);
  for (const tick of ticks(0, end, 11)) {
    svg.append(draw("line", { class: "grid", x1: x(tick), x2: x(tick), y1: top, y2: height - bottom }));
    svg.append(draw("text", { x: x(tick), y: height - bottom + 16, "text-anchor": "middle" }, plain(tick)));
  }
  for (const tick of ticks(base, high, 6)) {
    svg.append(draw("line", { class: "grid", x1: left, x2: WIDTH - right, y1: y(tick), y2: y(tick) }));
    svg.append(draw("text", { x: left - 6, y: y(tick) + 4, "text-anchor": "end" }, plain(tick)));
  }
  svg.append(draw("text", { class: "faint", x: WIDTH - right, y: height - 4, "text-anchor": "end" }, xLabel));
  svg.append(draw("text", { class: "faint", x: 12, y: top + 4, transform: `rotate(-90 12 ${top + 4})`, "text-anchor": "end" }, yLabel));
  for (const mark of marks) {
    const line = { x1: x(mark), x2: x(mark), y1: top, y2: height - bottom, stroke: "var(--faint)", "stroke-dasharray": "5 5" };
    svg.append(draw("line", line));
  }
  for (const one of series) {
    const points = one.x.map((place, index) => [place, one.y[index]]).filter(([, value]) => value !== null);
    const path = points.map(([place, value]) => `${x(place).toFixed(1)},${y(value).toFixed(1)}`).join(" ");
    const style = { fill: "none", stroke: hue(one.hue), "stroke-width": 2, "stroke-dasharray": DASHES[one.hue % DASHES.length] };
    svg.append(draw("polyline", { points: path, ...style }));
  }
  const legend = make("div", { class: "tools" }, ...series.map((one) => key(one)));
  return make("div", {}, svg, legend);
}

function key({ name, hue: index }) {
  const sample = draw("svg", { width: 34, height: 10, "aria-hidden": "true" });
  const style = { stroke: hue(index), "stroke-width": 3, "stroke-dasharray": DASHES[index % DASHES.length] };
  sample.append(draw("line", { x1: 0, x2: 34, y1: 5, y2: 5, ...style }));
  return make("span", {}, sample, ` ${name}`);
}
