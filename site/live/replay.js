// A recorded run of a lab that trains, shown frame by frame: numbers that tools/replays.py has stored.

import { Axes, power, steps } from "./chart.js";
import { fixed } from "./frame.js";
import { picture } from "./pad.js";
import { Player } from "./player.js";

/** @import { Recording, StoredRun } from "./trained.d.ts" */
/** @import { Experiment, Settings as Given } from "./lab.d.ts" */

const LARGEST = 127, GREYS = 15, SIDE = 8, COLUMNS = 6;
const ANGLES = steps(0, 2 * Math.PI, 73);

/** @param {string} stored */
const bytes = (stored) => Uint8Array.from(atob(stored), (letter) => letter.charCodeAt(0));

/**
 * Codes in the window's units, [2 N], from -1 to 1.
 * @param {string} stored
 */
export const codes = (stored) => Float64Array.from(new Int8Array(bytes(stored).buffer), (whole) => whole / LARGEST);

/**
 * Pixels in [0, 1]: two in a byte, the first in its upper half.
 * @param {string} stored
 */
export const pixels = (stored) =>
  Array.from(bytes(stored)).flatMap((byte) => [(byte >> 4) / GREYS, (byte & 15) / GREYS]);

/**
 * Images of SIDE x SIDE pixels as one of COLUMNS images a row: what lies row by row is laid side by side.
 * @param {number[]} images
 */
export function mosaic(images) {
  const count = images.length / SIDE ** 2,
    width = COLUMNS * SIDE,
    found = new Float64Array(images.length);
  for (let image = 0; image < count; image++) {
    const corner = Math.floor(image / COLUMNS) * SIDE * width +
      (image % COLUMNS) * SIDE;
    for (let i = 0; i < SIDE ** 2; i++) {
      found[corner + Math.floor(i / SIDE) * width + (i % SIDE)] = images[image * SIDE ** 2 + i];
    }
  }
  return found;
}

/** @typedef {{ column: string, words: string, mark: string }} Line */
/** @typedef {{ from: number, to: number, ticks: number[], log?: boolean, lines: Line[] }} Panel */

/** @type {Record<string, { panels: Panel[], said: (now: Record<string, number>, words: string) => string }>} */
const LABS = {
  "06.latent": {
    panels: [
      {
        from: -32,
        to: -16,
        ticks: [-32, -24, -16],
        lines: [{ column: "reconstruction", words: "E log p(x|z), nats", mark: "live-iwae" }],
      },
      {
        from: 0.02,
        to: 200,
        ticks: [0.1, 1, 10, 100],
        log: true,
        lines: [
          { column: "rate", words: "rate, nats", mark: "live-elbo live-thick" },
          { column: "information", words: "information", mark: "live-ciwae" },
        ],
      },
      {
        from: 1e-4,
        to: 1,
        ticks: [1e-4, 0.01, 1],
        log: true,
        lines: [{ column: "mmd", words: "MMD² to the prior", mark: "live-q" }],
      },
    ],
    said: ({ step, reconstruction, rate, mmd, information }, words) =>
      `Step ${step}: E log p(x|z) = ${fixed(reconstruction, 2)} nats, rate ${fixed(rate, 2)}, of which ` +
      `${fixed(information, 2)} tell which image it was; MMD² ${fixed(mmd, 4)}. The loss is ${words}.`,
  },
  "08.cockpit": {
    panels: [
      {
        from: -29,
        to: -22,
        ticks: [-28, -25, -22],
        lines: [
          { column: "log_p", words: "held-out log p(x)", mark: "live-iwae" },
          { column: "bound", words: "bound", mark: "live-elbo" },
        ],
      },
      {
        from: 0.05,
        to: 20,
        ticks: [0.1, 1, 10],
        log: true,
        lines: [
          { column: "decoder", words: "gradient SNR: decoder", mark: "live-ciwae" },
          { column: "encoder", words: "encoder", mark: "live-q live-thick" },
        ],
      },
    ],
    said: ({ step, bound, log_p, rate, encoder, decoder }, words) =>
      `Step ${step}, ${words}: ${words.startsWith("infovae") ? "ELBO" : "bound"} ${fixed(bound, 2)} nats, log p(x) ` +
      `${fixed(log_p, 2)}, rate ${fixed(rate, 2)}; signal-to-noise ${fixed(encoder, 2)} in the encoder, ` +
      `${fixed(decoder, 2)} in the decoder.`,
  },
};

/**
 * The lab `name` with its recorded runs.
 * @param {string} name
 * @param {Recording} recording
 * @returns {{ experiment: Experiment<any, any>, facts: Recording }}
 */
export function replayOf(name, recording) {
  const { panels, said } = LABS[name];

  /** @param {{ run: string, step: number }} settings */
  function compute({ run: wanted, step }) {
    const run = recording.runs.find((one) => one.name === wanted) ??
      recording.runs[0];
    const frame = run.frames[step / recording.between];
    const history = run.history.filter(([at]) => at <= step),
      turns = run.turns.filter((turn) => turn.step <= step);
    const latest = history[history.length - 1];
    return {
      run,
      step,
      history,
      turns,
      reach: frame.reach,
      z: codes(frame.z),
      latest: Object.fromEntries([
        ["step", step],
        ...recording.columns.map((column, i) => [column, latest[1 + i]]),
      ]),
      turn: turns.filter((turn) => turn.step < step || turn.step === 0).at(-1) ??
        run.turns[0],
      samples: frame.samples && mosaic(pixels(frame.samples)),
      rebuilt: frame.rebuilt &&
        mosaic([...pixels(recording.originals ?? ""), ...pixels(frame.rebuilt)]),
    };
  }

  /** @typedef {ReturnType<typeof compute>} Data */

  /** @param {Data} data */
  const sentence = ({ latest, turn }) => `${turn.preset}. ${said(latest, turn.words)}`;

  /** @param {Data} data */
  const numbers = ({ latest }) => latest;

  /**
   * @param {HTMLElement} figure
   * @param {(settings: Given) => void} set
   */
  function build(figure, set) {
    figure.classList.add("live-replay");
    const plane = new Axes(figure, {
      width: 360,
      height: 388,
      x: {
        from: -1,
        to: 1,
        label: "codes z; circles: 1, 2, 3 sd of the prior",
      },
      y: { from: -1, to: 1 },
      key: {},
    });
    const circles = [1, 2, 3].map(() => plane.mark("live-prior live-thin"));
    const letters = Array.from(
      recording.labels,
      (digit) => plane.letter(digit, `live-digit live-digit-${digit}`),
    );
    const charts = panels.map((panel) => chartOf(figure, panel, recording.steps));
    const pictures = recording.originals ? part(figure, "div", "live-pictures") : null;
    const last = { step: 0 };
    const player = new Player(figure, recording, () => last.step, (step) => set({ step }));
    return {
      plane,
      circles,
      letters,
      charts,
      player,
      last,
      samples: pictures &&
        picture(pictures, SIDE * COLUMNS, "Samples", SIDE * 2),
      rebuilt: pictures &&
        picture(pictures, SIDE * COLUMNS, "Digits, rebuilt", SIDE * 2),
    };
  }

  /**
   * @param {ReturnType<typeof build>} marks
   * @param {Data} data
   */
  function update({ plane, circles, letters, charts, player, last, samples, rebuilt }, data) {
    last.step = data.step;
    circles.forEach((mark, i) => {
      const radius = (i + 1) / data.reach;
      plane.line(mark, ANGLES.map((a) => radius * Math.cos(a)), ANGLES.map((a) => radius * Math.sin(a)));
    });
    letters.forEach((letter, i) => letter.to(data.z[2 * i], data.z[2 * i + 1]));
    for (const { axes, marks, turns, panel } of charts) {
      const at = data.history.map(([step]) => step);
      marks.forEach((mark, i) => {
        const column = 1 + recording.columns.indexOf(panel.lines[i].column);
        axes.line(mark, at, data.history.map((row) => Math.min(Math.max(row[column], panel.from), panel.to)));
      });
      axes.strokes(turns, data.turns.slice(1).map(({ step }) => [[step, panel.from], [step, panel.to]]));
    }
    if (samples && data.samples) {
      samples(data.samples, "Samples of the model, in two rows of six");
    }
    if (rebuilt && data.rebuilt) {
      rebuilt(data.rebuilt, "Six digits, and under them what the model makes of their codes");
    }
    player.show(data.step, data.turn.preset);
  }

  return { experiment: { compute, numbers, build, update, sentence }, facts: recording };
}

/**
 * @param {HTMLElement} figure
 * @param {Panel} panel
 * @param {number} end
 */
function chartOf(figure, panel, end) {
  const axes = new Axes(figure, {
    height: 150,
    x: { from: 0, to: end, ticks: [0, end / 2, end], label: "steps" },
    y: { ...panel, name: power },
    key: Object.fromEntries(panel.lines.map(({ words, mark }) => [words, mark])),
  });
  return {
    axes,
    panel,
    turns: axes.mark("live-prior live-thin"),
    marks: panel.lines.map(({ mark }) => axes.mark(mark)),
  };
}

/**
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Element} parent
 * @param {Tag} tag
 * @param {string} className
 */
function part(parent, tag, className) {
  return parent.appendChild(Object.assign(document.createElement(tag), { className }));
}
