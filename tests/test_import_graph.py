"""Imports go down only, from room to room, and never in a circle."""

import ast
from collections.abc import Container, Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import mmseg_sparse

ROOT = Path(mmseg_sparse.__file__).parent
FLOOR = {'utils', 'functional', 'visualization'}
DATA = FLOOR | {'labels', 'datasets'}
MODELS = {'functional', 'utils', 'labels', 'models'}
MODEL_ROOMS = {
    'models.losses', 'models.refiners', 'models.backbones',
    'models.decode_heads', 'models.segmentors',
}  # fmt: skip
#: What a room may import of the package, besides itself. A module belongs to
#: the room with the longest name that its own begins with.
ALLOWED = {
    'utils': set(),
    'functional': set(),
    'visualization': set(),
    'labels': FLOOR,
    'datasets': FLOOR | {'labels'},
    'doctor': DATA,
    'engine': DATA | {'doctor', 'registry', 'models'} | MODEL_ROOMS,
    'evaluation': DATA | {'doctor', 'engine'},
    'pseudo_labels': DATA | {'doctor', 'engine', 'models'} | MODEL_ROOMS,
    'benchmark': DATA | {'engine', 'pseudo_labels'},
    'prediction': DATA | {'engine', 'pseudo_labels'},
    'start': DATA | {'doctor', 'prediction'},
    'models': MODELS,
    'models.losses': MODELS,
    'models.refiners': MODELS,
    'models.backbones': MODELS,
    'models.decode_heads': MODELS
    | {'models.losses', 'models.refiners', 'models.backbones'},
    'models.segmentors': MODELS | MODEL_ROOMS,
}
#: Modules outside all rooms, and what they may import: the package's entrance
#: and what a folder's __init__ gathers from the rooms below it.
OUTSIDE = {
    '': {'compat', 'version', 'registry', *ALLOWED},
    '__main__': set(),
    'compat': {'functional'},
    'registry': set(),
    'version': set(),
    'models': MODELS | MODEL_ROOMS,
}


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text('utf-8'))


#: Dotted name below the package ('' is the package) -> its source.
MODULES = {
    '.'.join(path.relative_to(ROOT).with_suffix('').parts)
    .removesuffix('__init__')
    .removesuffix('.'): parse(path)
    for path in ROOT.rglob('*.py')
    if '.mim' not in path.parts
}
PACKAGES = {
    '.'.join(path.parent.relative_to(ROOT).parts)
    for path in ROOT.rglob('__init__.py')
    if '.mim' not in path.parts
}


def named(node: ast.AST, module: str, packages: set[str]) -> list[str]:
    """Return the modules that an import statement names, as dotted paths."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if not isinstance(node, ast.ImportFrom):
        return []
    base = node.module or ''
    if node.level:
        parts = module.split('.') if module else []
        up = node.level - (module in packages)
        parts = parts[: len(parts) - up] if up else parts
        base = '.'.join(['mmseg_sparse', *parts, *filter(None, [node.module])])
    return [f'{base}.{alias.name}' for alias in node.names]


def longest(name: str, known: Container[str]) -> str | None:
    """Return the longest of the known dotted names that ``name`` is below."""
    while name and name not in known:
        name = name.rpartition('.')[0]
    return name or None


def room_of(module: str) -> str | None:
    return longest(module, ALLOWED)


def own(node: ast.AST, module: str) -> Iterator[str]:
    """Yield the modules of the package that a statement imports."""
    for name in named(node, module, PACKAGES):
        first, _, rest = name.partition('.')
        if first == 'mmseg_sparse':
            yield longest(rest, MODULES) or ''


def at_top(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield the statements that run on import, those in if, try and with."""
    for node in body:
        if isinstance(node, ast.If) and 'TYPE_CHECKING' in ast.dump(node.test):
            continue
        yield node
        for field in ('body', 'orelse', 'finalbody', 'handlers'):
            if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                yield from at_top(getattr(node, field, []))


def edges() -> set[tuple[str, str]]:
    """Return (module, module that it imports), inside functions as well."""
    return {
        (module, other)
        for module, tree in MODULES.items()
        for node in ast.walk(tree)
        for other in own(node, module)
    }


def breaks_the_rules(module: str, other: str) -> bool:
    if module in OUTSIDE:
        allowed = OUTSIDE[module]
    else:
        room = room_of(module)
        allowed = ALLOWED[room] | {room}
    return (room_of(other) or other) not in allowed


def test_every_module_is_in_a_room() -> None:
    homeless = {name for name in MODULES if room_of(name) is None}
    assert homeless == OUTSIDE.keys() - {'models'}


@pytest.mark.parametrize('room', ALLOWED)
def test_every_room_is_there(room: str) -> None:
    assert room in PACKAGES
    assert any(room_of(name) == room for name in MODULES)


def test_imports_go_down_only() -> None:
    assert [edge for edge in edges() if breaks_the_rules(*edge)] == []


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = {
        module: {
            other
            for node in at_top(tree.body)
            for other in own(node, module)
            if other != module
        }
        for module, tree in MODULES.items()
    }
    try:
        tuple(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(' -> '.join(error.args[1]))


def test_functional_imports_torch_scipy_and_the_standard_library() -> None:
    names = {
        name.partition('.')[0]
        for module, tree in MODULES.items()
        if room_of(module) == 'functional'
        for node in ast.walk(tree)
        for name in named(node, module, PACKAGES)
    }
    assert 'torch' in names
    assert names <= {
        'torch', 'numpy', 'scipy', 'mmseg_sparse', 'collections',
        'dataclasses', 'math', 'typing',
    }  # fmt: skip


@pytest.mark.parametrize(
    'statement',
    [
        'from ..losses import X',
        'from .. import losses',
        'from mmseg_sparse.models.losses import X',
        'from mmseg_sparse.models import losses',
        'import mmseg_sparse.models.losses',
        'def f():\n    if True:\n        from ..losses import X',
    ],
)
@pytest.mark.parametrize(
    'module', ['models.backbones', 'models.backbones.recorder']
)
def test_the_check_sees_every_way_to_import(
    statement: str, module: str
) -> None:
    found = {
        longest(name.removeprefix('mmseg_sparse.'), ['models.losses'])
        for node in ast.walk(ast.parse(statement))
        for name in named(node, module, {'models.backbones'})
    }
    assert 'models.losses' in found
