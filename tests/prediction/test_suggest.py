"""``suggest`` finds what is unsure, rare, far from labels and different."""

import csv
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from mmseg_sparse.prediction.suggest import (
    best_regions,
    choose_different,
    choose_groups,
    group_of,
    label_distance,
    rarity,
    uncertainty,
)
from tests.helpers.tools import call

from .test_predict import root  # noqa: F401


def test_uncertainty_is_what_its_formula_says() -> None:
    torch.manual_seed(1)
    variants = torch.randn(3, 4, 5, 6).double().softmax(1)
    mean = variants.mean(0).numpy()
    found = {
        by: uncertainty(list(variants), by).numpy()
        for by in ('margin', 'entropy', 'disagreement')
    }
    for y in range(5):
        for x in range(6):
            best = sorted(mean[:, y, x])
            assert found['margin'][y, x] == pytest.approx(
                1 - (best[-1] - best[-2])
            )

            def entropy(p: np.ndarray) -> float:
                return -sum(v * math.log(v) for v in p) / math.log(4)

            whole = entropy(mean[:, y, x])
            assert found['entropy'][y, x] == pytest.approx(whole)
            own = [entropy(v[:, y, x].numpy()) for v in variants]
            assert found['disagreement'][y, x] == pytest.approx(
                whole - sum(own) / 3
            )
    with pytest.raises(ValueError, match='--tta'):
        uncertainty([variants[0]], 'disagreement')


def test_rare_classes_weigh_more_within_limits() -> None:
    np.testing.assert_allclose(
        rarity(np.array([10**6, 100, 400, 0, 1])),
        [0.5, math.sqrt(2.5), math.sqrt(0.625), 1, 4],
        rtol=1e-6,
    )


def test_distance_from_labels_is_in_half_sides() -> None:
    labelled = np.zeros((9, 12), bool)
    labelled[4, 3] = True
    found = label_distance(labelled, 8)
    for y in range(9):
        for x in range(12):
            expected = min(1, math.hypot(y - 4, x - 3) / 4)
            assert found[y, x] == pytest.approx(expected)
    assert (label_distance(np.zeros((3, 4), bool), 8) == 1).all()


def test_regions_are_the_best_squares_and_do_not_overlap() -> None:
    rng = np.random.default_rng(3)
    score = rng.random((23, 31)).astype(np.float32)
    labels = rng.integers(0, 3, score.shape).astype(np.uint8)
    side, taken = 7, np.zeros(score.shape, bool)
    found = best_regions(score, labels, side, 4)
    assert len(found) == 4
    for region in found:
        means = {
            (y, x): score[y : y + side, x : x + side].mean()
            for y in range(23 - side + 1)
            for x in range(31 - side + 1)
            if not taken[y : y + side, x : x + side].any()
        }
        best = max(means, key=means.__getitem__)
        assert (region.y, region.x) == best
        assert region.score == pytest.approx(means[best], rel=1e-5)
        window = np.s_[region.y : region.y + side, region.x : region.x + side]
        assert region.label == np.bincount(labels[window].ravel()).argmax()
        taken[window] = True
    (whole,) = best_regions(score, labels, 99, 5)
    assert (whole.width, whole.height) == (23, 23)
    assert best_regions(np.zeros((9, 9), np.float32), labels, 3, 2) == []


def test_copies_of_one_scene_are_not_chosen_together() -> None:
    scene, other, third = np.eye(3)
    features = np.stack([scene, scene * 1.01, scene * 0.99, other, third])
    scores = [1.0, 0.99, 0.98, 0.5, 0.4]
    assert choose_different(scores, features, 3) == [0, 3, 4]
    assert sorted(choose_different(scores, features, 9)) == [0, 1, 2, 3, 4]


def test_groups_are_worth_the_mean_of_their_images() -> None:
    features = np.array([[1, 0], [0, 1], [1, 0], [0, 1.0]])
    scores = [0.9, 0.4, 0.1, 0.5]  # a: 0.5, b: 0.45
    found = choose_groups(scores, features, 1, ['a', 'b', 'a', 'b'])
    assert found == [[0, 2]]
    found = choose_groups(scores, features, 2, ['a', 'b', 'a', 'b'])
    assert found == [[0, 2], [3, 1]]
    found = choose_groups(scores, features, 3, ['a', 'b', 'c', 'd'])
    assert found == [[i] for i in choose_different(scores, features, 3)]
    assert group_of('x/patient07_frame1', r'patient\d+') == 'patient07'
    with pytest.raises(ValueError, match=r"finds nothing in 'x/a'"):
        group_of('x/a', r'patient\d+')


def test_tool_suggests_all_images_of_a_group(
    root: Path,  # noqa: F811
    tmp_path: Path,
) -> None:
    (tmp_path / 'p').mkdir()
    for name in ('p1_a', 'p1_b', 'p2_a'):
        (tmp_path / f'p/{name}.png').write_bytes(
            (root / f'images/{"a" if "_a" in name else "sub/b"}.png')
            .read_bytes()
        )  # fmt: skip
    done = call('suggest', root / 'my.py', root / 'my.pth', 'p', 'out',
                '--number', 2, '--group', '^p[0-9]', cwd=tmp_path)  # fmt: skip
    assert '3 of 3 images suggested, in 2 groups' in done.stdout
    with open(tmp_path / 'out/suggestions.csv', newline='') as file:
        rows = list(csv.DictReader(file))
    assert all(row['image'].startswith(row['group']) for row in rows)
    names = (tmp_path / 'out/images.txt').read_text().split()
    assert sorted(names) == ['p1_a', 'p1_b', 'p2_a']
    assert names[1] != 'p2_a'  # a group is not divided
    failed = call('suggest', root / 'my.py', root / 'my.pth', 'p', 'out2',
                  '--group', '(', cwd=tmp_path, check=False)  # fmt: skip
    assert failed.returncode
    assert '--group: ' in failed.stderr


def test_tool_writes_table_names_and_sheet(
    root: Path,  # noqa: F811
    tmp_path: Path,
) -> None:
    def run(*arguments: object, check: bool = True):
        return call('suggest', root / 'my.py', root / 'my.pth', *arguments,
                    cwd=tmp_path, check=check)  # fmt: skip

    done = run(root / 'images', 'out', '--regions', 2, '--format', 'labelme')
    assert '2 of 2 images suggested' in done.stdout
    with open(tmp_path / 'out/suggestions.csv', newline='') as file:
        rows = list(csv.DictReader(file))
    names = (tmp_path / 'out/images.txt').read_text().split()
    assert sorted(names) == ['a', 'sub/b']
    for row in rows:
        width, height = dict(a=(96, 80), b=(61, 47))[row['image'][-1]]
        right = int(row['x']) + int(row['width'])
        assert 0 <= int(row['x']) < right <= width + 1
        assert int(row['y']) + int(row['height']) <= height + 1
        assert int(row['rank']) == names.index(row['image']) + 1
    with Image.open(tmp_path / 'out/sheet.png') as sheet:
        pixels = np.asarray(sheet.convert('RGB'))
    assert (pixels == (255, 80, 0)).all(2).sum() > 100  # outlined
    assert (tmp_path / 'out/predictions/labelme/a.json').is_file()
    again = run(root / 'images', 'out', check=False)
    assert again.returncode != 0
    assert '--overwrite' in again.stderr


def test_labelled_places_are_not_suggested_again(
    root: Path,  # noqa: F811
    tmp_path: Path,
) -> None:
    def first(*more: object) -> dict[str, str]:
        call('suggest', root / 'my.py', root / 'my.pth',
             root / 'images/a.png', 'out', '--regions', 1, '--overwrite',
             *more, cwd=tmp_path)  # fmt: skip
        with open(tmp_path / 'out/suggestions.csv', newline='') as file:
            return next(csv.DictReader(file))

    before = first()
    labels = np.full((80, 96), 255, np.uint8)
    y, x, side = (int(before[key]) for key in ('y', 'x', 'width'))
    labels[y : y + side, x : x + side] = 1
    (tmp_path / 'labels').mkdir()
    Image.fromarray(labels).save(tmp_path / 'labels/a.png')
    after = first('--labels', 'labels')
    moved = max(abs(int(after['x']) - x), abs(int(after['y']) - y))
    assert moved >= side // 2
    Image.fromarray(labels[:40]).save(tmp_path / 'labels/a.png')
    done = call('suggest', root / 'my.py', root / 'my.pth',
                root / 'images/a.png', 'other', '--labels', 'labels',
                cwd=tmp_path, check=False)  # fmt: skip
    assert 'a.png: expected the size of its image' in done.stderr
