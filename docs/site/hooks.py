"""What mkdocs runs on each page: formulas become MathML.

Browsers draw MathML by themselves, so that no script has to be fetched.
"""

import re
from html import unescape
from typing import Any

from latex2mathml.converter import convert

FORMULA = re.compile(
    r'<(?P<tag>span|div) class="arithmatex">'
    r'\\(?P<kind>[(\[])(?P<latex>.*?)\\[)\]]</(?P=tag)>',
    re.DOTALL,
)


def on_page_content(html: str, **kwargs: Any) -> str:
    """Replace each formula in LaTeX by MathML."""
    return FORMULA.sub(_mathml, html)


def _mathml(found: re.Match[str]) -> str:
    display = 'block' if found['kind'] == '[' else 'inline'
    return convert(unescape(found['latex']).strip(), display=display)
