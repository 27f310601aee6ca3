// As much of a browser's document as the widgets, the live labs and the slides touch. Its elements lie below each
// other: an element is as high as its `size`, or as all that is in it.

class Element {
  constructor(tag) {
    this.tagName = tag.toUpperCase();
    Object.assign(this, { parentNode: null, dataset: {}, style: {}, attributes: {}, listeners: {}, textContent: "" });
    this.classList = new Set();
    this.classList.contains = this.classList.has;
    const add = this.classList.add.bind(this.classList);
    this.classList.add = (...names) => names.forEach(add);
    this.children = [];
    this.html = "";
  }

  set className(names) {
    this.classList.clear();
    this.classList.add(...names.split(" "));
  }
  set innerHTML(html) {
    this.html = html;
  }
  get innerHTML() {
    return this.html;
  }
  get valueAsNumber() {
    return Number(this.value);
  }
  setAttribute(name, value) {
    this.attributes[name] = value;
  }
  getAttribute(name) {
    return this.attributes[name];
  }
  addEventListener(type, listener) {
    (this.listeners[type] ??= []).push(listener);
  }
  // What a reader does.
  fire(type, event = {}) {
    this[`on${type}`]?.(event);
    for (const listener of this.listeners[type] ?? []) listener(event);
  }

  append(...nodes) {
    for (const node of nodes) {
      if (!(node instanceof Element)) continue;
      node.remove();
      node.parentNode = this;
      this.children.push(node);
    }
  }
  appendChild(node) {
    this.append(node);
    return node;
  }
  remove() {
    if (this.parentNode) this.parentNode.children = this.parentNode.children.filter((child) => child !== this);
    this.parentNode = null;
  }
  cloneNode(deep) {
    const copy = new Element(this.tagName);
    Object.assign(copy, { dataset: { ...this.dataset }, style: { ...this.style }, html: this.html, start: this.start });
    copy.classList.add(...this.classList);
    if (deep) copy.size = this.size;
    if (deep) copy.append(...this.children.map((child) => child.cloneNode(true)));
    return copy;
  }

  get firstElementChild() {
    return this.children[0] ?? null;
  }
  get lastElementChild() {
    return this.children.at(-1) ?? null;
  }
  get previousElementSibling() {
    return this.parentNode.children[this.parentNode.children.indexOf(this) - 1] ?? null;
  }
  matches(selector) {
    return selector.split(/, */).some((one) =>
      one.startsWith(".") ? this.classList.has(one.slice(1)) : one.toUpperCase() === this.tagName
    );
  }
  querySelectorAll(selector) {
    return this.children.flatMap((child) => [
      ...(child.matches(selector.replace(":scope > ", "")) ? [child] : []),
      ...child.querySelectorAll(selector),
    ]);
  }
  querySelector(selector) {
    return this.querySelectorAll(selector)[0] ?? null;
  }

  get rows() {
    return this.children;
  }
  get tBodies() {
    return this.children.filter((child) => child.tagName === "TBODY");
  }
  get tHead() {
    return this.children.find((child) => child.tagName === "THEAD") ?? null;
  }
  createTBody() {
    return this.appendChild(new Element("tbody"));
  }

  get clientWidth() {
    return 1280;
  }
  get extent() {
    const inside = this.children.reduce((sum, child) => sum + child.extent, 0);
    return (this.size ?? inside) * (this.style.zoom ?? 1);
  }
  get top() {
    if (!this.parentNode || this.parentNode.tagName === "DIV") return 0;
    const before = this.parentNode.children.slice(0, this.parentNode.children.indexOf(this));
    return this.parentNode.top + before.reduce((sum, child) => sum + child.extent, 0);
  }
  getBoundingClientRect() {
    const { top, extent: height, width = 0 } = this;
    return { top, height, bottom: top + height, width };
  }
}

// An element with what is in it, for example element("ul", { size: 40 }, element("li")).
export function element(tag, properties = {}, ...children) {
  const made = Object.assign(new Element(tag), properties);
  made.append(...children);
  return made;
}

export const PADDING = 20;

export function install() {
  globalThis.document = {
    createElement: (tag) => new Element(tag),
    createElementNS: (_, tag) => new Element(tag),
  };
  const padding = `${PADDING}px`;
  globalThis.getComputedStyle = () => ({ paddingBottom: padding, paddingLeft: padding, paddingRight: padding });
}
