"""The extension of Sphinx that knows rules: their anchors in chapters, and links wherever one is named."""

import re
from collections.abc import Iterator
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform

from llq_format.metadata.rules import registry
from llq_format.metadata.rules_page import chapters
from website.markdown import relative
from website.places import SPECIFICATION, page_of_rule

_STATED = re.compile(r"\[(LLQ-[A-Z]+-\d+)\]")
_NAMED = re.compile(r"\b(?:LLQ-)?([A-Z]+[A-Z0-9]*-\d+)\b")
_UNLINKED = (
    nodes.literal,
    nodes.literal_block,
    nodes.reference,
    addnodes.pending_xref,
    nodes.title,
    nodes.raw,
)


class StatedRules(SphinxTransform):
    """Gives the paragraph that states a rule the id of the rule, and links the id to the page of the rule."""

    default_priority = 210

    def apply(self, **_: Any) -> None:
        """Change the document."""
        if not self.env.docname.startswith(f"{SPECIFICATION}/"):
            return
        for paragraph in list(self.document.findall(nodes.paragraph)):
            first = next((child for child in paragraph.children if child.astext()), None)
            if isinstance(first, nodes.strong) and (stated := _STATED.fullmatch(first.astext())):
                paragraph["ids"].append(stated[1])
                paragraph["classes"].append("rule")
                page = f"{page_of_rule(stated[1])}.html"
                link = nodes.reference(refuri=relative(page, self.env.docname), classes=["rule-id"])
                link += nodes.Text(stated[1])
                paragraph.replace(first, nodes.strong("", "", link))


class NamedRules(SphinxTransform):
    """Makes every name of a rule a link: within the specification to its anchor, elsewhere to its page."""

    default_priority = 220

    def apply(self, **_: Any) -> None:
        """Change the document."""
        for link in list(self.document.findall(addnodes.pending_xref)):
            rule = _rule(link.astext())
            if rule:
                link.parent.replace(link, self._link(rule, link.astext()))
        for text in list(self.document.findall(nodes.Text)):
            if not _is_within(text, _UNLINKED) and not _follows_html(text) and _NAMED.search(text.astext()):
                text.parent.replace(text, list(self._pieces(text.astext())))

    def _pieces(self, text: str) -> Iterator[nodes.Node]:
        end = 0
        for name in _NAMED.finditer(text):
            rule = _rule(name[0])
            if rule:
                yield nodes.Text(text[end : name.start()])
                yield self._link(rule, name[0])
                end = name.end()
        yield nodes.Text(text[end:])

    def _link(self, rule: str, text: str) -> nodes.reference:
        return nodes.reference("", text, refuri=address(rule, self.env.docname), internal=True)


def address(rule: str, page: str) -> str:
    """Return where a page of the site links to for a rule."""
    if page == f"{SPECIFICATION}/index":
        return f"#{rule}"
    if page.startswith(f"{SPECIFICATION}/") and page != f"{SPECIFICATION}/rules":
        chapter = chapters()[rule].removesuffix(".md").replace("README", "overview")
        return f"{chapter}.html#{rule}"
    return relative(f"{page_of_rule(rule)}.html", page)


def _rule(name: str) -> str | None:
    """Return the id of the rule that a text names, if it names one."""
    rule = name if name.startswith("LLQ-") else f"LLQ-{name}"
    return rule if rule in registry() else None


def _is_within(node: nodes.Node, kinds: tuple[type[nodes.Node], ...]) -> bool:
    while node.parent is not None:
        node = node.parent
        if isinstance(node, kinds):
            return True
    return False


def _follows_html(text: nodes.Text) -> bool:
    """Return whether a text follows an element of HTML, such as the beginning of a link."""
    siblings = text.parent.children
    position = next(number for number, node in enumerate(siblings) if node is text)
    return position > 0 and isinstance(siblings[position - 1], nodes.raw)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the transforms."""
    app.add_transform(StatedRules)
    app.add_transform(NamedRules)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
