/* What listeners answer with: a choice of two, five steps, sliders. */
const SCALE = ["Bad", "Poor", "Fair", "Good", "Excellent"];
const UNRATED = 50;

/**
 * Ways to rate. Each gives { element, open, missing, firstMissing }: `open` lets in what has been heard and says so,
 * `missing` says what is still to be rated, `firstMissing` is the control for it.
 */
const RATINGS = { ab: choice, mos: steps, mushra: sliders };

function choice(one) {
  const cards = one.rated.map(({ label, version }) => (
    radio(label, one.answer.values.chosen === version, () => one.rate(version), label)
  ));
  return radios(one, "choices", cards, "choose A or B");
}

function steps(one) {
  const [slot] = one.rated;
  const words = { 5: "Excellent: like the reference", 1: "Bad: far from the reference" };
  const cards = [5, 4, 3, 2, 1].map((value) => {
    const word = make("span", {}, make("strong", {}, String(value)), ` ${words[value] ?? SCALE[value - 1]}`);
    return radio(word, one.answer.values[slot.version] === value, () => one.rate(slot.version, value), String(value));
  });
  return radios(one, "steps-list", cards, "rate the sample");
}

function radio(content, checked, onchange, value) {
  const input = make("input", { type: "radio", name: "rating", value, checked, onchange });
  return { input, element: make("label", { class: "choice" }, input, content) };
}

function radios(one, name, cards, task) {
  const element = make("fieldset", { class: "rating", disabled: true },
    make("legend", {}, data.question), make("div", { class: name }, ...cards.map((card) => card.element)));
  return {
    element,
    open() {
      if (!element.disabled || !one.isOpen()) return "";
      element.disabled = false;
      return `You can ${task} now`;
    },
    missing: () => (cards.some((card) => card.input.checked) ? "" : task),
    firstMissing: () => cards[0].input,
  };
}

function sliders(one) {
  const rows = one.rated.map((slot) => sliderRow(one, slot));
  const scale = make("div", { class: "words", "aria-hidden": "true" }, ...SCALE.map((word) => make("span", {}, word)));
  const element = make("fieldset", { class: "rating" }, make("legend", {}, data.question),
    make("div", { class: "row head" }, make("span"), scale, make("span")), ...rows.map((row) => row.element));
  const unrated = () => rows.filter((row) => !(row.slot.version in one.answer.values));
  return {
    element,
    open() {
      const opened = rows.filter((row) => row.input.disabled && one.isOpen(row.slot));
      for (const row of opened) row.input.disabled = false;
      return opened.length ? `You can rate ${listed(opened.map((row) => row.slot.label))} now` : "";
    },
    missing: () => (unrated().length ? `rate ${listed(unrated().map((row) => row.slot.label))}` : ""),
    firstMissing: () => unrated()[0].input,
  };
}

function sliderRow(one, slot) {
  const value = one.answer.values[slot.version];
  const output = make("output", { class: "value", "aria-hidden": "true" });
  const input = make("input", {
    type: "range", min: 0, max: 100, step: 1, value: value ?? UNRATED, disabled: true,
    "aria-label": `Rating of ${slot.label}`,
  });
  const tell = (isRated) => {
    output.textContent = isRated ? input.value : "–";
    input.dataset.rated = String(isRated);
    const word = SCALE[Math.min(Math.floor(input.value / 20), SCALE.length - 1)];
    input.setAttribute("aria-valuetext", isRated ? `${input.value}, ${word}` : "not rated yet");
  };
  const rate = () => { one.rate(slot.version, Number(input.value)); tell(true); };
  input.addEventListener("input", rate);
  // who presses the thumb and leaves it where it is, means that
  input.addEventListener("change", rate);
  input.addEventListener("click", rate);
  tell(value !== undefined);
  return { slot, input, element: make("div", { class: "row" }, slot.button, make("div", { class: "track" }, input), output) };
}
