"""Samples on sheets: what is drawn and written is what the pipeline gives."""

import sys
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.helpers import own_data
from tests.helpers.tools import load

PALETTE = [[0, 0, 0], [200, 0, 0], [0, 150, 0]]
CONFIG = """\
train_dataloader = dict(dataset=dict(
    type='SparseSegDataset', classes=('background', 'cat', 'dog'),
    palette=[[0, 0, 0], [200, 0, 0], [0, 150, 0]], data_root='own',
    data_prefix=dict(img_path='images', seg_map_path='masks',
                     scribble='scribbles', point='points'),
    ann_file='train.txt', pipeline=[
        dict(type='LoadImageFromFile'), dict(type='LoadSparseAnnotations'),
        dict(type='PackSparseInputs')]))
model = dict(data_preprocessor=dict(
    type='SegDataPreProcessor', size=(8, 14)))
"""


browse = load('browse_dataset')


@pytest.fixture
def run(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Callable[..., str]:
    """Run the tool on four images of 7 x 5; return what it prints."""
    monkeypatch.chdir(tmp_path)
    own_data.make(Path('own'))
    Path('my.py').write_text(CONFIG)

    def tool(*arguments: str) -> str:
        monkeypatch.setattr(sys, 'argv', ['browse_dataset.py'])
        browse.main(arguments)
        return capsys.readouterr().out

    return tool


def test_what_is_written_and_told(run: Callable[..., str]) -> None:
    out = run('my.py', '--out', 'new')
    lines = [line for line in out.splitlines() if line[1:2] == '/']
    # 35 pixels of 8 x 14 are image; b has 2 labelled pixels, c has 1. The
    # list names a dog in b, its labels a cat.
    assert lines == [
        '1/4 a  7x5: 100 % labelled, 68.8 % padding',
        '2/4 b  7x5: 5.71 % labelled, 2 pieces, 68.8 % padding; '
        'tags: cat, dog',
        '3/4 c  7x5: 2.86 % labelled, 1 piece, 68.8 % padding',
        '4/4 d  7x5: 0 % labelled, 0 pieces, 68.8 % padding; tags: cat, dog',
    ]
    assert sorted(path.name for path in Path('new').iterdir()) == [
        '00000_a.png', '00001_b.png', '00002_c.png', '00003_d.png',
        'sheet.png',
    ]  # fmt: skip
    single = np.asarray(Image.open('new/00002_c.png'))
    sheet = np.asarray(Image.open('new/sheet.png'))
    image = np.asarray(Image.open('own/images/c.jpg'))
    # Below heading and titles the sheets have the image, RGB again, and
    # enlarged: it is in a sample of 8 x 14.
    factor = round(browse.SIDE / 14)
    image = image.repeat(factor, 0).repeat(factor, 1)
    for picture in (single, sheet[:, :]):
        top = np.argwhere((picture == image[0, 0]).all(-1))
        assert any(
            np.array_equal(
                picture[y : y + 5 * factor, x : x + 7 * factor], image
            )
            for y, x in top
        )
    assert (single == PALETTE[2]).all(-1).any()  # the stroke, and the legend


def test_nothing_is_overwritten_silently(run: Callable[..., str]) -> None:
    run('my.py', '--out', 'new', '--number', '1')
    before = Path('new/sheet.png').read_bytes()
    with pytest.raises(SystemExit, match=r'sheet\.png exists'):
        run('my.py', '--out', 'new')
    Path('new/sheet.png').unlink()
    with pytest.raises(SystemExit, match=r'00000_a\.png exists'):
        run('my.py', '--out', 'new')
    assert not Path('new/sheet.png').exists()
    run('my.py', '--out', 'new', '--overwrite')
    assert Path('new/sheet.png').read_bytes() != before


def order(total: int = 9, **given: object) -> list[int]:
    default = dict(shuffle=True, seed=0, start=0, number=99)
    return browse.choose(Namespace(**{**default, **given}), total)


def test_images_in_order_or_shuffled_by_the_seed() -> None:
    assert order(shuffle=False) == list(range(9))
    assert order(shuffle=False, start=7) == [7, 8]
    assert sorted(order()) == list(range(9))
    assert order() == order()
    assert order(start=2, number=3) == order()[2:5]
    assert len({tuple(order(seed=seed)) for seed in range(4)}) > 1


def test_a_sample_does_not_depend_on_the_others() -> None:
    class Noise:
        def __getitem__(self, index: int) -> np.ndarray:
            return np.random.rand(3)  # noqa: NPY002

    alone = list(browse.samples(Noise(), [5], seed=1))
    among = list(browse.samples(Noise(), [2, 5, 0], seed=1))
    assert np.array_equal(alone[0], among[1])
    assert not np.array_equal(among[0], among[1])
    other = list(browse.samples(Noise(), [5], seed=2))
    assert not np.array_equal(alone[0], other[0])


def test_strokes_are_widened_and_dense_labels_laid_over() -> None:
    image = np.full((30, 40, 3), 100, np.uint8)
    labels = np.full((30, 40), 255, np.uint8)
    labels[10, 20] = 1
    for widen, pixels in ((0, 1), (1, 5), (2, 13)):
        _, drawn = browse.draw(image, labels, PALETTE, widen)
        assert (drawn == PALETTE[1]).all(-1).sum() == pixels
    assert tuple(drawn[0, 0]) == (65, 65, 65)
    labels[:] = 2
    _, drawn = browse.draw(image, labels, PALETTE, None)
    # 0.4 x 100 + 0.6 x (0, 150, 0)
    assert (drawn == (40, 130, 40)).all()
    plain, drawn = browse.draw(image, None, PALETTE, None)
    assert plain is image
    assert (drawn == 235).all()


def test_padding_is_hatched_and_the_image_kept() -> None:
    picture = np.full((20, 30, 3), 9, np.uint8)
    hatched = browse.hatch(picture, (15, 22))
    assert (hatched[:15, :22] == 9).all()
    assert set(np.unique(hatched[15:])) == {200, 255}
    assert set(np.unique(hatched[:, 22:])) == {200, 255}
    assert browse.hatch(picture, (20, 30)) is picture


@pytest.mark.parametrize(
    ('arguments', 'told'),
    [
        (['no.py'], 'config not found'),
        (['my.py', '--split', 'test'], 'no test_dataloader'),
        (['my.py', '--start', '9'], 'there are only 4 images'),
        (['my.py', '--out', 'my.py'], '--out is not a folder'),
        (['my.py', '--cfg-options',
          'train_dataloader.dataset.ann_file=no.txt'], 'no.txt'),
        (['my.py', '--cfg-options', 'train_dataloader.dataset.pipeline.2.type'
          '=RandomRotFlip'], 'must end in PackSegInputs'),
    ],
)  # fmt: skip
def test_mistakes_are_one_line(
    arguments: list[str], told: str, run: Callable[..., str]
) -> None:
    with pytest.raises(
        SystemExit, match=r'^python -m mmseg_sparse browse_dataset: error: '
    ) as e:
        run(*arguments)
    assert told in str(e.value)
    assert '\n' not in str(e.value)
