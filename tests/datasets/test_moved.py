"""What has moved out of datasets is still found there, with a warning."""

import importlib
import subprocess
import sys

import pytest

import mmseg_sparse.labels
from mmseg_sparse import datasets
from mmseg_sparse.datasets import _moved


@pytest.mark.parametrize('name', _moved.NAMES)
def test_names(name: str) -> None:
    message = rf'datasets\.{name} has moved .* from mmseg_sparse\.labels$'
    with pytest.warns(DeprecationWarning, match=message) as caught:
        found = getattr(datasets, name)
    assert found is getattr(mmseg_sparse.labels, name)
    assert caught[0].filename == __file__


@pytest.mark.parametrize(
    ('module', 'name'),
    [
        ('class_names', 'parse_classes'),
        ('doctor', 'Finding'),
        ('formats', 'FORMATS'),
        ('heatmaps', 'read_heatmaps'),
        ('hybrid_split', 'hybrid_list'),
        ('importer', 'import_labels'),
        ('label_folder', 'read_sidecar'),
        ('label_map', 'NO_LABEL'),
        ('simulate', 'simulate_points'),
        ('tiles', 'tile_dataset'),
        ('toy', 'make_toy_dataset'),
        ('toy_scene', 'render'),
    ],
)
def test_modules(module: str, name: str) -> None:
    new = _moved.MODULES[module]
    code = f'import {datasets.__name__}.{module}\n'
    code += f'from {datasets.__name__}.{module} import {name} as found'
    space: dict[str, object] = {}
    with pytest.warns(DeprecationWarning, match=rf'import it from {new}$'):
        exec(code, space)
    assert space['found'] is getattr(importlib.import_module(new), name)
    assert not hasattr(sys.modules[f'{datasets.__name__}.{module}'], '__x__')


def test_what_never_was() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = datasets.nothing
    with pytest.raises(ImportError, match='nothing'):
        exec('from mmseg_sparse.datasets.toy import nothing')
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = mmseg_sparse.labels.nothing


def test_labels_has_its_names_and_loads_them_when_used() -> None:
    for name in mmseg_sparse.labels.__all__:
        assert getattr(mmseg_sparse.labels, name) is not None
    code = (
        'import sys; sys.modules["mmseg_sparse"] = type(sys)("mmseg_sparse");'
        f'sys.modules["mmseg_sparse"].__path__ = {mmseg_sparse.__path__!r};'
        'import mmseg_sparse.labels;'
        'assert not {"numpy", "torch", "mmcv"} & set(sys.modules);'
        'from mmseg_sparse.labels import simulate_points;'
        'assert simulate_points'
    )
    subprocess.run([sys.executable, '-c', code], check=True)
