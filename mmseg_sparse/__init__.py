"""Semantic segmentation from sparse labels, on any stock mmseg config.

Importing the package registers all of it with mmseg's registries.
"""

from pathlib import Path

from . import compat
from .version import __version__

compat.setup()

from . import (  # noqa: E402
    datasets,
    engine,
    evaluation,
    models,
    registry,
)

registry.mirror()

__all__ = [
    '__version__',
    'compat',
    'config',
    'datasets',
    'engine',
    'evaluation',
    'models',
    'registry',
]


def config(name: str) -> str:
    """Return the path of a shipped config, for use as ``_base_``.

    Stock mmseg scripts do not know the ``mmseg_sparse::`` prefix; there a
    config says ``_base_ = __import__('mmseg_sparse').config('...')``.

    Args:
        name: Path below ``configs/``, such as
            ``'_base_/datasets/camvid_scribble.py'``.

    Raises:
        FileNotFoundError: If there is no such config.
    """
    package = Path(__file__).resolve().parent
    for root in (package / '.mim' / 'configs', package.parent / 'configs'):
        found = compat.find_config(root, name)
        if found is not None:
            return str(found)
    raise FileNotFoundError(
        f'mmseg_sparse has no config {name!r}; configs are named by their '
        "path below configs/, such as '_base_/datasets/camvid_scribble.py'"
    )
