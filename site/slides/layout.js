// Lays the units of a section (headings, paragraphs, pictures, code) out on slides: what does not fit goes on to a
// further slide with the same heading, and a single thing that is larger than a slide is made smaller.

import { formulaPercent, fragments, HEIGHT, isLong, pictureShare, zoom } from "./fit.js";

/**
 * The slides of a section; `above` is the last heading before it, and `measure` where a slide has its size.
 * @param {HTMLElement} section
 * @param {HTMLElement} measure
 * @param {string} above
 */
export function layOut(section, measure, above) {
  const layout = new Layout(section, measure, above);
  for (let unit; (unit = layout.waiting.shift());) layout.place(unit);
  const notes = section.querySelector("aside");
  const pages = layout.pages.filter((page) => units(page).length);
  for (const page of pages) {
    inSteps(page);
    if (notes) page.append(notes.cloneNode(true));
  }
  return pages;
}

/** The pages that are filled so far, and the units that wait for a place. */
class Layout {
  /**
   * @param {HTMLElement} section
   * @param {HTMLElement} measure
   * @param {string} above
   */
  constructor(section, measure, above) {
    this.measure = measure;
    this.running = section.querySelector("h1, h2, h3")?.innerHTML || above;
    this.waiting = children(section).filter((child) => child.tagName !== "ASIDE");
    this.cuts = 0;
    /** @type {HTMLElement[]} */
    this.pages = [];
    this.turnOver(isTitle(section.firstElementChild) ? "" : this.running);
  }

  /**
   * Begin a page; `running` is the heading that is repeated on it.
   * @param {string} running
   */
  turnOver(running) {
    const page = document.createElement("section");
    if (running) {
      const line = document.createElement("p");
      line.className = "running";
      line.innerHTML = running;
      page.append(line);
    }
    this.measure.append(page);
    this.pages.push(page);
  }

  /**
   * Put a unit on the last page if it fits there; if not, what is to be done comes back into `waiting`.
   * @param {HTMLElement} unit
   */
  place(unit) {
    const page = this.pages[this.pages.length - 1];
    page.append(unit);
    fitFormulas(unit, page);
    const alone = units(page).length === 1;
    join(page);
    if (!overflows(page)) return;
    if (unit.parentNode !== page) this.takeLastOff(/** @type {HTMLElement} */ (page.lastElementChild));
    else if (!unit.dataset.piece && isInPieces(unit) && (alone || isLong(height(unit)))) this.cut(unit);
    else if (alone) shrink(unit, page);
    else this.carryOver(unit, page);
  }

  /**
   * The piece that was joined to this list or table was one too many: it goes overleaf.
   * @param {HTMLElement} whole
   */
  takeLastOff(whole) {
    const last = items(whole).length - 1;
    const rest = copyWith(whole, items(whole)[last], last);
    this.turnOver(this.running);
    this.waiting.unshift(rest);
  }

  /**
   * A list or a table may go on overleaf: item by item, row by row.
   * @param {HTMLElement} unit
   */
  cut(unit) {
    this.cuts += 1;
    unit.remove();
    const pieces = items(unit).map((item, place) => copyWith(unit, item, place));
    for (const piece of pieces) piece.dataset.piece = String(this.cuts);
    this.waiting.unshift(...pieces);
  }

  /**
   * Move a unit to the next page, and with it the headings right above it.
   * @param {HTMLElement} unit
   * @param {HTMLElement} page
   */
  carryOver(unit, page) {
    const moved = [unit];
    unit.remove();
    for (let last; isHeading(last = page.lastElementChild);) {
      last.remove();
      moved.unshift(last);
    }
    if (page.children.length) {
      this.turnOver(isHeading(moved[0]) ? "" : this.running);
      this.waiting.unshift(...moved);
    } else { // nothing before the heading: what it heads is too large for one slide
      page.append(...moved);
      shrink(unit, page);
    }
  }
}

// What is on a page ---------------------------------------------------------------------------------------------------

const children = (/** @type {Element} */ node) => /** @type {HTMLElement[]} */ ([...node.children]);
const units = (/** @type {Element} */ page) => children(page).filter((child) => !child.classList.contains("running"));
const isTitle = (/** @type {Element | null} */ node) => /^H[1-3]$/.test(node?.tagName ?? "");

/**
 * @param {Element | null} node
 * @returns {node is HTMLElement}
 */
const isHeading = (node) => /^H[1-6]$/.test(node?.tagName ?? "");

/**
 * What comes in later steps than the first thing on a page.
 * @param {HTMLElement} page
 */
function inSteps(page) {
  const shown = units(page), steps = fragments(shown.map((unit) => unit.dataset.step));
  shown.forEach((unit, i) => {
    if (!steps[i]) return;
    unit.classList.add("fragment");
    unit.dataset.fragmentIndex = steps[i];
  });
}

// Lists and tables ----------------------------------------------------------------------------------------------------

/**
 * The items of a list, or the rows of a table.
 * @param {HTMLElement} unit
 */
function items(unit) {
  if (unit.tagName !== "TABLE") return children(unit);
  return [.../** @type {HTMLTableElement} */ (unit).tBodies].slice(0, 1).flatMap((body) => [...body.rows]);
}

const isInPieces = (/** @type {HTMLElement} */ unit) => /^(UL|OL|TABLE)$/.test(unit.tagName) && items(unit).length > 1;

/**
 * A list or a table like this one, with one of its items, which is taken out of it, under the same head or number.
 * @param {HTMLElement} unit
 * @param {HTMLElement} item
 * @param {number} place
 */
function copyWith(unit, item, place) {
  const copy = /** @type {HTMLElement} */ (unit.cloneNode(false));
  if (unit.tagName === "TABLE") {
    const head = /** @type {HTMLTableElement} */ (unit).tHead;
    if (head) copy.append(head.cloneNode(true));
    /** @type {HTMLTableElement} */ (copy).createTBody().append(item);
    return copy;
  }
  if (unit.tagName === "OL") {
    const list = /** @type {HTMLOListElement} */ (unit);
    /** @type {HTMLOListElement} */ (copy).start = (list.start || 1) + place;
  }
  copy.append(item);
  return copy;
}

/**
 * Neighbouring pieces of the same list or table on one page become one again.
 * @param {HTMLElement} page
 */
function join(page) {
  for (const unit of children(page)) {
    const before = /** @type {HTMLElement | null} */ (unit.previousElementSibling);
    if (before && unit.dataset.piece && before.dataset.piece === unit.dataset.piece) {
      const into = unit.tagName === "TABLE" ? /** @type {HTMLTableElement} */ (before).tBodies[0] : before;
      into.append(...items(unit));
      unit.remove();
    }
  }
}

// Sizes ---------------------------------------------------------------------------------------------------------------

const height = (/** @type {Element} */ node) => node.getBoundingClientRect().height;

/**
 * How far below the page's upper edge nothing may reach.
 * @param {Element} page
 */
const floor = (page) => HEIGHT - parseFloat(getComputedStyle(page).paddingBottom);

/** @param {HTMLElement} page */
function overflows(page) {
  const top = page.getBoundingClientRect().top, lowest = floor(page);
  return children(page).some((child) => child.getBoundingClientRect().bottom - top > lowest);
}

/**
 * A formula that is wider than the slide is drawn smaller.
 * @param {HTMLElement} unit
 * @param {HTMLElement} page
 */
function fitFormulas(unit, page) {
  const { paddingLeft, paddingRight } = getComputedStyle(page);
  const room = page.clientWidth - parseFloat(paddingLeft) - parseFloat(paddingRight);
  for (const formula of /** @type {NodeListOf<HTMLElement>} */ (unit.querySelectorAll("mjx-container"))) {
    const width = formula.querySelector("svg")?.getBoundingClientRect().width ?? 0;
    if (width > room) formula.style.fontSize = `${formulaPercent(width, room)}%`;
  }
}

/**
 * Make the last thing on a page so small that it fits: of a figure the picture, and not its caption.
 * @param {HTMLElement} unit
 * @param {HTMLElement} page
 */
function shrink(unit, page) {
  const room = floor(page) - (unit.getBoundingClientRect().top - page.getBoundingClientRect().top);
  const picture = unit.matches("figure") ? unit.querySelector("img") : null;
  if (picture) {
    const box = picture.getBoundingClientRect(), share = pictureShare(box.height, height(unit), room);
    picture.style.width = `${Math.floor(box.width * share)}px`;
    unit.dataset.shrunk = String(share);
  } else {
    unit.style.zoom = unit.dataset.shrunk = String(zoom(height(unit), room));
  }
}
