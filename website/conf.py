"""Configuration of Sphinx for the site: nothing is fetched from elsewhere, and every link is checked."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

project = "LLQ"
language = "en"
extensions = ["myst_parser", "website.rule_links"]
html_theme = "furo"
html_title = "LLQ 1.0"
html_static_path = ["static"]
templates_path = ["templates"]
html_css_files = ["site.css", "kill-matrix.css"]
html_js_files = ["site.js", "kill-matrix.js"]
html_show_sourcelink = False
html_copy_source = False
html_show_copyright = False
html_show_sphinx = False
html_use_index = False
smartquotes = False
nitpicky = True
myst_heading_anchors = 4
highlight_language = "none"
pygments_style = "a11y-high-contrast-light"
pygments_dark_style = "a11y-high-contrast-dark"
suppress_warnings = ["misc.highlighting_failure"]  # chapters elide parts of WGSL with "…"
