// Lays the chapter's cells out on slides of 1280 x 720: what does not fit goes on to a further slide with the same heading,
// and a single thing that is larger than a slide is made smaller. Then reveal.js shows them.

const HEIGHT = 720;

function overflows(page) {
  const bottom = HEIGHT - parseFloat(getComputedStyle(page).paddingBottom);
  const top = page.getBoundingClientRect().top;
  return [...page.children].some((child) => child.tagName !== "ASIDE" && child.getBoundingClientRect().bottom - top > bottom);
}

function newPage(measure, running) {
  const page = document.createElement("section");
  if (running) {
    const line = document.createElement("p");
    line.className = "running";
    line.innerHTML = running;
    page.append(line);
  }
  measure.append(page);
  return page;
}

// A formula that is wider than the slide is drawn smaller.
function fitFormulas(unit, page) {
  const room = page.clientWidth - parseFloat(getComputedStyle(page).paddingLeft) - parseFloat(getComputedStyle(page).paddingRight);
  for (const formula of unit.querySelectorAll("mjx-container")) {
    const width = formula.querySelector("svg").getBoundingClientRect().width;
    if (width > room) formula.style.fontSize = `${Math.floor((97 * room) / width)}%`;
  }
}

// A list or a table that is longer than what is left may go on overleaf: item by item, row by row.
function pieces(unit) {
  if (/^(UL|OL)$/.test(unit.tagName) && unit.children.length > 1) {
    return [...unit.children].map((item, i) => {
      const list = unit.cloneNode(false);
      if (unit.tagName === "OL") list.start = (unit.start || 1) + i;
      list.append(item);
      return list;
    });
  }
  if (unit.tagName === "TABLE" && unit.tBodies[0]?.rows.length > 1) {
    return [...unit.tBodies[0].rows].map((row) => {
      const table = unit.cloneNode(false);
      if (unit.tHead) table.append(unit.tHead.cloneNode(true));
      table.createTBody().append(row);
      return table;
    });
  }
  return null;
}

// Neighbouring pieces of the same list or table on one page become one again.
function join(page) {
  for (const unit of [...page.children]) {
    const before = unit.previousElementSibling;
    if (unit.dataset.piece && before?.dataset.piece === unit.dataset.piece) {
      if (unit.tagName === "TABLE") before.tBodies[0].append(...unit.tBodies[0].rows);
      else before.append(...unit.children);
      unit.remove();
    }
  }
}

// The height that is left for the last thing on a page.
function roomFor(unit, page) {
  return HEIGHT - parseFloat(getComputedStyle(page).paddingBottom) - (unit.getBoundingClientRect().top - page.getBoundingClientRect().top);
}

function shrink(unit, page) {
  const picture = unit.matches("figure") && unit.querySelector("img");
  const height = unit.getBoundingClientRect().height, room = roomFor(unit, page);
  if (picture) {
    const box = picture.getBoundingClientRect();
    const size = (box.height - (height - room) - 2) / box.height;
    picture.style.width = `${Math.floor(box.width * size)}px`;
    unit.dataset.shrunk = size;
  } else {
    unit.style.zoom = Math.floor(Math.min(room / height, 1) * 98) / 100;
    unit.dataset.shrunk = unit.style.zoom;
  }
}

let piece = 0;

function layOut(section, measure, above) {
  const heading = section.querySelector("h1, h2, h3");
  const running = heading?.innerHTML || above;
  const notes = section.querySelector("aside");
  const begins = /^H[1-3]$/.test(section.firstElementChild?.tagName);
  const pages = [newPage(measure, begins ? "" : running)];
  const waiting = [...section.children].filter((child) => child.tagName !== "ASIDE");
  while (waiting.length) {
    const unit = waiting.shift();
    let page = pages.at(-1);
    page.append(unit);
    fitFormulas(unit, page);
    const alone = page.children.length - page.querySelectorAll(".running").length === 1;
    join(page);
    if (!overflows(page)) continue;
    if (unit.parentNode !== page) { // the joined piece was one too many: take it off again
      const whole = page.lastElementChild;
      const last = whole.tagName === "TABLE" ? [...whole.tBodies[0].rows].at(-1) : whole.lastElementChild;
      if ((whole.tagName === "TABLE" ? whole.tBodies[0].rows : whole.children).length > 1) {
        const rest = whole.cloneNode(false);
        if (whole.tagName === "TABLE") {
          if (whole.tHead) rest.append(whole.tHead.cloneNode(true));
          rest.createTBody().append(last);
        } else {
          if (whole.tagName === "OL") rest.start = (whole.start || 1) + whole.children.length - 1;
          rest.append(last);
        }
        pages.push(newPage(measure, running));
        waiting.unshift(rest);
        continue;
      }
    }
    const long = alone || unit.getBoundingClientRect().height > 0.6 * HEIGHT;
    const parts = long && !unit.dataset.piece ? pieces(unit) : null; // takes the items out of the unit
    if (parts) {
      unit.remove();
      piece += 1;
      for (const part of parts) part.dataset.piece = piece;
      waiting.unshift(...parts);
    } else if (alone) {
      shrink(unit, page);
    } else {
      unit.remove();
      const moved = [unit];
      while (page.lastElementChild && /^H[1-6]$/.test(page.lastElementChild.tagName)) { // a heading goes with what it heads
        const head = page.lastElementChild;
        head.remove();
        moved.unshift(head);
      }
      if (page.children.length) pages.push(newPage(measure, /^H[1-6]$/.test(moved[0].tagName) ? "" : running));
      if (moved.length > 1 && !page.children.length) { // nothing before the heading: what it heads is too large for one slide
        page.append(...moved);
        shrink(unit, page);
      } else waiting.unshift(...moved);
    }
  }
  for (const page of pages) {
    const first = [...page.children].find((child) => !child.classList.contains("running"));
    const step = first?.dataset.step;
    for (const child of page.children) { // what comes with the first thing on a page is there at once
      if (child.dataset.step && child.dataset.step !== step) {
        child.classList.add("fragment");
        child.dataset.fragmentIndex = child.dataset.step;
      }
    }
    if (notes) page.append(notes.cloneNode(true));
  }
  return pages.filter((page) => [...page.children].some((child) => child.tagName !== "ASIDE" && !child.classList.contains("running")));
}

async function show() {
  await MathJax.startup.promise;
  await Promise.all([...document.images].map((image) => image.decode().catch(() => {})));
  await document.fonts.ready;
  const measure = document.createElement("div");
  measure.className = "measure reveal slides";
  document.body.append(measure);
  for (const stack of document.querySelectorAll("#source > section")) {
    const target = document.createElement("section");
    let above = "";
    for (const section of [...stack.children]) {
      const headings = [...section.querySelectorAll("h1, h2, h3")].map((heading) => heading.innerHTML);
      target.append(...layOut(section, measure, above));
      above = headings.at(-1) || above;
    }
    document.querySelector("#deck").append(target);
  }
  measure.remove();
  document.querySelector("#source").remove();
  await Reveal.initialize({
    width: 1280, height: 720, margin: 0, center: false, hash: true, slideNumber: "c/t", navigationMode: "linear",
    transition: "none", backgroundTransition: "none", plugins: [RevealNotes],
  });
  document.body.dataset.ready = "yes";
}

show();
