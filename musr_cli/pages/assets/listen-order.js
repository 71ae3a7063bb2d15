/* Who hears what when: drawn by chance, but the same for the same listener, so that whoever resumes finds the same order. */
/** Numbers in [0, 1) that a text decides: an FNV-1a hash of it starts a Mulberry32 generator. */
function chance(text) {
  let state = 2166136261;
  for (const letter of text) state = Math.imul(state ^ letter.codePointAt(0), 16777619);
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function shuffled(list, random) {
  const result = [...list];
  for (let last = result.length - 1; last > 0; last -= 1) {
    const place = Math.floor(random() * (last + 1));
    [result[last], result[place]] = [result[place], result[last]];
  }
  return result;
}

/** The same trials, no clip twice in a row where that can be helped. */
function apart(trials) {
  const rest = [...trials], result = [];
  while (rest.length) {
    const isOther = (trial) => trial.clip !== result.at(-1)?.clip;
    // a clip that makes up more than half of the rest has to come now
    const isUrgent = ({ clip }) => 2 * rest.filter((one) => one.clip === clip).length > rest.length;
    const urgent = rest.findIndex((trial) => isOther(trial) && isUrgent(trial));
    const place = urgent >= 0 ? urgent : rest.findIndex(isOther);
    result.push(...rest.splice(Math.max(place, 0), 1));
  }
  return result;
}

/** Versions in the order of their letters; of two, each comes first equally often within a group of trials. */
function arranged(trials, random) {
  if (data.kind !== "ab") return trials.map((trial) => ({ trial, versions: shuffled(trial.versions, random) }));
  const isTurned = {};
  for (const group of new Set(trials.map((trial) => trial.group))) {
    const start = random() < 0.5;
    const members = shuffled(trials.filter((trial) => trial.group === group), random);
    members.forEach((trial, index) => { isTurned[trial.id] = (index % 2 === 0) === start; });
  }
  return trials.map((trial) => ({ trial, versions: isTurned[trial.id] ? [...trial.versions].reverse() : trial.versions }));
}

/** All screens of a listener, practice first. */
function planned(listener) {
  const random = chance(`${data.id}/${listener}`);
  const [practice, rest] = [true, false].map((isPractice) => data.trials.filter((trial) => trial.practice === isPractice));
  return [...arranged(shuffled(practice, random), random), ...arranged(apart(shuffled(rest, random)), random)];
}
