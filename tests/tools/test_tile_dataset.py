"""tile_dataset: a folder of images and masks in, tiles with tags out."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.helpers.tools import Done, call


@pytest.fixture(autouse=True)
def _images_and_masks(tmp_path: Path) -> None:
    for kind in ('images', 'masks'):
        (tmp_path / kind).mkdir()
    image = np.zeros((9, 14, 3), np.uint8)
    Image.fromarray(image).save(tmp_path / 'images/a.jpg')
    labels = np.zeros((9, 14), np.uint8)
    labels[:4, :5] = 1
    labels[8, 13] = 2
    Image.fromarray(labels).save(tmp_path / 'masks/a.png')


def run(folder: Path, *arguments: str, check: bool = True) -> Done:
    return call(
        'tile_dataset', 'images', 'masks', 'out', '--size', '4', '7',
        *arguments, cwd=folder, check=check,
    )  # fmt: skip


def test_cuts_and_says_what_it_did(tmp_path: Path) -> None:
    done = run(
        tmp_path, '--classes', 'ground,cat,dog', '--background', 'ground',
        '--edges', 'keep', '--min-share', '0.05',
    )  # fmt: skip
    assert 'out: 6 tiles, 0.3 tags a tile, 4 without' in done.stdout
    sidecar = json.loads((tmp_path / 'out/labels.json').read_text())
    tags = {name: info['tags'] for name, info in sidecar['images'].items()}
    assert tags['a_0_0'] == ['cat']  # 20 of 28 pixels
    assert tags['a_8_7'] == ['dog']  # 1 of 7
    assert sidecar['options']['min_share'] == 0.05


@pytest.mark.parametrize(
    ('arguments', 'words'),
    [
        (['--classes', 'ground,cat'], 'value 2 is not a class'),
        (['--classes', 'a,b,c', '--background', 'd'], "'d' is none of"),
        (['--classes', 'a,b,c', '--min-share', '2'], 'min_share must'),
    ],
)
def test_fails_in_one_line(
    arguments: list[str], words: str, tmp_path: Path
) -> None:
    done = run(tmp_path, *arguments, check=False)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith('python -m mmseg_sparse tile_dataset: error: ')
    assert words in line
    assert not (tmp_path / 'out').exists()
