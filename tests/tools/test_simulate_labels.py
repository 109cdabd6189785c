"""simulate_labels: folders of masks in, folders of sparse labels out."""

import hashlib
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmseg_sparse.datasets import CamVidDataset
from mmseg_sparse.labels import simulate

from ..helpers.files import contents
from ..helpers.masks import blobs, write_masks
from ..helpers.tools import Done, call

NAMES = ('a', 'b', 'c', 'd', 'e')
Run = Callable[..., Done]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return partial(call, 'simulate_labels', cwd=tmp_path, check=False)


@pytest.fixture(scope='module')
def masks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_masks(tmp_path_factory.mktemp('data') / 'masks')


def test_sidecar_says_what_was_done(
    masks: Path, tmp_path: Path, run: Run
) -> None:
    out = tmp_path / 'out'
    done = run(
        'tags', masks, out, '--classes', *NAMES, '--background', 'c',
        '--min-share', '0.1',
    )  # fmt: skip
    assert done.returncode == 0
    assert '12/12, ' in done.stdout
    assert list(contents(out)) == ['labels.json']  # tags alone
    sidecar = json.loads((out / 'labels.json').read_text())
    assert sidecar['classes'] == list(NAMES)
    assert sidecar['options']['min_share'] == 0.1
    mask = (masks / '3.png').read_bytes()
    assert sidecar['sources']['3.png'] == hashlib.sha256(mask).hexdigest()
    count = np.bincount(blobs(3).ravel(), minlength=256)[:5]
    expected = [
        name
        for name, number in zip(NAMES, count, strict=True)
        if number >= 0.1 * 90 * 140 and name != 'c'
    ]
    assert sidecar['images']['3']['supervision'] == 'tag'
    assert sidecar['images']['3']['tags'] == expected != []


def test_command_line_end_to_end(
    masks: Path, tmp_path: Path, run: Run
) -> None:
    first, second = tmp_path / 'first', tmp_path / 'second'
    done = run(
        'scribbles', masks, first, '--dataset', 'CamVidDataset',
        '--length', '0.5', '0.6', '--seed', '4', '--workers', '1',
    )  # fmt: skip
    assert done.returncode == 0
    assert 'first: 12 images, ' in done.stdout
    picture = Image.open(first / '3.png')
    palette = np.array(picture.getpalette()).reshape(-1, 3)
    colours = CamVidDataset.METAINFO['palette']
    assert palette[:11].tolist() == colours
    assert palette[255].tolist() == [255] * 3
    # Classes come from the first folder now.
    done = run('shrink', first, second, '--ratio', '0.2')
    assert done.returncode == 0
    long, short = (
        np.array(Image.open(folder / '3.png')) for folder in (first, second)
    )
    assert np.array_equal(
        short, simulate.shrink_scribbles(long, ratio=0.2, seed=0, image_id='3')
    )
    before = contents(second)
    again = ('shrink', first, second, '--ratio', '0.9')
    done = run(*again)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith('python -m mmseg_sparse simulate_labels: error: ')
    assert 'second exists' in line
    assert contents(second) == before
    assert run(*again, '--overwrite').returncode == 0
    assert contents(second) != before


def test_classes_by_spaces_commas_or_lines(
    masks: Path, tmp_path: Path, run: Run
) -> None:
    listed = tmp_path / 'classes.txt'
    listed.write_text('\n'.join(NAMES))
    ways = [NAMES, ['a,b,c,d,e'], ['a,', 'b,', 'c,', 'd,', 'e'], [listed]]
    for number, way in enumerate(ways):
        out = tmp_path / str(number)
        done = run('points', masks, out, '--classes', *way)
        assert done.returncode == 0
        sidecar = json.loads((out / 'labels.json').read_text())
        assert sidecar['classes'] == list(NAMES)
    done = run('drop', out, tmp_path / 'x', '--classes', 'a,b,c,e,d',
               '--ratio', '0.5')  # fmt: skip
    words = 'are of the classes a, b, c, d, e, not a, b, c, e, d'
    assert words in done.stderr


def test_bad_classes_are_named(masks: Path, tmp_path: Path, run: Run) -> None:
    out = tmp_path / 'out'
    for arguments, message in (
        ((), 'labels.json, so give --classes'),
        (('--dataset', 'NoSuchSet'), "'NoSuchSet' is no dataset type"),
        (('--classes', 'a', '--background', 'z'), "'z' is none of"),
    ):
        assert message in run('tags', masks, out, *arguments).stderr
    assert not out.exists()


def test_help_lists_every_option(run: Run) -> None:
    done = run('points', '--help')
    for option in ('--placement', '--per-region', '--workers', '--seed'):
        assert option in done.stdout
