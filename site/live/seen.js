// What lies beside a page and comes only when it is looked at. From disk a browser loads nothing but scripts, so a file
// of data is one: it hands itself over under its name.

const AHEAD = "600px";

/** @type {typeof globalThis & { vaecourseData?: Record<string, unknown> }} */
const here = globalThis;

/**
 * Waits until the element is nearly in sight.
 * @param {HTMLElement} root
 * @returns {Promise<void>}
 */
export function seen(root) {
  return new Promise((go) => {
    const watch = new IntersectionObserver((entries) => {
      if (!entries.some((entry) => entry.isIntersecting)) return;
      watch.disconnect();
      go();
    }, { rootMargin: AHEAD });
    watch.observe(root);
  });
}

/**
 * The data called `name`, from the script `source`.
 * @param {string} name
 * @param {string} source
 * @returns {Promise<any>}
 */
export async function data(name, source) {
  if (!here.vaecourseData?.[name]) {
    const script = Object.assign(document.createElement("script"), { src: source });
    await new Promise((go, fail) => {
      script.onload = go;
      script.onerror = () => fail(new Error(`${source} is not there`));
      document.head.append(script);
    });
  }
  return here.vaecourseData?.[name];
}
