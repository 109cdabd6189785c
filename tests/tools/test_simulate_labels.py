"""simulate_labels: folders of masks in, folders of sparse labels out."""

import hashlib
import json
import runpy
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from mmseg_sparse.datasets import CamVidDataset
from mmseg_sparse.labels import simulate

from ..helpers.masks import blobs
from .test_cli import TOOLS, tool

TOOL = 'dataset_converters/simulate_labels.py'
NAMES = ('a', 'b', 'c', 'd', 'e')
#: Runs the tool: status, what it printed, its errors.
Run = Callable[..., tuple[int | str | None, str]]


@pytest.fixture
def run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """Run the tool in this process; starting one takes seconds."""

    def call(*arguments: object) -> tuple[int | str | None, str]:
        path = str(TOOLS / TOOL)
        monkeypatch.setattr(sys, 'argv', [path, *map(str, arguments)])
        monkeypatch.setattr(sys, 'path', list(sys.path))
        status: int | str | None = 0
        try:
            runpy.run_path(path, run_name='__main__')
        except SystemExit as end:
            status = end.code
        return status, capsys.readouterr().out

    return call


@pytest.fixture(scope='module')
def masks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp('data') / 'masks'
    (root / 'deep').mkdir(parents=True)
    for number in range(12):
        name = f'{number}.png' if number else 'deep/0.v1.png'
        assert cv2.imwrite(str(root / name), blobs(number))
    return root


def content(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob('*')
        if path.is_file()
    }


def test_sidecar_says_what_was_done(
    masks: Path, tmp_path: Path, run: Run
) -> None:
    out = tmp_path / 'out'
    status, printed = run(
        'tags', masks, out, '--classes', *NAMES, '--background', 'c',
        '--min-share', '0.1',
    )  # fmt: skip
    assert status == 0
    assert '12/12 images' in printed
    assert list(content(out)) == ['labels.json']  # tags alone
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
    status, printed = run(
        'scribbles', masks, first, '--dataset', 'CamVidDataset',
        '--length', '0.5', '0.6', '--seed', '4', '--workers', '1',
    )  # fmt: skip
    assert status == 0
    assert 'first: 12 images, ' in printed
    picture = Image.open(first / '3.png')
    palette = np.array(picture.getpalette()).reshape(-1, 3)
    colours = CamVidDataset.METAINFO['palette']
    assert palette[:11].tolist() == colours
    assert palette[255].tolist() == [255] * 3
    # Classes come from the first folder now.
    assert run('shrink', first, second, '--ratio', '0.2')[0] == 0
    long, short = (
        np.array(Image.open(folder / '3.png')) for folder in (first, second)
    )
    assert np.array_equal(
        short, simulate.shrink_scribbles(long, ratio=0.2, seed=0, image_id='3')
    )
    before = content(second)
    again = ('shrink', first, second, '--ratio', '0.9')
    status, _ = run(*again)
    assert isinstance(status, str)  # printed on stderr, with status 1
    assert status.startswith('simulate_labels.py: error: ')
    assert 'second exists' in status
    assert '\n' not in status
    assert content(second) == before
    assert run(*again, '--overwrite')[0] == 0
    assert content(second) != before


def test_classes_by_spaces_commas_or_lines(
    masks: Path, tmp_path: Path, run: Run
) -> None:
    listed = tmp_path / 'classes.txt'
    listed.write_text('\n'.join(NAMES))
    ways = [NAMES, ['a,b,c,d,e'], ['a,', 'b,', 'c,', 'd,', 'e'], [listed]]
    for number, way in enumerate(ways):
        out = tmp_path / str(number)
        assert run('points', masks, out, '--classes', *way)[0] == 0
        sidecar = json.loads((out / 'labels.json').read_text())
        assert sidecar['classes'] == list(NAMES)
    status, _ = run('drop', out, tmp_path / 'x', '--classes', 'a,b,c,e,d',
                    '--ratio', '0.5')  # fmt: skip
    assert 'are of the classes a, b, c, d, e, not a, b, c, e, d' in status


def test_bad_classes_are_named(masks: Path, tmp_path: Path, run: Run) -> None:
    out = tmp_path / 'out'
    for arguments, message in (
        ((), 'labels.json, so give --classes'),
        (('--dataset', 'NoSuchSet'), "'NoSuchSet' is no dataset type"),
        (('--classes', 'a', '--background', 'z'), "'z' is none of"),
    ):
        status, _ = run('tags', masks, out, *arguments)
        assert message in str(status)
    assert not out.exists()


def test_help_lists_every_option_and_imports_nothing_heavy(
    tmp_path: Path,
) -> None:
    python = (sys.executable, '-X', 'importtime')
    done = tool(TOOL, 'points', '--help', cwd=tmp_path, python=python)
    for option in ('--placement', '--per-region', '--workers', '--seed'):
        assert option in done.stdout
    assert 'numpy' not in done.stderr
