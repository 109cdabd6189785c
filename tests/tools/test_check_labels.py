"""The doctor's tool: exit statuses, files, what it will not overwrite."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.helpers.sick_labels import CLASSES, healthy, save, strokes
from tests.helpers.tools import call

Run = Callable[..., tuple[int, str, str]]

CONFIG = """\
train_dataloader = dict(dataset=dict(
    type='BaseSegDataset', metainfo=dict(classes={classes}), data_root={root},
    data_prefix=dict(img_path='images', seg_map_path='scribbles'),
    pipeline=[dict(type='LoadImageFromFile'), dict(type='LoadAnnotations')]))
"""


@pytest.fixture
def run(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Run:
    """Run the tool in the folder of the data set."""
    monkeypatch.chdir(healthy(tmp_path))
    text = CONFIG.format(classes=CLASSES, root=str(tmp_path))
    text = text.replace(f'data_root={tmp_path}', "data_root='.'")
    (tmp_path / 'my.py').write_text(text)

    def tool(*arguments: str) -> tuple[int, str, str]:
        done = call('check_labels', *arguments, cwd=tmp_path, check=False)
        return done.returncode, done.stdout, done.stderr

    return tool


def test_a_healthy_data_set_ends_with_0(run: Run) -> None:
    status, out, _ = run('my.py')
    folder = Path('work_dirs/check_labels/my-train')
    assert status == 0
    assert 'Findings: 0 errors, 0 warnings, 0 notes' in out
    assert out.endswith(
        f'written: {folder}/report.txt, report.json, report.png\n'
    )
    assert (folder / 'report.txt').read_text() in out
    report = json.loads((folder / 'report.json').read_text())
    assert [row['pixels'] for row in report['classes']] == [16, 16, 16]
    assert report['supervision'] == {'scribble': 4}
    with Image.open(folder / 'report.png') as sheet:
        assert sheet.width == 1300
        assert sheet.height > 600


def test_warnings_end_with_0_and_errors_with_1(run: Run) -> None:
    save(Path('scribbles/b.png'), np.full((12, 16), 255, np.uint8))
    status, out, _ = run('my.py')
    assert (status, 'warning: images have no' in out) == (0, True)
    Path('scribbles/c.png').write_bytes(b'')
    status, out, _ = run('my.py')
    assert status == 1
    assert 'error: label files cannot be read [unreadable, 1]\n' in out
    assert '    ./scribbles/c.png: no picture\n  to correct it: write' in out
    assert 'the old report will be replaced' in out


def test_a_folder_and_its_options(run: Run) -> None:
    status, out, _ = run('scribbles', '--classes', ','.join(CLASSES))
    assert (status, out.count('16   33.3 %')) == (0, 3)
    # The root of the data set, and more classes, by a file.
    Path('names.txt').write_text('\n'.join([*CLASSES, 'car']))
    status, out, _ = run('.', '--classes', 'names.txt', '--out', 'report')
    assert 'classes are never labelled: car' in out
    assert Path('report/report.json').is_file()
    status, out, _ = run('.', '--out', 'unknown')
    assert 'the classes are not known' in out


def test_dense_masks_can_be_named_or_not_wanted(run: Run) -> None:
    for index, name in enumerate('abcd'):
        mask = np.maximum(strokes(index) % 255, 1).astype(np.uint8)
        save(Path(f'masks/{name}.png'), mask)
        save(Path(f'others/{name}.png'), np.full((12, 16), 2, np.uint8))
    status, out, _ = run('my.py')
    assert 'comparing with the dense masks in masks ' in out
    assert '33.3 % of the labelled pixels have another class' in out
    assert status == 1
    status, out, _ = run('my.py', '--dense', 'others')
    assert '66.7 % of the labelled pixels have another class' in out
    status, out, _ = run('my.py', '--dense', 'none')
    assert (status, 'dense' in out) == (0, False)


def test_a_part_of_the_images(run: Run) -> None:
    status, out, _ = run('my.py', '--max-images', '2', '--workers', '0')
    assert status == 0
    assert 'reading 2 of 4 images' in out
    assert '2 images, 2 readable' in out


def test_settings_of_the_config_can_be_overridden(run: Run) -> None:
    option = 'train_dataloader.dataset.reduce_zero_label=True'
    _, out, _ = run('my.py', '--cfg-options', option)
    assert '[reduce-zero-label-excess, 4]' in out


@pytest.mark.parametrize(
    ('arguments', 'told'),
    [
        (['no.py'], "mmseg_sparse, got 'no.py'"),
        (['my.py', '--split', 'val'], 'no val_dataloader'),
        (['my.py', '--classes', 'a,b'], '--classes is for a FOLDER'),
        (['my.py', '--dense', 'no'], "--dense: no folder 'no'"),
        (['my.py', '--workers', '-1'], '--workers: must be at least 0'),
        (['my.py', '--max-images', '0'], '--max-images: must be at least 1'),
        (['my.py', '--ignore-index', '256'], 'must lie in 0..255, got 256'),
        (['scribbles', '--split', 'val'], 'no folder scribbles/val (--split)'),
        (['scribbles', '--classes', 'NoDataset'], "'NoDataset' is neither"),
        (['scribbles', '--images', 'no'], 'no folder of images: no'),
        (['my.py', '--out', 'my.py'], "--out is not a folder: 'my.py'"),
        (['broken.py'], 'broken.py: '),
    ],
)
def test_misuse_is_one_line_and_ends_with_2(
    arguments: list[str], told: str, run: Run
) -> None:
    Path('broken.py').write_text("_base_ = 'nowhere.py'")
    status, _, err = run(*arguments)
    assert status == 2
    (line,) = (x for x in err.splitlines() if 'error: ' in x)
    assert line.partition(': error: ')[0] in (
        'check_labels.py', 'python -m mmseg_sparse check_labels'
    )  # fmt: skip
    assert told in line
    assert not Path('work_dirs').exists()


def test_several_kinds_of_labels_must_be_told_apart(run: Run) -> None:
    Path('points').mkdir()
    status, _, err = run('.')
    assert status == 2
    assert 'name one of points, scribbles' in err


def test_files_of_others_are_not_replaced(run: Run) -> None:
    Path('mine').mkdir()
    Path('mine/report.txt').write_text('mine')
    status, _, err = run('my.py', '--out', 'mine')
    assert status == 2
    assert 'report.txt is not replaced' in err
    assert [p.name for p in Path('mine').iterdir()] == ['report.txt']


@pytest.mark.parametrize('folder', ['scribbles', 'masks'])
def test_the_voc_samples(folder: str, data_root: Path, run: Run) -> None:
    status, out, _ = run(
        str(data_root / 'voc_samples' / folder), '--classes',
        'PascalVOCDataset',
    )  # fmt: skip
    assert status == 0
    assert '15 person            1' in out
    assert ('2.23 %' in out) == (folder == 'scribbles')
