// A lab's setting in the page's address, so that it can be sent to somebody: #lab=03.iwae&K=64&width=0.4. What is not
// named there is as it was, and what a control cannot be is passed over.

/** @import { Settings, Traits } from "./lab.d.ts" */

const LARGEST_SEED = 2 ** 32 - 1;

/**
 * The settings that an address gives to this lab, or undefined if it names another one or none.
 * @param {string} hash
 * @param {string} lab
 * @param {Traits[]} controls
 * @returns {Settings | undefined}
 */
export function settingsIn(hash, lab, controls) {
  const told = new URLSearchParams(hash.replace(/^#/, ""));
  if (told.get("lab") !== lab) return undefined;
  /** @type {Settings} */
  const found = {};
  for (const traits of controls) {
    const value = understood(traits, told.get(traits.name));
    if (value !== undefined) found[traits.name] = value;
  }
  return found;
}

/**
 * The address of a lab's settings.
 * @param {string} lab
 * @param {Settings} settings
 */
export function addressOf(lab, settings) {
  const told = Object.entries(settings).map(([name, value]) => [name, String(value)]);
  return `#${new URLSearchParams([["lab", lab], ...told])}`;
}

/**
 * What the text means to a control, or undefined.
 * @param {Traits} control
 * @param {string | null} text
 */
function understood({ kind, min, max, whole, options }, text) {
  if (text === null || text.trim() === "") return undefined;
  if (kind === "choice") return options.includes(text) ? text : undefined;
  if (kind === "switch") return { true: true, false: false }[text];
  const value = Number(text), [low, high] = kind === "seed" ? [0, LARGEST_SEED] : [min, max];
  const fits = value >= low && value <= high && (Number.isInteger(value) || !(whole || kind === "seed"));
  return fits ? value : undefined;
}
