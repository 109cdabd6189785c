"""Imports go one way: segmentors, heads, losses and refiners, functional."""

import ast
from pathlib import Path

import pytest

import mmseg_sparse

ROOT = Path(mmseg_sparse.__file__).parent
#: What a folder may import of the package, besides itself.
ALLOWED = {
    'functional': set(),
    'models.losses': {'functional'},
    'models.refiners': {'functional'},
    'models.backbones': {'functional'},
    'models.decode_heads': {
        'functional',
        'models.losses',
        'models.refiners',
        'models.backbones',
    },
    'models.segmentors': {
        'functional',
        'models.losses',
        'models.refiners',
        'models.backbones',
        'models.decode_heads',
    },
    'datasets': {'functional', 'visualization'},
    'engine': {'functional', 'datasets'},
    'evaluation': {'functional', 'datasets'},
    'visualization': {'functional'},
}


def absolute(node, package):
    """Modules that an import statement names, as dotted paths."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        if node.level == 0:
            base = node.module
        else:
            parts = package.split('.')[: -node.level or None]
            base = '.'.join(['mmseg_sparse', *parts])
            base = f'{base}.{node.module}' if node.module else base
        return [f'{base}.{alias.name}' for alias in node.names] + [base]
    return []


def imports(folder):
    found = set()
    for path in (ROOT / folder.replace('.', '/')).rglob('*.py'):
        module = path.relative_to(ROOT).with_suffix('').as_posix()
        module = module.replace('/', '.')
        for node in ast.walk(ast.parse(path.read_text())):
            found |= {(module, name) for name in absolute(node, module)}
    return found


#: The folders that must not see models at all, not even by its name.
BELOW = ('functional', 'datasets', 'engine', 'evaluation', 'visualization')


def belongs(name, folder):
    prefix = f'mmseg_sparse.{folder}'
    return name == prefix or name.startswith(f'{prefix}.')


@pytest.mark.parametrize('folder', ALLOWED)
def test_imports_go_one_way(folder):
    if not (ROOT / folder.replace('.', '/')).is_dir():
        pytest.skip(f'no folder {folder}')
    for module, name in imports(folder):
        for other in ALLOWED:
            if other in ALLOWED[folder] or belongs(
                f'mmseg_sparse.{folder}', other
            ):
                continue
            assert not belongs(name, other), f'{module} imports {name}'


@pytest.mark.parametrize('folder', BELOW)
def test_nothing_below_imports_models(folder):
    for module, name in imports(folder):
        assert not belongs(name, 'models'), f'{module} imports {name}'


def test_functional_imports_torch_and_the_standard_library_only():
    names = {
        name.partition('.')[0] for _, name in imports('functional') if name
    }
    assert 'torch' in names
    third = names - {'torch', 'mmseg_sparse', 'collections', 'dataclasses'}
    assert third <= {'math', 'typing'}, third


def test_the_check_sees_relative_and_absolute_imports():
    source = 'from ..losses import X\nfrom mmseg_sparse.models import losses'
    nodes = ast.parse(source).body
    named = [absolute(n, 'models.backbones.recorder') for n in nodes]
    assert all('mmseg_sparse.models.losses' in names for names in named)
