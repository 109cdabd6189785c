"""Walking through configs."""

from collections.abc import Iterator
from typing import Any


def inner_datasets(node: Any) -> Iterator[dict[str, Any]]:
    """Yield a dataset's config, and those it wraps."""
    if isinstance(node, dict):
        if 'type' in node:
            yield node
        yield from inner_datasets(node.get('dataset'))
        yield from inner_datasets(node.get('datasets'))
    elif isinstance(node, list | tuple):
        for value in node:
            yield from inner_datasets(value)
