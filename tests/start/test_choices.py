"""Splits by group, sizes, methods and schedules."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmseg_sparse.start.recipe import (
    Recipe,
    duration,
    method_for,
    with_schedule,
    with_sizes,
)
from mmseg_sparse.start.split import group_by_stem, hold_out


def acdc(patients: int) -> list[str]:
    return [
        f'patient{p:03}_frame{f:02}_slice_{s}'
        for p in range(patients)
        for f in (1, 12)
        for s in range(4)
    ]


@pytest.mark.parametrize(
    ('names', 'groups'),
    [
        (acdc(5), 5),  # by patient, not by frame
        ([f'{a}TP_{k:05}' for a in ('01', '06', '16') for k in range(9)], 3),
        ([f'video{v}/{k}' for v in range(4) for k in range(3)], 4),
        ([f'img_{k}' for k in range(7)], 7),  # one beginning
        (['ab', 'cd', 'ef'], 3),
    ],
)
def test_groups(names: list[str], groups: int) -> None:
    found = group_by_stem(names)
    assert len(found) == groups
    assert sorted(n for members in found.values() for n in members) == sorted(
        names
    )


@given(
    st.lists(st.integers(1, 6), min_size=2, max_size=9),
    st.floats(0.05, 0.6),
    st.integers(0, 5),
)
def test_no_group_is_divided(
    sizes: list[int], share: float, seed: int
) -> None:
    groups = {
        str(g): [f'{g}_{k}' for k in range(n)] for g, n in enumerate(sizes)
    }
    keep, held = hold_out(groups, share, seed=seed)
    assert keep
    assert held
    names = [name for members in groups.values() for name in members]
    assert sorted(keep + held) == sorted(names)
    assert not {n[0] for n in keep} & {n[0] for n in held}


def test_the_share_is_met_where_groups_are_small() -> None:
    keep, held = hold_out(group_by_stem(acdc(40)), 0.2)
    assert (len(keep), len(held)) == (256, 64)
    assert hold_out(group_by_stem(acdc(40)), 0.2) == (keep, held)


@pytest.mark.parametrize('share', [0, 1, -0.5])
def test_shares_out_of_range(share: float) -> None:
    with pytest.raises(ValueError, match='share of images between 0 and 1'):
        hold_out({'a': ['a'], 'b': ['b']}, share)


def test_one_image_cannot_be_held_out() -> None:
    with pytest.raises(ValueError, match='at least two images'):
        hold_out({'a': ['a', 'b']}, 0.5)


@pytest.mark.parametrize(
    ('kinds', 'method', 'weight'),
    [
        ({'scribble'}, 'sasformer', 1.2),
        ({'scribble', 'dense', 'point'}, 'sasformer', 1.2),
        ({'point'}, 'sasformer', 0.2),
        ({'point', 'dense'}, 'sasformer', 0.2),
        ({'block'}, 'sasformer', 1.2),
        ({'dense'}, 'ce', 0.0),
        ({'dense', 'tag'}, 'trl', 0.0),
        ({'tag'}, 'afa', 0.0),
    ],
)
def test_methods(kinds: set[str], method: str, weight: float) -> None:
    recipe = method_for(kinds)
    assert (recipe.method, recipe.loss_weight) == (method, weight)


@pytest.mark.parametrize(
    ('size', 'on_cpu', 'scale', 'crop'),
    [
        ((216, 256), True, 256, (192, 192)),  # as configs for ACDC
        ((480, 360), True, 480, (256, 256)),  # as configs for CamVid
        ((4000, 3000), True, 512, (256, 256)),
        ((4000, 3000), False, 1024, (512, 512)),
        ((64, 48), True, 64, (64, 64)),
        ((3000, 20), True, 512, (64, 64)),
    ],
)
def test_sizes(size, on_cpu: bool, scale: int, crop) -> None:
    recipe = with_sizes(method_for({'scribble'}), size, on_cpu=on_cpu)
    assert (recipe.scale, recipe.crop) == (scale, crop)


def test_crops_of_tagged_images_are_nearly_whole() -> None:
    recipe = with_sizes(method_for({'tag'}), (640, 480), on_cpu=True)
    assert (recipe.scale, recipe.crop) == (256, (192, 256))


def test_sizes_that_the_user_gives() -> None:
    recipe = with_sizes(
        method_for({'scribble'}), (640, 480), on_cpu=True, scale=320, crop=96
    )
    assert (recipe.scale, recipe.crop) == (320, (96, 96))


RECIPE = Recipe('ce', 0.0, '', batch=8)


@pytest.mark.parametrize(
    ('images', 'second', 'validation', 'iters', 'validations'),
    [
        (1202, 0.6, 15.0, 1400, 4),  # (900 - 4 * 15) / 0.6
        (1202, 60.0, 0.0, 100, 4),  # the least
        (40, 0.01, 0.0, 1000, 4),  # 100 epochs are 500 iterations
        (1202, 0.6, 300.0, 1000, 1),  # validation takes a third
    ],
)
def test_schedules(images, second, validation, iters, validations) -> None:
    recipe = with_schedule(
        RECIPE, images=images, second=second, validation=validation,
        minutes=15,
    )  # fmt: skip
    assert (recipe.iters, recipe.validations) == (iters, validations)
    assert recipe.iters % recipe.val_interval == 0


def test_a_given_number_of_iterations() -> None:
    recipe = with_schedule(
        RECIPE, images=9, second=1.0, validation=0.0, minutes=1, iters=37
    )
    assert recipe.iters == 37
    assert duration(recipe, 10.0, 0.0) == '6 minutes'
    assert duration(recipe, 1.0, 0.0) == '37 seconds'
    assert duration(recipe, 360.0, 0.0) == '3.7 hours'
