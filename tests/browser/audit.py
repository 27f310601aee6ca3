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
    for (const code of document.querySelectorAll("pre")) {
        const seen = new Set();
        for (const span of code.querySelectorAll("span:not(:has(*))")) {
            if (seen.has(span.className)) span.replaceWith(span.textContent);
            seen.add(span.className);
        }
    }
    document.head.insertAdjacentHTML("beforeend", "<style>* { transition: none !important }</style>");
}"""

AUDIT = """async ([root, options, exclude]) => {
    const found = await axe.run({include: root ?? document, exclude}, {resultTypes: ["violations"], ...options});
    return found.violations.filter((v) => ["serious", "critical"].includes(v.impact)).flatMap(
        (v) => v.nodes.slice(0, 3).map((node) => [v.id, node.html.slice(0, 200), node.failureSummary.slice(0, 300)]));
}"""


def audit(page, root=None, **options):
    """The serious and critical violations in ``root`` (an element; None: the page) as [rule, element, what to do]."""
    if not page.evaluate("'axe' in window"):
        page.add_script_tag(path=vendor.fetch() / vendor.AXE)
    exclude = [[selector] for selector, _ in NOT_OURS.values()]
    return page.evaluate(AUDIT, [root and root.element_handle(), options, exclude])


# Pictures without words. Sphinx's own plus and minus in its index are left out; a formula has MathML beside it.
UNTOLD = """() => [...document.querySelectorAll("img:not(.toggler)")]
    .filter((image) => image.alt.trim().split(/\\s+/).length < 4).map((image) => image.outerHTML.slice(0, 150))"""


FOCUS_IS_SEEN = """() => {
    const style = getComputedStyle(document.activeElement);
    return style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 1.5 || style.boxShadow !== "none";
}"""


def told(faults):
    return json.dumps(faults, indent=1)
