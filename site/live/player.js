// Play and Pause for frames. It begins by itself never; where a reader wants less motion, it goes a frame a second.

const QUICK = 160, SLOW = 1000; // milliseconds a frame

export class Player {
  /**
   * @param {HTMLElement} figure
   * @param {{ steps: number, between: number }} frames
   * @param {() => number} now
   * @param {(step: number) => void} go
   */
  constructor(figure, { steps, between }, now, go) {
    const row = document.createElement("div");
    row.className = "live-player";
    figure.after(row);
    this.button = row.appendChild(document.createElement("button"));
    Object.assign(this.button, { type: "button", className: "vaecourse-button", textContent: "Play" });
    this.words = row.appendChild(document.createElement("span"));
    this.output = figure.parentElement?.querySelector("output");
    /** @type {ReturnType<typeof setInterval> | undefined} */
    this.timer = undefined;
    this.steps = steps;
    this.button.onclick = () => {
      if (this.timer !== undefined) return this.pause();
      if (now() >= steps) go(0);
      const less = matchMedia("(prefers-reduced-motion: reduce)").matches;
      this.timer = setInterval(() => go(Math.min(now() + between, steps)), less ? SLOW : QUICK);
      this.button.textContent = "Pause";
      this.output?.setAttribute("aria-live", "off"); // or a screen reader would read every frame
    };
  }

  pause() {
    clearInterval(this.timer);
    this.timer = undefined;
    this.button.textContent = "Play";
    this.output?.setAttribute("aria-live", "polite");
  }

  /**
   * @param {number} step
   * @param {string} caption
   */
  show(step, caption) {
    this.words.textContent = `Step ${step} of ${this.steps}: ${caption}`;
    if (step >= this.steps && this.timer !== undefined) this.pause();
  }
}
