"""Refining a folder of soft predictions."""

import json

import cv2
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from mmseg_sparse.functional import (
    PairwiseKernels,
    mean_field,
    pixel_adaptive_refine,
)
from mmseg_sparse.labels.heatmap_file import read_heatmaps, write_heatmaps
from mmseg_sparse.models.refiners import ClassLabelFilter, DenseCRF
from mmseg_sparse.models.refiners import PixelAdaptiveRefinement as PAR
from mmseg_sparse.pseudo_labels.refine_maps import refine_maps
from tests.helpers import tools

HEIGHT, WIDTH = 23, 31
KERNEL = dict(dilations=(1, 3), num_iters=4, w_rgb=0.2, w_pos=0.4, w_mix=0.05)


@pytest.fixture
def root(tmp_path):
    """Heat maps of two classes in a folder, and an array of logits."""
    rng = np.random.default_rng(0)
    for name in ('a/one', 'two'):
        image = rng.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
        image = cv2.GaussianBlur(image, (5, 5), 2)
        (tmp_path / 'images/a').mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(tmp_path / f'images/{name}.png')
    maps = rng.random((2, HEIGHT, WIDTH)).astype(np.float16)
    write_heatmaps(
        tmp_path / 'maps/a/one.npz', maps, np.array([1, 4]), num_classes=6
    )
    logits = rng.normal(size=(3, 11, 15)).astype(np.float32)
    np.save(tmp_path / 'maps/two.npy', logits)
    return tmp_path


def picture(root, name):
    image = np.asarray(Image.open(root / f'images/{name}.png'))
    return torch.tensor(image).permute(2, 0, 1)[None].float()


def test_maps_of_present_classes_are_refined_by_the_image(root):
    (root / 'maps/two.npy').unlink()
    refine_maps(
        root / 'maps',
        root / 'images',
        root / 'out',
        PAR(**KERNEL),
    )
    given = read_heatmaps(root / 'maps/a/one.npz')
    found = read_heatmaps(root / 'out/a/one.npz')
    expected = pixel_adaptive_refine(
        torch.tensor(given.maps.astype(np.float32))[None],
        picture(root, 'a/one'), **KERNEL,
    )[0]  # fmt: skip
    assert found.num_classes == 6
    assert found.classes.tolist() == [1, 4]
    assert np.abs(found.maps - expected.numpy() / 1.05**4).max() < 1e-3
    assert np.abs(found.maps - given.maps).max() > 0.1


def test_arrays_of_any_size_become_probabilities_and_keep_it(root):
    (root / 'maps/a/one.npz').unlink()
    refiner = PAR(scale=0.5, **KERNEL)
    refine_maps(
        root / 'maps', root / 'images', root / 'out', refiner, softmax=True
    )
    prob = torch.tensor(np.load(root / 'maps/two.npy')).softmax(0)[None]
    small = (12, 16)  # half of 23 and 31, rounded to even
    expected = pixel_adaptive_refine(
        F.interpolate(prob, small, mode='bilinear'),
        F.interpolate(picture(root, 'two'), small, mode='area'),
        **KERNEL,
    )
    expected = F.interpolate(expected / 1.05**4, (11, 15), mode='bilinear')[0]
    found = np.load(root / 'out/two.npy')
    assert found.shape == (3, 11, 15)
    assert np.abs(found - expected.numpy()).max() < 1e-5
    assert np.abs(found.sum(0) - 1).max() < 1e-5


def test_a_crf_refines_probabilities_and_what_they_lack(root):
    widths = dict(
        sigma_rgb=20.0, sigma_xy=8.0, weight=3.0, smooth_sigma=2.0,
        smooth_weight=1.0,
    )  # fmt: skip
    refiner = DenseCRF(scale=0.5, num_iters=2, **widths)
    with pytest.raises(ValueError, match=r'two\.npy: .* got values below 0'):
        refine_maps(root / 'maps', root / 'images', root / 'out', refiner)
    (root / 'maps/two.npy').unlink()
    refine_maps(root / 'maps', root / 'images', root / 'out', refiner)
    given = read_heatmaps(root / 'maps/a/one.npz')
    prob = torch.tensor(given.maps.astype(np.float32))[None]
    small = (12, 16)
    prob = F.interpolate(prob, small, mode='bilinear')
    prob = torch.cat([prob, (1 - prob.sum(1, True)).clamp(min=0)], 1)
    expected = mean_field(
        prob,
        F.interpolate(picture(root, 'a/one'), small, mode='area'),
        PairwiseKernels(**widths | dict(sigma_xy=4.0, smooth_sigma=1.0)),
        num_iters=2,
    )[:, :-1]
    expected = F.interpolate(expected, (HEIGHT, WIDTH), mode='bilinear')[0]
    found = read_heatmaps(root / 'out/a/one.npz')
    assert np.abs(found.maps - expected.numpy()).max() < 1e-3
    told = json.loads((root / 'out/refined.json').read_text())['options']
    assert told['refiner'] == 'DenseCRF'
    assert told['sigma_xy'] == 8.0
    with pytest.raises(FileExistsError, match=r'refiner=.DenseCRF. there'):
        refine_maps(root / 'maps', root / 'images', root / 'out', PAR())
    with pytest.raises(TypeError, match='got a ClassLabelFilter'):
        refine_maps(
            root / 'maps', root / 'images', root / 'o', ClassLabelFilter()
        )


def stop(done, total):
    raise KeyboardInterrupt


def test_goes_on_and_mixes_no_settings(root):
    folders = root / 'maps', root / 'images', root / 'out'
    with pytest.raises(KeyboardInterrupt):
        refine_maps(*folders, PAR(), progress=stop)
    assert refine_maps(*folders, PAR()) == (1, 1)
    assert refine_maps(*folders, PAR()) == (0, 2)
    first = (root / 'out/two.npy').read_bytes()
    with pytest.raises(FileExistsError, match=r'num_iters=10 there, 3 here'):
        refine_maps(*folders, PAR(num_iters=3))
    assert (root / 'out/two.npy').read_bytes() == first
    with pytest.raises(KeyboardInterrupt):
        refine_maps(
            *folders,
            PAR(num_iters=3),
            overwrite=True,
            progress=stop,
        )
    # What the old settings made is gone, so that it cannot be taken for new.
    assert not (root / 'out/two.npy').exists()
    assert refine_maps(*folders, PAR(num_iters=3)) == (
        1,
        1,
    )
    told = json.loads((root / 'out/refined.json').read_text())
    assert told['options']['scale'] == 1.0
    (root / 'maps').rename(root / 'moved')
    with pytest.raises(FileExistsError, match=r'maps=.*maps. there, .*moved'):
        refine_maps(root / 'moved', *folders[1:], PAR(num_iters=3))
    (root / 'moved').rename(root / 'maps')
    np.save(root / 'maps/two.npy', np.load(root / 'maps/two.npy') / 2)
    assert refine_maps(*folders, PAR(num_iters=3)) == (
        1,
        1,
    )
    (root / 'maps/heatmaps.json').write_text('{"of": 1}')
    with pytest.raises(FileExistsError, match='heatmaps=None there'):
        refine_maps(*folders, PAR(num_iters=3))


def test_bad_input_is_named(root):
    folders = root / 'maps', root / 'images', root / 'out'
    with pytest.raises(FileNotFoundError, match='none is not a folder'):
        refine_maps(root / 'none', *folders[1:], PAR())
    for out in ('maps', 'maps/below'):
        with pytest.raises(ValueError, match='output folder outside of'):
            refine_maps(*folders[:2], root / out, PAR())
    with pytest.raises(ValueError, match=r'scale must lie in \(0, 1\], got 2'):
        PAR(scale=2)
    with pytest.raises(ValueError, match=r'one\.npz: heat maps are not'):
        refine_maps(*folders, PAR(), softmax=True)
    for array, words in (
        (np.zeros((3, 4), np.float32), r'got float32 \(3, 4\)'),
        (np.zeros((3, 4, 5), np.int64), 'got int64'),
        (np.full((3, 4, 5), np.nan), 'not finite'),
    ):
        np.save(root / 'maps/two.npy', array)
        with pytest.raises(ValueError, match=words):
            refine_maps(*folders, PAR())
    (root / 'maps/two.npy').write_bytes(b'nothing')
    with pytest.raises(ValueError, match=r'two\.npy: cannot be read'):
        refine_maps(*folders, PAR())
    (root / 'images/two.png').unlink()
    with pytest.raises(FileNotFoundError, match=r'one image .*two\.\*'):
        refine_maps(*folders, PAR())
    (root / 'other').mkdir()
    (root / 'other/notes.txt').write_text('mine')
    (root / 'maps/two.npy').unlink()
    with pytest.raises(FileExistsError, match='has files and no refined'):
        refine_maps(*folders[:2], root / 'other', PAR())
    assert (root / 'other/notes.txt').read_text() == 'mine'


def test_the_tool_says_what_it_did(root):
    (root / 'maps/two.npy').unlink()
    arguments = ('maps', 'images', 'out', '--device', 'cpu')
    old = tools.call('refine_maps', *arguments, '--num-iters', '2', cwd=root)
    assert 'out: 1 written, 0 skipped' in old.stdout
    assert 'DeprecationWarning: refine_maps is now called' in old.stderr
    done = tools.call('generate', 'refine', *arguments, cwd=root, check=False)
    assert done.returncode != 0
    assert 'num_iters=2 there, 10 here' in done.stderr
    assert 'Traceback' not in done.stderr
    crf = ('generate', 'refine', 'maps', 'images', 'crf', '--refiner', 'crf')
    tools.call(*crf, '--sigma-xy', '9', '--scale', '0.5', cwd=root)
    told = json.loads((root / 'crf/refined.json').read_text())['options']
    assert (told['sigma_xy'], told['weight']) == (9.0, 4.0)
    done = tools.call(*crf, '--w-mix', '0.1', cwd=root, check=False)
    assert '--w-mix is no setting of --refiner crf' in done.stderr
