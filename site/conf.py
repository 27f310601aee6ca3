"""How Sphinx builds the site. `make book` calls it through tools/site.py, which lays out the source folder first."""

import re
from pathlib import Path

import vaecourse

ROOT = Path(__file__).resolve().parents[1]

project = "vaecourse"
author = "The vaecourse authors"
copyright = "the vaecourse authors; text CC BY 4.0, code MIT"
release = vaecourse.__version__
language = "en"

extensions = ["myst_nb", "sphinx_external_toc", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.mathjax"]
external_toc_path = str(ROOT / "book.yml")
external_toc_exclude_missing = True
suppress_warnings = ["etoc.toctree"]

# What a notebook stores is what a reader sees: nothing is run here. No notebook stores a widget, so no widget code is
# needed either.
nb_execution_mode = "off"
nb_ipywidgets_js = {}
nb_code_prompt_show = "Show the code"
nb_code_prompt_hide = "Hide the code"
nb_merge_streams = True
myst_enable_extensions = ["amsmath", "attrs_inline", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3
myst_dmath_double_inline = True
suppress_warnings += ["myst.header"]  # an exercise's card is a third-level heading wherever it stands

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_default_options = {"members": True, "show-inheritance": False}
python_use_unqualified_type_names = True
add_module_names = False

# Local, as SVG: see tools/vendor.py.
mathjax_path = "mathjax/tex-svg.js"
myst_update_mathjax = False
mathjax3_config = {
    "svg": {"fontCache": "global"},
    "options": {
        "enableMenu": False,
        "ignoreHtmlClass": "highlight|output",
        "processHtmlClass": "tex2jax_process|vaecourse-symbols",
        "skipHtmlTags": ["script", "style", "pre", "code"],
    },
}

html_theme = "sphinx_book_theme"
html_title = "vaecourse"
html_favicon = "static/favicon.svg"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_js_files = ["site.js"]
html_copy_source = True
html_show_search_summary = False  # it would fetch the pages found, which a browser refuses from disk
html_show_sourcelink = False
html_last_updated_fmt = None
html_context = {"default_mode": "auto"}
html_theme_options = {
    "navbar_persistent": [],
    "use_download_button": True,
    "use_fullscreen_button": True,
    "home_page_in_toc": True,
    "show_toc_level": 2,
    "show_navbar_depth": 1,
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}


KEPT = re.compile(r"``.+?``|:\w+:`.+?`|`.+?`_|(?<![\w*])\*{1,2}[^*\s](?:[^*]*[^*\s])?\*{1,2}(?![\w*])")


def plain_words(app, what, name, obj, options, lines):
    """Docstrings are for people, with |mean| / std and *over*estimate: where reST would read more, escape it."""
    inside = None  # the indentation of a formula's block, whose backslashes and bars are TeX
    for i, line in enumerate(lines):
        indent = len(line) - len(line.lstrip())
        if inside is not None and line.strip() and indent <= inside:
            inside = None
        if line.lstrip().startswith(".. math::"):
            inside = indent
        if inside is None and not line.lstrip().startswith((">>>", "...")):
            kept = {at for match in KEPT.finditer(line) for at in range(*match.span())}
            lines[i] = "".join(f"\\{c}" if c in "|*" and at not in kept else c for at, c in enumerate(line))


CHINESE = re.compile(r"<[^>]*>|([\u4e00-\u9fff][\u3000-\u303f\u4e00-\u9fff\uff00-\uffef]*)")


def tell_chinese(app, pagename, templatename, context, doctree):
    """A screen reader must know which words are Chinese to say them."""
    mark = lambda found: f'<span lang="zh">{found[1]}</span>' if found[1] else found[0]
    context["body"] = CHINESE.sub(mark, context.get("body", ""))


def add_static(app, config):
    """The scripts that tools/site.py has laid beside the source."""
    config.html_static_path.append(str(app.srcdir.with_name("static")))


def setup(app):
    app.connect("config-inited", add_static)
    app.connect("html-page-context", tell_chinese)
    app.connect("autodoc-process-docstring", plain_words, priority=100)  # before napoleon, which adds reST of its own
