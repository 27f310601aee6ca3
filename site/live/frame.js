// A live lab on a page: what vaecourse/labs/frame.py is in JupyterLab, with the package's own controls. An experiment:
//   compute(settings, facts) -> data;  build(figure) -> marks;  update(marks, data);  sentence(data);  numbers(data).

import control from "../../vaecourse/labs/js/control.js";
import { addressOf, settingsIn } from "./address.js";

/** @import { Experiment, Given, Mounted, Settings, Traits } from "./lab.d.ts" */

/**
 * @template Data, Marks
 * @param {HTMLElement} root
 * @param {Experiment<Data, Marks>} experiment
 * @param {Given} given
 * @returns {Mounted}
 */
export function mount(root, experiment, { title, controls, presets, facts }) {
  /**
   * @template {keyof HTMLElementTagNameMap} Tag
   * @param {Element} parent
   * @param {Tag} tag
   */
  const add = (parent, tag, properties = {}) =>
    parent.appendChild(Object.assign(document.createElement(tag), properties));
  const models = Object.fromEntries(controls.map((traits) => [traits.name, model({ ...traits }, ask)]));
  const defaults = Object.fromEntries(controls.map(({ name, value }) => [name, value]));
  const name = root.dataset.lab; // a lab without one has no address
  let due = 0;

  root.classList.add("vaecourse-lab");
  add(root, "p", { className: "live-title", textContent: title });
  const figure = add(root, "div", { className: "live-figure" });
  figure.setAttribute("role", "img");
  const output = add(root, "output", { className: "vaecourse-sentence" });
  output.setAttribute("aria-live", "polite");
  const handles = add(root, "div", { className: "live-handles" });
  const buttons = add(root, "div", { className: "vaecourse-row" });
  for (const [name, change] of Object.entries(presets)) button(name, () => set({ ...defaults, ...change }));
  for (const { name, kind } of controls) {
    if (kind === "own") continue; // it is moved in the picture
    control.render({ model: models[name], el: add(kind === "seed" ? buttons : handles, "div") });
  }
  button("Reset", () => set(defaults)).classList.add("vaecourse-reset");
  const marks = experiment.build(figure, set, facts);
  for (const panel of figure.children) panel.setAttribute("aria-hidden", "true");
  root.append(...root.querySelectorAll(":scope > details")); // what one sees comes last

  /**
   * @param {string} textContent
   * @param {() => void} onclick
   */
  function button(textContent, onclick) {
    return add(buttons, "button", { type: "button", className: "vaecourse-button", textContent, onclick });
  }

  // However often a control moves between two frames, the last place is drawn, and told in the address.
  function ask() {
    due ||= requestAnimationFrame(() => {
      flush();
      if (name) history.replaceState(history.state, "", addressOf(name, settingsNow()));
    });
  }

  // Whoever comes with a setting in the address finds the lab there, and in sight.
  function follow() {
    const asked = name && settingsIn(location.hash, name, controls);
    if (!asked) return;
    for (const [control, value] of Object.entries({ ...defaults, ...asked })) models[control].set("value", value);
    flush();
    root.scrollIntoView({ block: "center" });
  }

  const settingsNow = () => Object.fromEntries(controls.map(({ name }) => [name, models[name].get("value")]));

  /** @param {Settings} settings */
  function set(settings) {
    for (const [name, value] of Object.entries(settings)) models[name].set("value", value);
    ask();
  }

  function flush() {
    cancelAnimationFrame(due);
    due = 0;
    const settings = settingsNow();
    const data = experiment.compute(settings, facts);
    experiment.update(marks, data);
    output.textContent = experiment.sentence(data);
    figure.setAttribute("aria-label", `${title}. ${output.textContent}`);
    root.dataset.settings = JSON.stringify(settings);
    root.dataset.numbers = JSON.stringify(
      experiment.numbers(data),
      (_, number) => (number === Infinity ? "inf" : number),
    );
    return data;
  }

  flush();
  follow();
  if (name) addEventListener("hashchange", follow);
  return { set, flush };
}

/**
 * What control.js needs of a widget's model.
 * @param {Traits} traits
 * @param {() => void} changed
 * @returns {import("../../vaecourse/labs/js/widget.d.ts").Model}
 */
function model(traits, changed) {
  /** @type {[string, () => void][]} */
  const listeners = [];
  return {
    get: (/** @type {string} */ name) => traits[name],
    set(name, value) {
      traits[name] = value;
      for (const [names, tell] of listeners) if (names.split(" ").includes(`change:${name}`)) tell();
    },
    save_changes: changed,
    send() {},
    on: (names, listener) => listeners.push([names, listener]),
    off() {},
  };
}

/**
 * Python's format(value, ".{digits}g"), with "+" if asked for.
 * @param {number} value
 * @param {number} digits
 */
export function general(value, digits, sign = false) {
  const [mantissa, exponent] = value.toExponential(digits - 1).split("e");
  const small = Number(exponent) < -4 || Number(exponent) >= digits;
  let text = small ? mantissa : value.toPrecision(digits);
  if (text.includes(".")) text = text.replace(/\.?0+$/, "");
  if (small) text += `e${exponent.replace(/\d+/, (power) => power.padStart(2, "0"))}`;
  return sign && !text.startsWith("-") ? `+${text}` : text;
}

/**
 * Python's format(value, ".{digits}f"), but no zero has a minus.
 * @param {number} value
 * @param {number} digits
 */
export const fixed = (value, digits) => value.toFixed(digits).replace(/^-(0\.?0*)$/, "$1");

/**
 * A sentence with typographic minus signs, and none before a zero.
 * @param {string} text
 */
export const withMinus = (text) => text.replace(/-(0\.0+)(?!\d)/g, "$1").replace(/(?<![a-z])-(?=[\d∞])/g, "−");

/**
 * log p(x) - value in nats, and what rounding leaves of a 0 is 0.
 * @param {number} value
 * @param {number} logP
 */
export const gapTo = (value, logP) => (Math.abs(logP - value) < 1e-9 ? 0 : logP - value);

/**
 * Python's format(share, ".0%"): of two that are as near, the even one.
 * @param {number} share
 */
export function percent(share) {
  const whole = Math.round(100 * share);
  return `${whole - (100 * share === whole - 0.5 && whole % 2 ? 1 : 0)}%`;
}
