"""The tool end to end, on toy images and models that know nothing."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from mmseg_sparse.doctor import relative_distance
from mmseg_sparse.models.losses import BLPLoss
from tests.helpers.label_preference_case import folder, run
from tests.helpers.tools import load
from tests.reference import label_preference as reference

__all__ = ['folder', 'run']
FILES = ['distribution.csv', 'distribution.png', 'pictures.png',
         'precision.csv', 'precision.png', 'summary.json']  # fmt: skip


def read_table(path: Path) -> dict[str, list[str]]:
    rows = list(csv.reader(path.open()))
    return dict(zip(rows[0], zip(*rows[1:], strict=True), strict=True))


def numbers(column: list[str]) -> list[float]:
    return [float(value or 'nan') for value in column]


def test_two_models_on_the_toy_images(run: Callable[..., str]) -> None:
    out = run('blp_x.py', 'blp.pth', '--baseline', 'ce_x.py', 'ce.pth',
              '--pictures', '2', '--width', '96', '--out', 'two',
              '--device', 'cpu')  # fmt: skip
    assert sorted(path.name for path in Path('two').iterdir()) == FILES
    shares = read_table(Path('two/distribution.csv'))
    assert list(shares) == [
        'above', 'up_to', 'mask_labels', 'scribble_labels',
        'annotation_probability blp', 'segmentation_probability blp',
        'segmentation_probability ce',
    ]  # fmt: skip
    pairs = [
        (np.asarray(Image.open(path)),
         np.asarray(Image.open(str(path).replace('masks', 'scribbles'))))
        for path in sorted(Path('data/masks/train').iterdir())
    ]  # fmt: skip
    placed = [relative_distance(dense) for dense, _ in pairs]
    labeled = np.concatenate([
        one[(one > 0) & (labels != 255)]
        for one, (_, labels) in zip(placed, pairs, strict=True)
    ])  # fmt: skip
    counts = np.bincount([reference.bin_of(d) for d in labeled], minlength=20)
    np.testing.assert_allclose(
        numbers(shares['scribble_labels']), counts / counts.sum(), atol=1e-6
    )
    for column in list(shares)[2:]:
        assert sum(numbers(shares[column])) == pytest.approx(1, abs=1e-5)
    precision = read_table(Path('two/precision.csv'))
    assert list(precision) == ['above', 'up_to', 'pixels', 'blp', 'ce']
    pixels = np.array(numbers(precision['pixels']))
    assert pixels.sum() == sum((one > 0).sum() for one in placed)
    summary = json.loads(Path('two/summary.json').read_text())
    for name in ('blp', 'ce'):
        right = np.nansum(pixels * numbers(precision[name]))
        near = np.nansum((pixels * numbers(precision[name]))[:4])
        assert summary['precision'][name] == pytest.approx(
            dict(all=right / pixels.sum(), up_to_0_2=near / pixels[:4].sum()),
            abs=1e-5,
        )
    masks = summary['distributions']['mask_labels']
    other = np.abs(
        np.array(numbers(shares['mask_labels'])) - counts / counts.sum()
    )
    assert masks['difference_from_scribble_labels'] == pytest.approx(
        other.sum() / 2, abs=1e-5
    )
    assert (summary['images'], summary['gamma']) == (5, 2.0)
    assert '5 of 5 images of the train data set' in out
    sheet = Image.open('two/pictures.png')
    assert sheet.width == 12 + 5 * (96 + 12)
    assert sheet.height > 2 * 96


def test_a_part_of_the_images_by_seed(run: Callable[..., str]) -> None:
    tables = []
    for number, seed in enumerate(('0', '0', '3')):
        out = run('blp_x.py', 'blp.pth', '--limit', '2', '--seed', seed,
                  '--pictures', '0', '--out', f'part{number}')  # fmt: skip
        assert '2 of 5 images' in out
        tables.append(Path(f'part{number}/distribution.csv').read_text())
        assert not Path(f'part{number}/pictures.png').exists()
    assert tables[0] == tables[1] != tables[2]


def test_val_has_its_labels_for_masks(run: Callable[..., str]) -> None:
    run('blp_x.py', 'blp.pth', '--split', 'val', '--gamma', '0.5')
    out = Path('work_dirs/label_preference/blp_x-val')
    shares = read_table(out / 'distribution.csv')
    assert 'scribble_labels' not in shares
    summary = json.loads((out / 'summary.json').read_text())
    assert (summary['images'], summary['gamma']) == (2, 0.5)
    assert 'NaN' not in (out / 'summary.json').read_text()


def test_nothing_is_overwritten_silently(run: Callable[..., str]) -> None:
    arguments = ['blp_x.py', 'blp.pth', '--limit', '1', '--pictures', '0']
    Path('mine').mkdir()
    Path('mine/pictures.png').write_text('mine')
    with pytest.raises(SystemExit, match=r'mine.pictures\.png exists: name'):
        run(*arguments, '--out', 'mine')
    assert len(list(Path('mine').iterdir())) == 1
    run(*arguments, '--out', 'mine', '--overwrite')
    assert len(list(Path('mine').iterdir())) == 6


def test_models_of_one_method_are_told_apart() -> None:
    names = load('label_preference').short_names
    assert names(['a/blp_r18_x.py', 'b/ce_r18_x.py']) == ['blp', 'ce']
    assert names(['a/blp_r18.py', 'b/blp_r50.py']) == ['blp_r18', 'blp_r50']
    same = names(['a/blp_r18.py', 'b/blp_r18.py', 'ce_r18.py'])
    assert same == ['blp_r18', 'blp_r18 (2)', 'ce_r18']


def test_gamma_is_that_of_the_loss() -> None:
    class Head:
        loss_decode = torch.nn.ModuleList(
            [torch.nn.Identity(), torch.nn.Identity()]
        )

    class Predictor:
        head = Head

    tool = load('label_preference')
    assert tool.gamma_of(Predictor) == 2
    Head.loss_decode[1] = BLPLoss(gamma=3.5)
    assert tool.gamma_of(Predictor) == 3.5
    Head.loss_decode = Head.loss_decode[1]
    assert tool.gamma_of(Predictor) == 3.5
