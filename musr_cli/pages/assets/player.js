/* Versions of one excerpt, all running at once and all but one silent: switching has no gap and keeps the position. */
const FADE_S = 0.008;

/** The one audio device, at the rate of the recordings where the browser can, so that nothing is resampled. */
const device = {
  context: null,
  open(rate) {
    if (this.context && this.context.wanted === rate) return this.context;
    if (this.context) this.context.close();
    try { this.context = new AudioContext({ sampleRate: rate }); } catch { this.context = new AudioContext(); }
    this.context.wanted = rate;
    return this.context;
  },
};

/**
 * Plays one excerpt.
 *   versions: [{ audio: base64 of a whole audio file, gain: factor that matches levels }]
 *   listeners: { onState(isPlaying), onChoice(index), onTime(seconds) }
 */
class Player {
  static running = null;

  constructor(versions, rate, seconds, listeners = {}) {
    Object.assign(this, { versions, rate, seconds, listeners });
    this.chosen = 0;
    this.position = 0;
    this.isMatched = true;
    this.isPlaying = false;
    this.nodes = [];
    this.buffers = null;
  }

  /** Seconds from the start of the excerpt. */
  get time() {
    if (!this.isPlaying) return this.position;
    return (this.position + Math.max(0, this.context.currentTime - this.startedAt)) % this.seconds;
  }

  async load() {
    const context = device.open(this.rate);
    if (this.buffers && this.context === context) return;
    this.context = context;
    const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer;
    this.buffers = await Promise.all(this.versions.map((version) => context.decodeAudioData(bytes(version.audio))));
  }

  async play() {
    if (this.isPlaying) return;
    if (Player.running && Player.running !== this) Player.running.pause();
    Player.running = this;
    await this.load();
    await this.context.resume();
    if (this.isPlaying || Player.running !== this) return;
    this.startedAt = this.context.currentTime + 0.02;
    this.nodes = this.buffers.map((buffer, index) => this.start(buffer, index));
    this.isPlaying = true;
    this.tell("onState", true);
    this.follow();
  }

  start(buffer, index) {
    const source = new AudioBufferSourceNode(this.context, { buffer, loop: true, loopEnd: this.seconds });
    const gain = new GainNode(this.context, { gain: this.level(index) });
    source.connect(gain).connect(this.context.destination);
    source.start(this.startedAt, this.position);
    return { source, gain };
  }

  pause() {
    if (!this.isPlaying) return;
    this.position = this.time;
    for (const { source, gain } of this.nodes) {
      this.fade(gain, 0);
      source.stop(this.context.currentTime + 2 * FADE_S);
    }
    this.isPlaying = false;
    this.tell("onState", false);
  }

  toggle() {
    return this.isPlaying ? this.pause() : this.play();
  }

  async seek(seconds) {
    const wasPlaying = this.isPlaying;
    this.pause();
    this.position = Math.min(Math.max(seconds, 0), this.seconds - 0.01);
    this.tell("onTime", this.position);
    if (wasPlaying) await this.play();
  }

  choose(index) {
    if (index < 0 || index >= this.versions.length) return;
    this.chosen = index;
    this.setLevels();
    this.tell("onChoice", index);
  }

  match(isMatched) {
    this.isMatched = isMatched;
    this.setLevels();
  }

  setLevels() {
    if (this.isPlaying) this.nodes.forEach(({ gain }, index) => this.fade(gain, this.level(index)));
  }

  level(index) {
    if (index !== this.chosen) return 0;
    return this.isMatched ? this.versions[index].gain : 1;
  }

  fade(node, level) {
    const now = this.context.currentTime;
    node.gain.cancelScheduledValues(now);
    node.gain.setValueAtTime(node.gain.value, now);
    node.gain.linearRampToValueAtTime(level, now + FADE_S);
  }

  follow() {
    if (!this.isPlaying) return;
    this.tell("onTime", this.time);
    requestAnimationFrame(() => this.follow());
  }

  tell(name, value) {
    if (this.listeners[name]) this.listeners[name](value);
  }
}
