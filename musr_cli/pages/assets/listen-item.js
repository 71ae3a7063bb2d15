/* One screen of the listening test: sounds under letters, what has been heard of them, and what is still to do. */
const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";

/** One screen: sounds under letters, and their rating, which opens when all that it takes has been heard. */
class Item {
  constructor(place) {
    this.place = place;
    const { trial, versions } = screens[place];
    this.trial = trial;
    this.answer = session.answers[trial.id] ??= { values: {}, heard: {}, seconds: 0 };
    const labels = data.kind === "mos" ? ["Sample"] : LETTERS;
    this.slots = versions.map((version, index) => ({ version, label: labels[index], key: String(index + 1), isRated: true }));
    if (trial.reference) this.slots.unshift({ version: trial.reference, label: "Reference", key: "r", isRated: false });
    this.rated = this.slots.filter((slot) => slot.isRated);
    // an open reference is not needed to say which of two is better
    this.needed = data.kind === "ab" ? this.rated : this.slots;
    this.since = performance.now();
    this.build();
  }

  build() {
    this.player = new Player(
      this.slots.map(({ version }) => ({ audio: data.audio[this.trial.clip][version], gain: 1 })),
      data.rate, data.seconds[this.trial.clip],
      {
        onState: (isPlaying) => this.showState(isPlaying),
        onChoice: () => this.showChoice(),
        onTime: (seconds) => this.showTime(seconds),
      },
    );
    for (const slot of this.slots) slot.button = this.versionButton(slot);
    this.button = make("button", { type: "button", class: "main", id: "play", onclick: () => this.toggle() }, "▶ Play");
    this.seek = make("input", {
      type: "range", class: "seek", min: 0, max: this.player.seconds, step: 0.01, value: 0,
      "aria-label": "Place in the music", oninput: (event) => this.player.seek(Number(event.target.value)),
    });
    this.time = make("span", { class: "faint", "aria-hidden": "true" });
    this.rating = RATINGS[data.kind](this);
    this.todo = make("p", { id: "todo", class: "todo" });
    this.problem = make("p", { class: "bad", role: "alert" });
    this.showChoice();
    this.showTime(0);
    this.showNeeds();
  }

  versionButton(slot) {
    slot.bar = make("span", { class: "heard", "aria-hidden": "true" });
    slot.state = make("span", { class: "hidden" }, ", not heard yet");
    return make("button", {
      type: "button", class: "version", "data-label": slot.label, "aria-pressed": "false", onclick: () => this.choose(slot),
    }, make("span", { class: "letter" }, slot.label), slot.state, slot.bar);
  }

  show() {
    const isFirstThatCounts = this.place > 0 && !this.trial.practice && screens[this.place - 1].trial.practice;
    show(this.heading(),
      this.progress(),
      isFirstThatCounts ? make("p", { class: "notice" }, "Practice is over: from here on, answers count.") : null,
      make("section", { class: "card", "aria-label": "Music" },
        make("div", { class: "tools" }, this.button, this.seek, this.time),
        this.versions(), this.problem),
      this.todo,
      this.rating.element,
      make("div", { class: "tools steps" },
        make("button", { type: "button", id: "back", onclick: () => this.back() }, "Back"),
        make("button", { type: "button", class: "main", id: "next", onclick: () => this.next() }, "Next")),
      make("p", { class: "faint keys" }, ...this.keys()));
  }

  heading() {
    const practice = screens.filter(({ trial }) => trial.practice).length;
    if (this.trial.practice) return practice === 1 ? "Practice" : `Practice ${this.place + 1} of ${practice}`;
    return `${this.place + 1 - practice} of ${screens.length - practice}`;
  }

  progress() {
    const label = `Screen ${this.place + 1} of ${screens.length}`;
    return make("progress", { max: screens.length, value: this.place, "aria-label": label });
  }

  /** Where versions are rated in rows of their own, their buttons stand there, and only the reference here. */
  versions() {
    const here = data.kind === "mushra" ? this.slots.filter((slot) => !slot.isRated) : this.slots;
    return make("div", { class: "versions", role: "group", "aria-label": "Versions" }, ...here.map((slot) => slot.button));
  }

  keys() {
    const key = (name) => make("kbd", {}, name), last = Math.min(this.rated.length, 9);
    const digits = last === 1 ? [key("1"), " sample, "] : [key("1"), last === 2 ? " " : "…", key(String(last)), " versions, "];
    const reference = this.trial.reference ? [key("R"), " reference, "] : [];
    return ["Keys: ", key("Space"), " plays and pauses, ", ...digits, ...reference, key("Tab"), " and arrows rate, ", key("N"),
      " goes on."];
  }

  async toggle() { await playing(this.player, this.problem); }

  async choose(slot) {
    this.player.choose(this.slots.indexOf(slot));
    if (!this.player.isPlaying) await this.toggle();
  }

  showState(isPlaying) {
    this.lastTick = null;
    this.button.textContent = isPlaying ? "❚❚ Pause" : "▶ Play";
    if (!isPlaying) keep();
  }

  showChoice() {
    this.lastTick = null;
    this.slots.forEach((slot, index) => slot.button.setAttribute("aria-pressed", String(index === this.player.chosen)));
    if (item === this) announce(this.slots[this.player.chosen].label);
  }

  showTime(seconds) {
    this.seek.value = seconds;
    this.time.textContent = `${clock(seconds)} / ${clock(this.player.seconds)}`;
    if (this.player.isPlaying) this.hear();
  }

  /** Count how long the chosen version has been heard. */
  hear() {
    const now = performance.now(), slot = this.slots[this.player.chosen];
    // a tab in the background does not tick, and nobody knows whether anyone listens to it
    const passed = this.lastTick ? Math.min(now - this.lastTick, 250) / 1000 : 0;
    this.lastTick = now;
    const { heard } = this.answer, id = this.heardId(slot), wasHeard = this.isHeard(slot);
    heard[id] = (heard[id] ?? 0) + passed;
    if (!wasHeard) this.showNeeds();
    if (!wasHeard && this.isHeard(slot)) keep();
  }

  heardId(slot) { return slot.isRated ? slot.version : "reference"; }

  shareHeard(slot) {
    const enough = Math.min(data.heard_s, this.player.seconds);
    return Math.min((this.answer.heard[this.heardId(slot)] ?? 0) / enough, 1);
  }

  isHeard(slot) { return this.shareHeard(slot) === 1; }

  /** Whether a version can be rated: it has been heard, and what it is compared with too. */
  isOpen(slot) {
    if (data.kind !== "mushra") return this.needed.every((one) => this.isHeard(one));
    return this.isHeard(slot) && this.slots.every((one) => one.isRated || this.isHeard(one));
  }

  showNeeds() {
    for (const slot of this.slots) {
      slot.bar.style.width = `${100 * this.shareHeard(slot)}%`;
      const state = this.isHeard(slot) ? ", heard" : ", not heard yet";
      if (slot.state.textContent !== state) slot.state.textContent = state;
    }
    const opened = this.rating.open();
    if (opened && item === this) announce(opened);
    this.isDone();
  }

  /** Whether all is heard and rated; says what is not. */
  isDone() {
    const unheard = this.needed.filter((slot) => !this.isHeard(slot)).map((slot) => named(slot));
    const least = `${data.heard_s} seconds ${unheard.length > 1 ? "each" : "at least"}`;
    const missing = this.rating.missing();
    if (unheard.length) this.todo.textContent = `First listen to ${listed(unheard)}, for ${least}.`;
    else this.todo.textContent = missing ? `Now ${missing}.` : "Done: go on, or change your mind.";
    return !unheard.length && !missing;
  }

  rate(version, value) {
    if (data.kind === "ab") this.answer.values = { chosen: version };
    else this.answer.values[version] = value;
    this.todo.classList.remove("bad");
    this.isDone();
    keep();
  }

  back() {
    if (this.place) go(this.place - 1);
    else showWelcomeAgain();
  }

  next() {
    if (!this.isDone()) {
      this.todo.classList.add("bad");
      announce(this.todo.textContent);
      (this.needed.find((slot) => !this.isHeard(slot))?.button ?? this.rating.firstMissing()).focus();
      return;
    }
    go(this.place + 1);
  }

  leave() {
    // what was decoded of it is large, and made again when it is needed
    this.player.buffers = null;
    this.answer.seconds += (performance.now() - this.since) / 1000;
  }
}

const named = (slot) => (slot.label.length > 1 ? `the ${slot.label.toLowerCase()}` : slot.label);

/** ["A", "B", "C"] → "A, B and C" */
function listed(names) {
  return names.length > 1 ? `${names.slice(0, -1).join(", ")} and ${names.at(-1)}` : names[0];
}
