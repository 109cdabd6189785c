"""Refinement and random walk, each image as if it were alone."""

import itertools

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from mmseg_sparse.functional import pixel_adaptive_refine
from mmseg_sparse.functional.token_centers import Centers
from mmseg_sparse.models.segmentors.label_propagation import (
    LabelPropagation,
    Transition,
)
from tests.reference import cam as reference

F64 = torch.float64
GRID = (4, 6)
SIZE = (32, 48)  # tokens of 8x8 pixels
INSIDE = ((4, 6), (3, 4))
OPTIONS = dict(
    refine_scale=0.5, softmax=True, radius=2, alpha=2.0, by='affinity'
)


class Refiner(nn.Module):
    """PAR with small steps; notes what it is given."""

    def refine(self, prob, image, valid=None, present=None):
        self.given = prob, image, valid, present
        refined = pixel_adaptive_refine(
            prob, image, dilations=(1, 3), num_iters=2, valid=valid
        )
        return refined * present[:, :, None, None]


@pytest.fixture
def case():
    generator = torch.Generator().manual_seed(0)

    def rand(*shape):
        return torch.rand(*shape, dtype=F64, generator=generator)

    valid = torch.zeros(2, *SIZE, dtype=torch.bool)
    for mask, (rows, columns) in zip(valid, INSIDE, strict=True):
        mask[: 8 * rows, : 8 * columns] = True
    tags = torch.tensor([[1.0, 0.0, 1.0], [0.0, 0.0, 1.0]])
    cam = rand(2, 3, *SIZE) * valid[:, None]
    images = rand(2, 3, *SIZE)
    affinity = rand(2, 24, 24)
    return cam, tags, valid, images, affinity + affinity.transpose(1, 2)


def by_hand(cam, tags, score, affinity, grid, alpha, radius):
    """Softmax, eq. 6 and 7 of one image (K, h, w), token by token."""
    shown = [0, *(1 + k for k, hot in enumerate(tags) if hot)]
    places = list(itertools.product(range(grid[0]), range(grid[1])))
    start = torch.zeros(len(tags) + 1, len(places), dtype=F64)
    for index, (y, x) in enumerate(places):
        scores = [score, *cam[:, y, x].tolist()]
        powers = {c: torch.tensor(scores[c]).double().exp() for c in shown}
        for c in shown:
            start[c, index] = powers[c] / sum(powers.values())
    walked = torch.zeros_like(start)
    for i, (y, x) in enumerate(places):
        row = {
            k: affinity[i, k] ** alpha
            for k, (v, u) in enumerate(places)
            if abs(v - y) <= radius and abs(u - x) <= radius
        }
        for k, power in row.items():
            walked[:, i] += power / sum(row.values()) * start[:, k]
    return walked.view(-1, *grid)


def test_walk_equals_each_image_alone(case):
    cam, tags, valid, _, affinity = case
    propagation = LabelPropagation(None, **OPTIONS)
    scores = (0.6, 0.25)
    transition = Transition(affinity, GRID)
    found = propagation.walk(cam, tags, scores, valid, transition)
    for n, (rows, columns) in enumerate(INSIDE):
        size = (8 * rows, 8 * columns)
        tokens = [y * 6 + x for y in range(rows) for x in range(columns)]
        alone = affinity[n][tokens][:, tokens]
        small = F.interpolate(
            cam[n : n + 1, :, : size[0], : size[1]], (rows, columns),
            mode='bilinear',
        )[0]  # fmt: skip
        for score, maps in zip(scores, found, strict=True):
            walked = by_hand(
                small, tags[n], score, alone, (rows, columns), 2.0, 2
            )
            for c, grid in enumerate(walked):
                expected = reference.bilinear(grid, *size)
                inner = maps[n, c, : size[0], : size[1]]
                assert torch.allclose(inner, expected, atol=1e-9)


def test_walk_between_true_centres_equals_each_image_alone(case):
    """Tokens at rows 1, 9, 17, 25 and columns 0, 8, ... of the pixels."""
    cam, tags, valid, _, affinity = case
    propagation = LabelPropagation(None, **OPTIONS)
    places = (Centers(8.0, 1.0), Centers(8.0, 0.0))
    transition = Transition(affinity, GRID, places)
    (found,) = propagation.walk(cam, tags, [0.6], valid, transition)
    for n, (rows, columns) in enumerate(INSIDE):
        tokens = [y * 6 + x for y in range(rows) for x in range(columns)]
        small = cam[n, :, 1 : 8 * rows : 8, : 8 * columns : 8]
        walked = by_hand(
            small, tags[n], 0.6, affinity[n][tokens][:, tokens],
            (rows, columns), 2.0, 2,
        )  # fmt: skip
        for c, grid in enumerate(walked):
            for y, x in ((0, 0), (1, 8), (13, 10), (8 * rows - 1, 5)):
                v, u = max((y - 1) / 8, 0), x / 8
                v = min(v, rows - 1)
                top, left = min(int(v), rows - 2), min(int(u), columns - 2)
                down, right = v - top, u - left
                upper = grid[top, left : left + 2].tolist()
                lower = grid[top + 1, left : left + 2].tolist()
                expected = (1 - down) * (
                    (1 - right) * upper[0] + right * upper[1]
                ) + down * ((1 - right) * lower[0] + right * lower[1])
                assert found[n, c, y, x].item() == pytest.approx(expected)


def test_refine_equals_each_image_alone(case):
    cam, tags, valid, images, _ = case
    refiner = Refiner()
    propagation = LabelPropagation(refiner, **OPTIONS)
    shown = tags > 0
    maps = [cam, cam.flip(1).square() * valid[:, None]]
    found = propagation.refine(maps, images, valid, shown)
    _, small, inside, present = refiner.given
    assert small.shape[2:] == (16, 24)
    assert torch.equal(present, torch.cat([shown, shown], 1))
    assert inside.sum() == valid.sum() / 4
    for n, (rows, columns) in enumerate(INSIDE):
        size = (8 * rows, 8 * columns)
        half = (4 * rows, 4 * columns)
        crop = (slice(n, n + 1), slice(None), *map(slice, size))
        for before, after in zip(maps, found, strict=True):
            expected = (
                pixel_adaptive_refine(
                    F.interpolate(before[crop], half, mode='bilinear'),
                    F.interpolate(images[crop], half, mode='bilinear'),
                    dilations=(1, 3),
                    num_iters=2,
                )
                * shown[n][None, :, None, None]
            )
            expected = F.interpolate(expected, size, mode='bilinear')
            assert torch.allclose(after[crop], expected, atol=1e-9)


def test_without_refiner_maps_stay(case):
    cam, tags, valid, images, _ = case
    propagation = LabelPropagation(None, **OPTIONS)
    (found,) = propagation.refine([cam], images, valid, tags > 0)
    assert found is cam


@pytest.mark.parametrize(
    ('changes', 'words'),
    [
        (dict(by='heads'), "propagation must be in .* got 'heads'"),
        (dict(refine_scale=0.0), r'refine_scale must lie in \(0, 1\], got 0'),
        (dict(radius=-1), 'positive, got -1 and 2'),
        (dict(alpha=0.0), 'positive, got 2 and 0'),
    ],
)
def test_refuses(changes, words):
    with pytest.raises(ValueError, match=words):
        LabelPropagation(None, **OPTIONS | changes)
