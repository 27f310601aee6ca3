"""What axe-core, Deque's checker, says about a page or a part of it, and what a reader without eyes or mouse needs."""

import json

from tools import vendor

# What axe would find and we cannot reach: {rule: (selector, why)}. Everything that was found could be mended.
NOT_OURS: dict[str, tuple[str, str]] = {}

# axe looks at every node, and a chapter has 20 000: of the spans of code, and of the strokes of formulas, which are all
# alike, the first of each kind stand for the rest. What is folded is opened, or axe would not see it.
READY = """() => {
    document.querySelectorAll("details").forEach((fold) => (fold.open = true));
    document.querySelectorAll("mjx-container > *").forEach((strokes) => strokes.replaceChildren());
    const merge = (spans, seen) => spans.forEach((span) => {
        const kind = span.parentElement.className + span.className;
        if (seen.has(kind)) span.replaceWith(span.textContent);
        seen.add(kind);
    });
    for (const code of document.querySelectorAll("pre")) merge(code.querySelectorAll("span:not(:has(*))"), new Set());
    const seen = new Set(), spans = () => document.querySelectorAll("dt.sig :is(span, em):not(:has(*))");
    for (let left = Infinity; spans().length < left;) {  // one within the other
        left = spans().length;
        merge(spans(), seen);
    }
    document.head.insertAdjacentHTML("beforeend", "<style>* { transition: none !important }</style>");
}"""

# Of what is left, contrast depends on an element's letters and on what is painted behind it. Of those that are alike in
# all that, by their computed styles, and of one kind, the first three stay and the rest is taken out.
ALIKE = """() => {
    const behind = new Map([[null, ""]]), told = new Map(), kept = new Set();
    const paint = (node, part) => {
        const { backgroundColor, backgroundImage, opacity, filter, mixBlendMode } = getComputedStyle(node, part);
        return [backgroundColor, backgroundImage, opacity, filter, mixBlendMode].join();
    };
    const grounds = (node) => {
        if (behind.has(node)) return behind.get(node);
        const { position, zIndex, transform } = getComputedStyle(node);
        const painted = [null, "::before", "::after"].map((part) => paint(node, part));
        const own = [...painted, position, zIndex, transform].join("|");
        const all = grounds(node.parentElement) + (own === NOTHING ? "" : own);
        behind.set(node, all);
        return all;
    };
    const NOTHING = [...Array(3).fill("rgba(0, 0, 0, 0),none,1,none,normal"), "static", "auto", "none"].join("|");
    for (const node of document.body.querySelectorAll("*")) {
        const said = [...node.childNodes].some((child) => child.nodeType === 3 && child.data.trim());
        if (!said || !node.checkVisibility({ checkVisibilityCSS: true })) continue;
        const { color, fontSize, fontWeight, textShadow, clip, clipPath } = getComputedStyle(node);
        const letters = [color, fontSize, fontWeight, textShadow, clip, clipPath].join();
        const kind = [node.tagName, node.className, letters, grounds(node)].join("|");
        told.set(kind, (told.get(kind) ?? 0) + 1);
        for (let up = told.get(kind) > 3 ? null : node; up; up = up.parentElement) kept.add(up);
    }
    const rest = [...document.body.querySelectorAll("*")].filter(
        (node) => !kept.has(node) && kept.has(node.parentElement) && getComputedStyle(node).position === "static");
    for (const node of rest) node.remove();
}"""

AUDIT = """async ([roots, options, exclude]) => {
    const include = roots.length ? roots : document;
    const found = await axe.run({include, exclude}, {resultTypes: ["violations"], ...options});
    return found.violations.filter((v) => ["serious", "critical"].includes(v.impact)).flatMap(
        (v) => v.nodes.slice(0, 3).map((node) => [v.id, node.html.slice(0, 200), node.failureSummary.slice(0, 300)]));
}"""


def audit(page, *roots, **options):
    """The serious and critical violations in ``roots`` (elements; none: the page) as [rule, element, what to do]."""
    if not page.evaluate("'axe' in window"):
        page.add_script_tag(path=vendor.fetch() / vendor.AXE)
    # JupyterLab's body has no height and hides what is over its edge, so axe takes all that is in it for unseen.
    page.evaluate("document.body.style.minHeight = '100vh'")
    exclude = [[selector] for selector, _ in NOT_OURS.values()]
    return page.evaluate(AUDIT, [[root.element_handle() for root in roots], options, exclude])


# Pictures without words. Sphinx's own plus and minus in its index are left out; a formula has MathML beside it.
UNTOLD = """() => [...document.querySelectorAll("img:not(.toggler)")]
    .filter((image) => image.alt.trim().split(/\\s+/).length < 4).map((image) => image.outerHTML.slice(0, 150))"""


FOCUS_IS_SEEN = """() => {
    const style = getComputedStyle(document.activeElement);
    return style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 1.5 || style.boxShadow !== "none";
}"""


def told(faults):
    return json.dumps(faults, indent=1)
