"""tile_dataset: a folder of images and masks in, tiles with tags out."""

import json
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from .test_cli import TOOLS

TOOL = TOOLS / 'dataset_converters/tile_dataset.py'


@pytest.fixture(autouse=True)
def _inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Images and masks; the tool runs in this process and there."""
    for kind in ('images', 'masks'):
        (tmp_path / kind).mkdir()
    image = np.zeros((9, 14, 3), np.uint8)
    Image.fromarray(image).save(tmp_path / 'images/a.jpg')
    labels = np.zeros((9, 14), np.uint8)
    labels[:4, :5] = 1
    labels[8, 13] = 2
    Image.fromarray(labels).save(tmp_path / 'masks/a.png')
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, 'path', list(sys.path))
    monkeypatch.setattr(
        sys, 'argv',
        [str(TOOL), 'images', 'masks', 'out', '--size', '4', '7'],
    )  # fmt: skip


def run(*arguments: str) -> None:
    sys.argv += arguments
    runpy.run_path(str(TOOL), run_name='__main__')


def test_cuts_and_says_what_it_did(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    run(
        '--classes', 'ground,cat,dog', '--background', 'ground',
        '--edges', 'keep', '--min-share', '0.05',
    )  # fmt: skip
    printed = capsys.readouterr().out
    assert 'out: 6 tiles, 0.3 tags a tile, 4 without' in printed
    sidecar = json.loads((tmp_path / 'out/labels.json').read_text())
    tags = {name: info['tags'] for name, info in sidecar['images'].items()}
    assert tags['a_0_0'] == ['cat']  # 20 of 28 pixels
    assert tags['a_8_7'] == ['dog']  # 1 of 7
    assert sidecar['options']['min_share'] == 0.05


@pytest.mark.parametrize(
    ('arguments', 'words'),
    [
        (['--classes', 'ground,cat'], 'value 2 is no class'),
        (['--classes', 'a,b,c', '--background', 'd'], "'d' is none of"),
        (['--classes', 'a,b,c', '--min-share', '2'], 'min_share must'),
    ],
)
def test_fails_in_one_line(
    arguments: list[str], words: str, tmp_path: Path
) -> None:
    with pytest.raises(SystemExit, match=words) as found:
        run(*arguments)
    assert str(found.value).startswith('tile_dataset.py: error: ')
    assert '\n' not in str(found.value)
    assert not (tmp_path / 'out').exists()
