"""Walking through configs."""

from collections.abc import Iterator, Mapping
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


def step_name(step: Mapping[str, Any]) -> str:
    """Return the type of a pipeline's step, without its scope."""
    kind = step['type']
    name = kind if isinstance(kind, str) else kind.__name__
    return str(name).rpartition('.')[2]
