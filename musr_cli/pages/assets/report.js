/* The report of `musr eval`: tables, diagrams, and players for a few clips. */
const metrics = data.metrics;
const byName = Object.fromEntries(metrics.map((metric) => [metric.name, metric]));
const measured = metrics.filter(({ name }) => data.rows.some((row) => name in row.metrics));
const headline = measured.filter((metric) => metric.headline);
const systems = data.systems;

/** A figure as the command prints it: two decimals for dB, three otherwise. */
function figure(metric, value) {
  if (value === undefined || value === null) return "–";
  return value.toFixed(metric.unit.startsWith("dB") ? 2 : 3).replace(/^-(0\.0+)$/, "$1");
}

const heading = (metric) => (metric.unit === "dB" ? `${metric.label} (dB)` : metric.label);

/** How bad a value is: less is better, whatever the metric prefers. */
function badness(metric, value) {
  if (metric.better === "higher") return -value;
  if (metric.better === "lower") return value;
  return Math.abs(value - (metric.better === "nearest 1" ? 1 : 0));
}

function table(head, rows, caption) {
  const header = make("tr", {}, ...head.map((cell) => (cell instanceof Node ? cell : make("th", { scope: "col" }, cell))));
  const body = rows.map((cells) => make("tr", {}, ...cells));
  return make("table", {}, make("caption", { class: "hidden" }, caption), make("thead", {}, header), make("tbody", {}, ...body));
}

const cell = (text, name = null) => make("td", { class: name }, text);
const rowHead = (text) => make("th", { scope: "row" }, text);

function options(select, list, chosen) {
  select.append(...list.map((metric) => make("option", { value: metric.name, selected: metric.name === chosen }, heading(metric))));
}

function showSummary() {
  const clips = new Set(data.rows.map((row) => row.clip)).size;
  const parts = [`${clips} ${clips === 1 ? "clip" : "clips"}`, `${systems.length} ${systems.length === 1 ? "system" : "systems"}`];
  find("about").textContent = `${parts.join(", ")}; reference: ${data.reference}; made by musr ${data.version}, ${data.made}`;
  find("summary").append(meansTable(headline, "Means over clips of the main figures"));
  find("summary-all").append(meansTable(measured.filter((metric) => !metric.headline), "Means over clips of all other figures"));
}

function meansTable(list, caption) {
  const rows = list.map((metric) => [rowHead(metric.label), ...means(metric), cell(metric.unit, "text"), cell(metric.better, "text")]);
  return table(["figure", ...systems, "unit", "better"], rows, caption);
}

function means(metric) {
  const summaries = systems.map((system) => data.summaries[system][metric.name]);
  // what looks the same counts as the same
  const bad = summaries.map((summary) => (summary ? badness(metric, Number(figure(metric, summary.mean))) : Infinity));
  const best = Math.min(...bad), isTelling = new Set(bad).size > 1;
  return summaries.map((summary, index) => {
    const element = cell(figure(metric, summary?.mean), isTelling && bad[index] === best ? "best" : null);
    if (summary && summary.low !== null)
      element.append(make("small", {}, `${figure(metric, summary.low)} … ${figure(metric, summary.high)}`));
    return element;
  });
}

function showTests() {
  const tested = [...new Set(data.paired.map((test) => test.metric))].map((name) => byName[name]);
  if (!tested.length) return;
  find("tests").hidden = false;
  options(find("tests-metric"), tested, "lsd_a");
  const show = () => {
    const metric = byName[find("tests-metric").value];
    const rows = data.paired.filter((test) => test.metric === metric.name).map((test) => [
      make("th", { scope: "row", class: "text" }, `${test.a} − ${test.b}`),
      cell(figure(metric, test.mean)),
      cell(test.low === null ? "–" : `${figure(metric, test.low)} … ${figure(metric, test.high)}`),
      cell(probability(test.p)), cell(probability(test.p_holm)), cell(String(test.clips)), cell(test.winner ?? "not certain", "text"),
    ]);
    const head = ["pair", "difference", "95 % interval", "p", "p (Holm)", "clips", "better"];
    find("tests-table").replaceChildren(table(head, rows, `Paired differences of ${metric.label}`));
  };
  find("tests-metric").addEventListener("change", show);
  show();
}

const probability = (p) => (p === null ? "–" : p < 0.001 ? "< 0.001" : p.toFixed(3));

function showSpread() {
  options(find("spread-metric"), measured, headline[0]?.name);
  const show = () => {
    const metric = byName[find("spread-metric").value];
    const series = systems.map((system) => {
      const rows = data.rows.filter((row) => row.system === system && metric.name in row.metrics);
      return { name: system, values: rows.map((row) => row.metrics[metric.name]), labels: rows.map((row) => row.clip) };
    });
    find("spread-how").textContent = `${metric.label}: ${metric.convention}. Better: ${metric.better}. Dots are clips, boxes reach `
      + "from the first to the third quartile, the line is the median, the diamond the mean.";
    const known = series.filter(({ values }) => values.length);
    const label = known.map(({ name, values }) => `${name}: ${values.length} clips, median ${figure(metric, quantile([...values].sort((a, b) => a - b), 0.5))}`);
    find("spread").replaceChildren(known.length ? stripChart(known, metric.unit, `${metric.label} by clip. ${label.join("; ")}`) : "not measured");
  };
  find("spread-metric").addEventListener("change", show);
  show();
}

function showFrequency() {
  if (!data.spectra) { find("frequency-section").hidden = true; return; }
  const x = data.spectra.hz.map((hz) => hz / 1000);
  const known = systems.filter((system) => data.spectra.systems[system]);
  find("frequency-how").textContent = data.spectra.convention;
  const errors = known.map((name) => ({ name, x, y: data.spectra.systems[name].error, hue: systems.indexOf(name) }));
  const marks = data.cutoffs_hz.map((hz) => hz / 1000);
  find("frequency").append(lineChart(errors, {
    xLabel: "frequency (kHz)", yLabel: "error (log10 power)", fromZero: true, marks,
    label: `Error by frequency of ${known.join(", ")}. ${known.map((name) => peakOf(name)).join("; ")}`,
  }));
  const levels = known.map((name) => ({ name, x, y: data.spectra.systems[name].level_db, hue: systems.indexOf(name) }));
  levels.unshift({ name: "reference", x, y: data.spectra.reference_db, hue: 6 });
  find("spectra").append(lineChart(levels, {
    xLabel: "frequency (kHz)", yLabel: "mean level (dB)", marks, label: `Long-term spectra of the reference and ${known.join(", ")}`,
  }));
}

function peakOf(name) {
  const { error } = data.spectra.systems[name];
  const place = error.indexOf(Math.max(...error.filter((value) => value !== null)));
  return `${name} is furthest off at ${(data.spectra.hz[place] / 1000).toFixed(1)} kHz`;
}

let order = { key: "clip", isUp: true };

function showTable() {
  const wanted = find("filter").value.toLowerCase();
  const shown = find("all-metrics").checked ? measured : headline.length ? headline : measured;
  const rows = data.rows.filter((row) => row.clip.toLowerCase().includes(wanted));
  const value = (row) => (order.key in row ? row[order.key] : row.metrics[order.key]);
  rows.sort((a, b) => compare(value(a), value(b)) * (order.isUp ? 1 : -1) || compare(a.clip, b.clip) || compare(a.system, b.system));
  const head = [["clip", "clip"], ["system", "system"], ...shown.map((metric) => [metric.name, heading(metric)])].map(sortHead);
  const cells = rows.map((row) => [
    rowHead(row.clip), cell(row.system, "text"), ...shown.map((metric) => cell(figure(metric, row.metrics[metric.name]))),
  ]);
  find("table").replaceChildren(table(head, cells, "Every clip; the headings sort"));
}

function compare(a, b) {
  // what is not measured comes last, whichever way the rest goes
  if (a === undefined || b === undefined) return (a === undefined) - (b === undefined);
  return a < b ? -1 : a > b ? 1 : 0;
}

function sortHead([key, label]) {
  const isChosen = order.key === key;
  const sort = isChosen ? (order.isUp ? "ascending" : "descending") : "none";
  const button = make("button", { type: "button", "data-sort": key }, `${label}${isChosen ? (order.isUp ? " ▲" : " ▼") : ""}`);
  button.addEventListener("click", () => {
    order = { key, isUp: isChosen ? !order.isUp : true };
    showTable();
    find("table").querySelector(`[data-sort="${CSS.escape(key)}"]`).focus();
    announce(`Sorted by ${label}, ${order.isUp ? "ascending" : "descending"}`);
  });
  return make("th", { scope: "col", "aria-sort": sort, class: key === "system" ? "text" : null }, button);
}

function showLists() {
  if (data.left_out.length) {
    find("left-out").hidden = false;
    find("left-out-list").append(...data.left_out.map((one) => make("li", {}, systems.length > 1 ? `${one.system}: ${one.problem}` : one.problem)));
  }
  if (data.notes.length) {
    find("notes").hidden = false;
    find("notes-list").append(...data.notes.map((note) => make("li", {}, note)));
  }
  const rows = measured.map((metric) => [
    make("th", { scope: "row" }, metric.label), cell(metric.unit, "text"), cell(metric.better, "text"), cell(metric.convention, "text"),
  ]);
  find("how").append(table(["figure", "unit", "better", "how it is measured"], rows, "Conventions"));
}

/* --- clips ---------------------------------------------------------------------------------------------------- */

class ClipCard {
  constructor(clip, index) {
    this.clip = clip;
    this.player = new Player(clip.versions, clip.sample_rate, clip.seconds, {
      onState: (isPlaying) => this.showState(isPlaying),
      onChoice: (choice) => this.showChoice(choice),
      onTime: (seconds) => this.showTime(seconds),
    });
    this.button = make("button", { type: "button", class: "main", onclick: () => this.toggle() }, "▶ Play");
    this.seek = make("input", {
      type: "range", class: "seek", min: 0, max: clip.seconds, step: 0.01, value: 0, "aria-label": `Position in ${clip.name}`,
      oninput: (event) => this.player.seek(Number(event.target.value)),
    });
    this.time = make("span", { class: "faint" }, clock(0));
    this.choices = clip.versions.map((version, place) => make("button", {
      type: "button", "aria-pressed": "false", onclick: () => { current.set(this); this.player.choose(place); },
    }, `${place + 1} ${version.label}`));
    this.heads = [];
    this.views = clip.versions.map((version, place) => this.view(version, place));
    const id = `clip-${index}`;
    this.element = make("article", { class: "card", "aria-labelledby": id },
      make("h3", { id }, clip.name),
      make("div", { class: "tools" }, this.button, ...this.choices),
      make("div", { class: "tools" }, this.seek, this.time),
      make("div", { class: "views" }, ...this.views));
    this.showChoice(0);
  }

  view(version, place) {
    const head = make("div", { class: "head" });
    this.heads.push(head);
    const about = Object.entries(version.metrics).map(([name, value]) => `${byName[name].label} ${figure(byName[name], value)}`).join(", ");
    const image = make("img", {
      src: `data:image/png;base64,${version.image}`, width: this.clip.width, height: this.clip.height,
      alt: `Spectrogram of ${version.label}, 0 to ${plain(this.clip.top_hz / 1000)} kHz, ${this.clip.seconds.toFixed(1)} s`,
    });
    const marks = this.clip.ticks_hz.map((hz) => make("span", { class: "tick", "data-no-contrast": true, style: `top:${100 * (1 - hz / this.clip.top_hz)}%` }, `${hz / 1000} kHz`));
    const view = make("div", { class: "view", onclick: (event) => {
      const box = event.currentTarget.getBoundingClientRect();
      current.set(this);
      this.player.choose(place);
      this.player.seek(((event.clientX - box.left) / box.width) * this.clip.seconds);
    } }, image, ...marks, head);
    return make("figure", {}, view, make("figcaption", {}, make("strong", {}, version.label), make("span", { class: "faint" }, about)));
  }

  async toggle() {
    current.set(this);
    try {
      await this.player.toggle();
    } catch (error) {
      announce(`This browser cannot play the clip: ${error.message}`);
      this.time.textContent = `cannot be played here: ${error.message}`;
    }
  }

  showState(isPlaying) {
    this.button.textContent = isPlaying ? "❚❚ Pause" : "▶ Play";
  }

  showChoice(choice) {
    this.choices.forEach((button, place) => button.setAttribute("aria-pressed", String(place === choice)));
    this.views.forEach((view, place) => { view.firstChild.dataset.chosen = String(place === choice); });
    if (current.card === this) announce(this.clip.versions[choice].label);
  }

  showTime(seconds) {
    this.seek.value = seconds;
    this.time.textContent = `${clock(seconds)} / ${clock(this.clip.seconds)}`;
    for (const head of this.heads) head.style.left = `${(100 * seconds) / this.clip.seconds}%`;
  }
}

/** The clip that keys act on. */
const current = {
  card: null,
  set(card) {
    if (this.card) this.card.element.removeAttribute("aria-current");
    this.card = card;
    card.element.setAttribute("aria-current", "true");
  },
};

const cards = data.clips.map((clip, index) => new ClipCard(clip, index));

function move(step) {
  const wasPlaying = current.card.player.isPlaying;
  const place = (cards.indexOf(current.card) + step + cards.length) % cards.length;
  current.card.player.pause();
  current.set(cards[place]);
  cards[place].element.scrollIntoView({ block: "nearest" });
  announce(`Clip ${place + 1} of ${cards.length}: ${cards[place].clip.name}`);
  if (wasPlaying) cards[place].toggle();
}

function setMatched(isMatched) {
  find("matched").checked = isMatched;
  for (const card of cards) card.player.match(isMatched);
  announce(isMatched ? "All versions have the same loudness" : "Versions are as loud as their files");
}

const KEYS = {
  " ": () => current.card.toggle(),
  ArrowLeft: () => current.card.player.seek(current.card.player.time - 1),
  ArrowRight: () => current.card.player.seek(current.card.player.time + 1),
  n: () => move(1),
  p: () => move(-1),
  l: () => setMatched(!find("matched").checked),
};

function onKey(event) {
  if (isTyping(event) || !cards.length) return;
  // a button or a slider that has the focus keeps its own keys
  if (event.target.matches("button, input, a, .scroll") && [" ", "ArrowLeft", "ArrowRight"].includes(event.key)) return;
  if (/^[1-9]$/.test(event.key)) current.card.player.choose(Number(event.key) - 1);
  else if (KEYS[event.key]) { event.preventDefault(); KEYS[event.key](); }
}

function showClips() {
  if (!cards.length) return;
  find("clips-section").hidden = false;
  find("clips").append(...cards.map((card) => card.element));
  current.set(cards[0]);
  find("matched").addEventListener("change", (event) => setMatched(event.target.checked));
  document.addEventListener("keydown", onKey);
}

showSummary();
showTests();
showClips();
showSpread();
showFrequency();
showTable();
showLists();
find("filter").addEventListener("input", showTable);
find("all-metrics").addEventListener("change", showTable);
