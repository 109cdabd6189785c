"""Reduced strokes keep what else labels.json says of the images."""

from pathlib import Path

import numpy as np
import pytest

from mmseg_sparse.labels.label_folder import read_sidecar
from mmseg_sparse.labels.simulate.folder import FolderJob, simulate_folder

from ...helpers.own_data import CLASSES, label_map, write_labels, write_sidecar

STROKES = label_map((0, 1, 0), (4, 6, 1))


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    """Strokes, clicks, a mask and tags, as labels.json lists them."""
    root = tmp_path / 'labels'
    for name in ('a', 'deep/b', 'c'):
        write_labels(root / f'{name}.png', STROKES)
    write_sidecar(root / 'labels.json', CLASSES, {
        'a': dict(supervision='scribble', size=[7, 5], tags=['dog']),
        'deep/b': dict(supervision='point', size=[7, 5], tags=[]),
        'c': dict(supervision='dense', size=[7, 5]),
        'deep/d': dict(supervision='tag', size=[9, 8], tags=['cat', 'dog']),
    })  # fmt: skip
    return root


@pytest.mark.parametrize('kind', ['shrink', 'drop'])
@pytest.mark.parametrize('workers', [0, 1])
def test_kinds_tags_and_images_of_tags_alone(
    kind: str, workers: int, labels: Path, tmp_path: Path
) -> None:
    out = tmp_path / 'out'
    job = FolderJob(kind, CLASSES, options=dict(seed=0, ratio=0.0))
    simulate_folder(job, labels, out, workers=workers)
    images = read_sidecar(out)['images']
    found = {n: (i['supervision'], i['tags']) for n, i in images.items()}
    assert found == {
        'a': ('scribble', ['dog']),
        'c': ('scribble', []),
        'deep/b': ('point', []),
        'deep/d': ('tag', ['cat', 'dog']),
    }
    assert images['deep/d']['size'] == [9, 8]
    assert images['a']['labeled_pixels'] == 2
    assert not (out / 'deep/d.png').exists()


def test_what_is_drawn_anew_takes_nothing_over(
    labels: Path, tmp_path: Path
) -> None:
    job = FolderJob('points', CLASSES, options=dict(seed=0, min_area=1))
    made = simulate_folder(job, labels, tmp_path / 'out')['images']
    assert {n: (i['supervision'], i['tags']) for n, i in made.items()} == {
        name: ('point', []) for name in ('a', 'c', 'deep/b')
    }


def test_what_does_not_fit_is_named(labels: Path, tmp_path: Path) -> None:
    options = dict(seed=0, ratio=0.5)
    job = FolderJob('drop', CLASSES[::-1], options=options)
    with pytest.raises(ValueError, match='classes background, cat, dog, not'):
        simulate_folder(job, labels, tmp_path / 'out')
    (labels / 'c.png').unlink()
    job = FolderJob('drop', CLASSES, options=options)
    with pytest.raises(FileNotFoundError, match=r'c\.png is missing: .*list'):
        simulate_folder(job, labels, tmp_path / 'out')
    assert not (tmp_path / 'out').exists()


def test_files_that_it_does_not_list_are_strokes(
    labels: Path, tmp_path: Path
) -> None:
    write_labels(labels / 'new.png', np.full((5, 7), 2))
    job = FolderJob('shrink', CLASSES, options=dict(seed=0, ratio=1.0))
    made = simulate_folder(job, labels, tmp_path / 'out')['images']['new']
    assert (made['supervision'], made['labeled_pixels']) == ('scribble', 35)
