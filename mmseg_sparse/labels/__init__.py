"""Label files: reading, writing, checking and making them, without a model.

The names below are loaded when they are first used.
"""

from importlib import import_module
from typing import Any

_MODULES = {
    'classes': ('Classes', 'make_classes', 'parse_classes'),
    'heatmap_file': (
        'Heatmaps', 'heatmap_path', 'read_heatmaps', 'write_heatmaps',
    ),
    'importers.import_labels': ('ImportOptions', 'import_labels'),
    'label_folder': (
        'LabelFile', 'label_file', 'read_sidecar', 'write_label_folder',
    ),
    'label_map': ('NO_LABEL', 'load_png_index', 'save_index_png'),
    'simulate': (
        'drop_scribbles', 'shrink_scribbles', 'simulate_blocks',
        'simulate_points', 'simulate_scribbles', 'simulate_tags',
    ),
    'simulate.folder': ('FolderJob', 'simulate_folder'),
    'simulate.toy': ('make_toy_dataset',),
}  # fmt: skip
_MODULE_OF = {
    name: module for module, names in _MODULES.items() for name in names
}

__all__ = sorted(_MODULE_OF)


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    return getattr(import_module(f'{__name__}.{_MODULE_OF[name]}'), name)
