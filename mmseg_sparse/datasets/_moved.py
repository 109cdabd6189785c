"""Names and modules that were in ``datasets``, for one release."""

import sys
import warnings
from importlib import import_module
from types import ModuleType
from typing import Any

LABELS = 'mmseg_sparse.labels'
#: Names of the package that are in ``LABELS`` now.
NAMES = (
    'Heatmaps', 'drop_scribbles', 'heatmap_path', 'make_toy_dataset',
    'read_heatmaps', 'shrink_scribbles', 'simulate_blocks', 'simulate_points',
    'simulate_scribbles', 'simulate_tags', 'write_heatmaps',
)  # fmt: skip
#: Its modules, and where they are now.
MODULES = {
    'class_names': f'{LABELS}.classes',
    'doctor': 'mmseg_sparse.doctor',
    'formats': f'{LABELS}.importers',
    'heatmaps': f'{LABELS}.heatmap_file',
    'hybrid_split': f'{LABELS}.hybrid_split',
    'importer': f'{LABELS}.importers.import_labels',
    'label_folder': f'{LABELS}.label_folder',
    'label_map': f'{LABELS}.label_map',
    'simulate': f'{LABELS}.simulate',
    'tiles': f'{LABELS}.simulate.tiles',
    'toy': f'{LABELS}.simulate.toy',
    'toy_scene': f'{LABELS}.simulate.toy_scene',
}


def find(package: str, name: str, module: str) -> Any:
    """Return a name of a module, with a warning that it has moved."""
    if name.startswith('__'):  # asked by Python, not by a user
        raise AttributeError(f'module {package!r} has no attribute {name!r}')
    value = getattr(import_module(module), name)
    warnings.warn(
        f'{package}.{name} has moved and will not be here in the next '
        f'release: import it from {module}',
        DeprecationWarning,
        stacklevel=3,
    )
    return value


class _Moved(ModuleType):
    """Stands in the old place of a module, which is loaded when used."""

    def __init__(self, name: str, module: str) -> None:
        super().__init__(name, f'Moved to :mod:`{module}`.')
        self.__module = module

    def __getattr__(self, name: str) -> Any:
        return find(self.__name__, name, self.__module)


def leave_modules(package: ModuleType) -> None:
    """Let the old modules of the package be imported."""
    for name, module in MODULES.items():
        moved = _Moved(f'{package.__name__}.{name}', module)
        sys.modules[moved.__name__] = moved
        setattr(package, name, moved)
