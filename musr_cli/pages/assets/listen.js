/* The listening test: a welcome, one item a screen, thanks. Which version is which stays in `data.key` until the end. */
const STORE = `musr-listen-${data.id}`;
const DEVICES = ["headphones", "earphones", "loudspeakers"];
const isServed = location.protocol.startsWith("http");

/* --- what is kept ----------------------------------------------------------------------------------------------- */

/*
 * { listener: { id, name, device }, started, place, answers: { trial: { values, heard, seconds } }, remarks, finished,
 *   delivered: whether the results were downloaded or sent }
 */
let session = restored();
let screens = session ? planned(session.listener.id) : [];
let item = null;
let isKept = true;

function restored() {
  try { return JSON.parse(memory.read(STORE)); } catch { return null; }
}

function keep() {
  isKept = memory.write(STORE, JSON.stringify(session));
  find("unkept").hidden = isKept;
}

function freshId() {
  return [...crypto.getRandomValues(new Uint8Array(8))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

function begin(name, device) {
  session = {
    listener: { id: freshId(), name, device }, started: new Date().toISOString(), place: 0, answers: {}, remarks: "",
    finished: null, delivered: false,
  };
  screens = planned(session.listener.id);
  keep();
  go(0);
}

/* --- screens ---------------------------------------------------------------------------------------------------- */

function show(heading, ...children) {
  const title = make("h2", { id: "heading", tabindex: -1 }, heading);
  const isFirst = !find("screen").firstChild;
  find("screen").replaceChildren(title, ...children.filter(Boolean));
  if (isFirst) return;
  window.scrollTo(0, 0);
  title.focus({ preventScroll: true });
}

function go(place) {
  silence();
  if (item) item.leave();
  session.place = place;
  keep();
  item = place < screens.length ? new Item(place) : null;
  if (item) item.show();
  else showLast();
}

const ABOUT = {
  ab: () => [
    "Each screen has a short piece of music in two versions, A and B.",
    "Switch between them while the music plays, as often as you like. The place in the music stays the same.",
    "Then choose one. If you hear no difference, guess.",
  ],
  mos: () => [
    "Each screen has a short piece of music twice: the reference, and a sample made from it.",
    "Switch between them while the music plays, as often as you like. The place in the music stays the same.",
    "Then rate the sample from 1 (bad) to 5 (excellent: like the reference). Some samples are the reference itself.",
  ],
  mushra: () => [
    `Each screen has a short piece of music as a reference, and in ${data.trials[0].versions.length} versions, A to `
      + `${LETTERS[data.trials[0].versions.length - 1]}.`,
    "Switch between them while the music plays, as often as you like. The place in the music stays the same.",
    "Rate every version from 0 (bad) to 100 (excellent: no difference from the reference). One of them is the reference "
      + "itself: give 100 to at least one.",
  ],
};

function showWelcome() {
  const practice = data.trials.filter((trial) => trial.practice).length;
  const count = data.trials.length - practice;
  const first = practice === 1 ? "The first screen is" : `The first ${practice} screens are`;
  const points = practice ? [...ABOUT[data.kind](), `${first} for practice; those answers do not count.`] : ABOUT[data.kind]();
  const screensTold = `${count} ${count === 1 ? "screen" : "screens"}${practice ? ` and ${practice} for practice` : ""}`;
  show("Welcome",
    make("p", {}, make("strong", {}, `The question: ${data.question}`)),
    make("p", { class: "faint" }, `${screensTold}, about ${data.minutes} min.`),
    session && !session.finished ? resumeCard() : null,
    make("ol", { class: "points" }, ...points.map((text) => make("li", {}, text))),
    soundCard(),
    startForm(),
    make("p", { class: "faint" }, privacy()));
}

function privacy() {
  const kept = "Your answers are kept in this browser after each step, so you can close the page and go on later.";
  if (!isServed) return `${kept} Nothing leaves this machine but the file that you save at the end.`;
  const host = location.hostname;
  const where = ["127.0.0.1", "localhost"].includes(host) ? "the program on this machine that shows this page" : host;
  return `${kept} At the end they are sent to ${where}, and nowhere else.`;
}

function resumeCard() {
  const done = Math.min(session.place, screens.length);
  return make("section", { class: "card", "aria-label": "Go on" },
    make("p", {}, `${session.listener.name} has done ${done} of ${screens.length} screens here.`),
    make("div", { class: "tools" }, make("button", {
      type: "button", class: "main", id: "resume", onclick: () => go(session.place),
    }, `Go on as ${session.listener.name}`)),
    make("p", { class: "faint" }, "If that is not you, start below; those answers are deleted then."));
}

function soundCard() {
  const trial = data.trials.find((one) => one.practice) ?? data.trials[0];
  const sound = trial.reference ?? trial.versions[0];
  const player = new Player([{ audio: data.audio[trial.clip][sound], gain: 1 }], data.rate, data.seconds[trial.clip], {
    onState: (isPlaying) => { button.textContent = isPlaying ? "❚❚ Stop the music" : "▶ Play music"; },
  });
  const problem = make("p", { class: "bad", role: "alert" });
  const button = make("button", { type: "button", id: "sound", onclick: () => playing(player, problem) }, "▶ Play music");
  return make("section", { class: "card", "aria-labelledby": "sound-heading" },
    make("h3", { id: "sound-heading" }, "Your sound"),
    make("p", {}, "Use headphones if you can, in a quiet room. Play this, set a comfortable volume, and leave it there: all "
      + "music here is equally loud."),
    make("div", { class: "tools" }, button), problem);
}

/** Stop what plays, and what is still being decoded to be played. */
function silence() {
  Player.running?.pause();
  Player.running = null;
}

async function playing(player, problem) {
  try {
    await player.toggle();
    problem.textContent = "";
  } catch (error) {
    problem.textContent = `This browser cannot play the music (${error.message}); try another one, such as Firefox.`;
  }
}

function startForm() {
  const name = make("input", {
    id: "name", type: "text", maxlength: 60, required: true, autocomplete: "off", spellcheck: "false",
  });
  const device = make("select", { id: "device" }, ...DEVICES.map((one) => make("option", { value: one }, one)));
  const submit = (event) => {
    event.preventDefault();
    const typed = name.value.trim();
    if (!typed) { name.value = ""; name.reportValidity(); return; }
    begin(typed, device.value);
  };
  return make("form", { class: "start", onsubmit: submit },
    make("div", { class: "field" }, make("label", { for: "name" }, "Your name, or an alias"), name),
    make("div", { class: "field" }, make("label", { for: "device" }, "You listen with"), device),
    make("button", { type: "submit", class: "main", id: "start" }, "Start"));
}

/* --- the end ---------------------------------------------------------------------------------------------------- */

function showLast() {
  const onremark = () => { session.remarks = remarks.value; keep(); };
  const remarks = make("textarea", { id: "remarks", rows: 4, maxlength: 2000, oninput: onremark }, session.remarks);
  show("That was all",
    make("div", { class: "field" },
      make("label", { for: "remarks" }, "Anything that you noticed? You may leave this empty."), remarks),
    make("div", { class: "tools steps" },
      make("button", { type: "button", id: "back", onclick: () => go(screens.length - 1) }, "Back"),
      make("button", { type: "button", class: "main", id: "finish", onclick: finish }, "Finish")));
}

function showWelcomeAgain() {
  silence();
  item.leave();
  item = null;
  keep();
  showWelcome();
}

function finish() {
  session.finished = new Date().toISOString();
  keep();
  showThanks();
}

function showThanks() {
  const state = make("p", { id: "delivery", role: "status" });
  const again = make("button", { type: "button", id: "send", hidden: true, onclick: () => send(state, again) }, "Send again");
  const save = make("button", { type: "button", class: isServed ? null : "main", id: "download", onclick: download },
    "Download the results");
  show(`Thank you, ${session.listener.name}`,
    isServed ? state : make("p", {}, "Please download the results, and send the file to whoever asked you to listen."),
    make("div", { class: "tools" }, save, again),
    isServed ? null : state,
    make("p", { class: "faint" }, "They stay in this browser until someone else starts here."),
    make("div", { class: "tools" },
      make("button", { type: "button", id: "another", onclick: another }, "Another listener")));
  if (!isServed) return;
  if (session.delivered) state.textContent = "Your results have arrived. You can close this page.";
  else send(state, again);
}

function results() {
  const key = JSON.parse(atob(data.key));
  const [practice, answers] = [true, false].map((isPractice) => screens
    .filter(({ trial }) => trial.practice === isPractice)
    .map(({ trial, versions }) => answerOf(trial, versions, session.answers[trial.id], key)));
  const { listener, started, finished, remarks } = session;
  return {
    format: "musr-listening-test", schema: 1, musr: data.version, test: key.test, listener, started, finished, remarks,
    browser: navigator.userAgent, practice, answers,
  };
}

function answerOf(trial, versions, answer, key) {
  const name = (version) => key.versions[version];
  const clip = key.clips[trial.clip], seconds = Number(answer.seconds.toFixed(1));
  const [first, second] = versions.map(name);
  if (data.kind === "ab") return { clip, first, second, chosen: name(answer.values.chosen), seconds };
  const ratings = Object.fromEntries(versions.map((version) => [name(version), answer.values[version]]));
  return { clip, ratings, seconds };
}

function slug(text) {
  return text.replace(/[^\p{L}\p{N}]+/gu, "-").slice(0, 40).replace(/^-|-$/g, "").toLowerCase() || "unnamed";
}

function download() {
  const file = new Blob([JSON.stringify(results(), null, 2)], { type: "application/json" });
  const name = `results-${slug(document.title)}-${slug(session.listener.name)}.json`;
  const link = make("a", { href: URL.createObjectURL(file), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  find("delivery").textContent = `Saved as ${name}, in the folder of your downloads.`;
  delivered();
}

function delivered() {
  session.delivered = true;
  keep();
}

async function send(state, again) {
  state.className = "";
  state.textContent = "Sending your results …";
  again.hidden = true;
  try {
    const headers = { "Content-Type": "application/json" };
    const answer = await fetch("results", { method: "POST", headers, body: JSON.stringify(results()) });
    if (!answer.ok) throw new Error((await answer.text()).trim().slice(0, 200) || `status ${answer.status}`);
    state.textContent = "Your results have arrived. You can close this page.";
    delivered();
  } catch (error) {
    state.className = "bad";
    state.textContent = `Your results could not be sent (${error.message}). Send them again, or download them and send the `
      + "file to whoever asked you.";
    again.hidden = false;
  }
}

function another() {
  const lost = `The results of ${session.listener.name} were not saved yet, and are deleted now. Go on?`;
  if (!session.delivered && !window.confirm(lost)) return;
  session = null;
  screens = [];
  memory.write(STORE, "null");
  showWelcome();
}

/* --- keys ------------------------------------------------------------------------------------------------------- */

function onKey(event) {
  if (!item || isTyping(event)) return;
  const { target, key } = event;
  // buttons and links keep the keys that press them, but Space pauses also after a click on a version; an empty choice
  // is made with Space
  if (key === "Enter" && target.matches("button, a")) return;
  if (key === " " && target.matches("button:not(.version), a, input[type=radio]:not(:checked)")) return;
  const slot = item.slots.find((one) => one.key === key.toLowerCase());
  if (slot) item.choose(slot);
  else if (key === " ") item.toggle();
  else if (key === "Enter" || key.toLowerCase() === "n") item.next();
  else return;
  event.preventDefault();
}

document.addEventListener("keydown", onKey);
window.addEventListener("beforeunload", (event) => {
  if (session && !session.delivered && !isKept) event.preventDefault();
});

if (session?.finished) showThanks();
else showWelcome();
