"""The sheet of heat maps and labels."""

from functools import partial

import numpy as np
import pytest
from PIL import Image

from mmseg_sparse.labels.heatmap_file import write_heatmaps
from tests.helpers.tools import call, load

GREY = 100
#: The colours of the classes a, b and c, as the tools give them to names.
WIDTH = 40


@pytest.fixture
def folders(tmp_path):
    """Two images of 20×40 pixels; class 1 in the right half of the first."""
    for name in ('x/one', 'two'):
        image = np.full((20, 40, 3), GREY, np.uint8)
        labels = np.zeros((20, 40), np.uint8)
        labels[:, 20:] = 1
        truth = labels.copy()
        truth[:, 30:] = 2
        truth[:10] = 255
        for folder, array in (('images', image), ('labels', labels),
                              ('truth', truth)):  # fmt: skip
            path = tmp_path / folder / f'{name}.png'
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(array).save(path)
        maps = np.zeros((2, 20, 40), np.float32)
        maps[0], maps[1, :, 20:] = 0.5, 1.0
        write_heatmaps(
            tmp_path / f'maps/{name}.npz', maps, np.array([0, 1]),
            num_classes=3,
        )  # fmt: skip
    (tmp_path / 'labels/two.png').unlink()
    return tmp_path


@pytest.fixture
def run(folders):
    return partial(
        call, 'visualize_heatmaps', 'out.png', 'images', '--classes', 'a,b,c',
        '--width', WIDTH, cwd=folders, check=False,
    )  # fmt: skip


def pictures(folder, count):
    """The pictures of the first row."""
    sheet = np.asarray(Image.open(folder / 'out.png')).astype(int)
    top = 26  # below the titles
    step = WIDTH + 12
    assert sheet.shape[1] == 12 + count * step
    return [
        sheet[top : top + 20, 12 + i * step : 12 + i * step + WIDTH]
        for i in range(count)
    ], sheet


def test_maps_are_as_strong_as_the_winner_and_background_stays_grey(
    folders, run
):
    options = ['--maps', 'M=maps', '--labels', 'L=labels', '--truth', 'truth']
    done = run(*options, '--background', 'a')
    assert done.returncode == 0, done.stderr
    (image, maps, labels, truth), sheet = pictures(folders, 4)
    assert (image == GREY).all()
    # Resizing 40 to 40 changes nothing; only the right half is class b.
    assert (maps[:, :20] == GREY).all()
    assert (labels[:, :20] == GREY).all()
    color = (maps[10, 30] - 0.2 * GREY) / 0.8
    assert np.ptp(color) > 20
    assert np.abs(labels[10, 30] - maps[10, 30]).max() <= 1
    assert (truth[:10] == 255).all()
    assert (truth[15, 35] != truth[15, 25]).any()
    # Only the first image has all files: one row.
    assert sheet.shape[0] < 2 * (20 + 26) + 26 + 30
    assert run(*options, '--overwrite').returncode == 0
    (_, coloured, *_), _ = pictures(folders, 4)
    # The background's map, 0.5, in its colour; the other as before.
    assert not (coloured[:, :20] == GREY).all()
    assert np.array_equal(coloured[:, 20:], maps[:, 20:])


def test_share_of_right_labels_leaves_void_out():
    right = load('visualize_heatmaps').right
    truth = np.array([[0, 1, 1, 255]], np.uint8)
    labels = np.array([[0, 1, 2, 3]], np.uint8)
    assert right(labels, truth) == '67 % right'
    assert right(labels, None) == ''
    assert right(np.full_like(labels, 255), truth) == 'no label'


@pytest.mark.parametrize(
    ('arguments', 'words'),
    [
        ([], 'give --maps or --labels'),
        (['--maps', 'maps'], "with an existing folder, got 'maps'"),
        (['--maps', 'M=maps', '--images', 'six'], '--images: no six in'),
        (['--maps', 'M=maps', '--background', 'z'], "'z' is none of the cla"),
        (['--labels', 'L=labels', '--images', 'two'], 'labels/two.png'),
        (['--maps', 'M=images'], 'has a file in each of images'),
        (['--maps', 'M=maps', '--classes', 'a,b'], 'names 2'),
        (['--labels', 'L=truth', '--classes', 'a,b'], 'class 2, --classes n'),
    ],
)  # fmt: skip
def test_bad_input_is_named(arguments, words, folders, run):
    done = run(*arguments)
    assert done.returncode != 0
    assert words in done.stderr
    assert 'Traceback' not in done.stderr
    assert not (folders / 'out.png').exists()
