"""Reads the docstrings' reStructuredText marks as Markdown."""

import re
from typing import Any

from griffe import Extension, Object

#: ``:func:`~package.name```: the last name, as code.
ROLE = re.compile(r':(?:func|class|meth|attr|mod|data):`~?([^`]+)`')
MATH = re.compile(r':math:`([^`]+)`', re.DOTALL)
MATH_BLOCK = re.compile(r'\.\. math::\n\n((?:[ \t]+\S.*\n?|\n)+)')


class SphinxRoles(Extension):
    """Turns roles into code, formulas and plain colons."""

    def on_object(self, *, obj: Object, **kwargs: Any) -> None:
        """Rewrite the docstring of an object."""
        if obj.docstring is not None:
            obj.docstring.value = to_markdown(obj.docstring.value)


def to_markdown(text: str) -> str:
    """Return a docstring without marks of reStructuredText."""
    text = MATH_BLOCK.sub(
        lambda found: '\\[\n' + found[1].strip() + '\n\\]\n\n', text
    )
    text = MATH.sub(lambda found: rf'\({found[1]}\)', text)
    text = ROLE.sub(lambda found: f'`{found[1].split(".")[-1]}`', text)
    return re.sub(r'::$', ':', text, flags=re.MULTILINE)
