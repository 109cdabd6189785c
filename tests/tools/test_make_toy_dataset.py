"""The tool that makes the toy data set."""

import numpy as np
import pytest
from PIL import Image

from tests.helpers.tools import call


def run(folder, *arguments, check=True):
    return call(
        'make_toy_dataset', 'out', '--num-train', '6', '--num-val', '1',
        *arguments, cwd=folder, check=check,
    )  # fmt: skip


def classes(folder):
    """How many classes each training mask shows, the background left out."""
    found = []
    for path in sorted((folder / 'out/masks/train').glob('*.png')):
        labels = np.unique(np.asarray(Image.open(path)))
        found.append(len(set(labels.tolist()) - {0, 255}))
    return found


def test_images_have_as_many_shapes_as_asked(tmp_path):
    done = run(tmp_path, '--shapes', '1', '1')
    assert 'out: made' in done.stdout
    assert classes(tmp_path) == [1] * 6
    assert 'out: current, kept' in run(tmp_path, '--shapes', '1', '1').stdout
    assert 'out: made' in run(tmp_path).stdout
    assert max(classes(tmp_path)) > 1


@pytest.mark.parametrize('shapes', [('0', '2'), ('3', '2')])
def test_numbers_of_shapes_are_checked(shapes, tmp_path):
    done = run(tmp_path, '--shapes', *shapes, check=False)
    assert done.returncode == 2
    assert f'got {shapes[0]} and {shapes[1]}' in done.stderr
    assert not (tmp_path / 'out').exists()
