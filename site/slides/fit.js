// What fits on a slide, in numbers: its pixels, percent and steps.

export const WIDTH = 1280;
export const HEIGHT = 720;

/**
 * The letters of a formula that is wider than its room, in percent; a little is left free.
 * @param {number} width
 * @param {number} room
 */
export const formulaPercent = (width, room) => Math.floor((97 * room) / width);

/**
 * How much smaller a thing is drawn that is higher than its room.
 * @param {number} height
 * @param {number} room
 */
export const zoom = (height, room) => Math.floor(Math.min(room / height, 1) * 98) / 100;

/**
 * The share of its height that a picture keeps where it and its caption together are higher than their room.
 * @param {number} picture
 * @param {number} both
 * @param {number} room
 */
export const pictureShare = (picture, both, room) => (picture - (both - room) - 2) / picture;

/**
 * Whether a list or a table is rather cut in pieces than moved as a whole.
 * @param {number} height
 */
export const isLong = (height) => height > 0.6 * HEIGHT;

/**
 * The step at which each thing of a page appears: what comes with the first one is there at once.
 * @param {(string | undefined)[]} steps
 * @returns {(string | undefined)[]}
 */
export const fragments = (steps) => steps.map((step) => step && step !== steps[0] ? step : undefined);
