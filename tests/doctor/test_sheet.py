"""The doctor's sheet: bars as long as the numbers, examples in place."""

import numpy as np
import pytest

from mmseg_sparse.doctor.sheet import (
    LabelSheet,
    draw_label_sheet,
)
from mmseg_sparse.visualization.strokes import draw_outlined_strokes

PALETTE = [[250, 0, 0], [0, 200, 0], [0, 0, 240]]


def make(**given: object) -> LabelSheet:
    default = dict(
        title='labels', summary=['one line'], classes=['a', 'b', 'c'],
        palette=PALETTE, shares=[0.6, 0.3, 0.1], images=[5, 10, 1],
        total_images=10,
    )  # fmt: skip
    return LabelSheet(**{**default, **given})  # type: ignore[arg-type]


def bars(page: np.ndarray, colour: list[int]) -> list[int]:
    """Lengths of the runs of a colour in the row where it is found most."""
    hit = (page == colour).all(-1)
    row = hit[hit.sum(1).argmax()].astype(int)
    steps = np.diff(np.concatenate([[0], row, [0]]))
    runs = np.flatnonzero(steps == -1) - np.flatnonzero(steps == 1)
    return [run for run in runs.tolist() if run > 2]


def test_bars_are_as_long_as_the_numbers() -> None:
    page = draw_label_sheet(make())
    # The swatch, then the share of the pixels, then the images.
    lengths = np.array([bars(page, colour) for colour in PALETTE])
    assert lengths.shape == (3, 3)
    swatch, shares, images = lengths.T
    assert len(set(swatch)) == 1
    np.testing.assert_allclose(
        shares / shares[0], [1, 1 / 2, 1 / 6], atol=0.01
    )
    np.testing.assert_allclose(images / images[1], [0.5, 1, 0.1], atol=0.01)


def test_a_third_column_where_masks_contradict() -> None:
    red = [176, 0, 32]
    page = draw_label_sheet(make(wrong=[0.5, None, 0.25]))
    found = np.flatnonzero((page == red).all(-1).sum(1) > 40)
    assert found.size
    widths = (page == red).all(-1).sum(1)[found]
    assert widths.max() / widths.min() == pytest.approx(2, rel=0.03)
    assert not (draw_label_sheet(make()) == red).all(-1).any()


def test_examples_stand_below_their_captions() -> None:
    rng = np.random.default_rng(0)
    # As wide as a column of three, so that it is not resized.
    picture = rng.integers(0, 256, (90, 405, 3)).astype(np.uint8)
    page = draw_label_sheet(make(examples=[('x', picture), ('y', picture)]))
    places = [
        (y, x)
        for y, x in np.argwhere((page == picture[0, 0]).all(-1)).tolist()
        if np.array_equal(page[y : y + 90, x : x + 405], picture)
    ]
    assert len(places) == 2
    assert places[0][0] == places[1][0]
    assert places[1][1] - places[0][1] > 405


def test_every_part_makes_room_for_itself() -> None:
    plain = draw_label_sheet(make()).shape
    many = [f'class {k}' for k in range(40)]
    tall = draw_label_sheet(
        make(classes=many, shares=[1 / 40] * 40, images=[1] * 40)
    ).shape
    more = draw_label_sheet(
        make(
            per_image=[0.0, 0.1],
            position=([1] * 20, [2] * 20, (0.5, 0.4)),
            findings=[('error', 'words ' * 60), ('note', '$not math$')],
        )
    ).shape
    assert plain[1] == tall[1] == more[1] == 1300
    assert tall[0] - plain[0] == pytest.approx(24 * 37, abs=3)
    assert more[0] > plain[0] + 250
    empty = make(classes=[], shares=[], images=[], total_images=0)
    assert draw_label_sheet(empty).shape[1] == 1300


def test_strokes_stand_out_from_their_own_colour() -> None:
    image = np.full((20, 20, 3), 250, np.uint8)
    strokes = np.full((20, 20), 255, np.uint8)
    strokes[10, 10] = 0
    drawn = draw_outlined_strokes(image, strokes, [[163] * 3], widen=1, dim=1)
    row = drawn[10, 5:16, 0].tolist()
    assert row == [250, 250, 0, 255, 163, 163, 163, 255, 0, 250, 250]
    assert (strokes == 0).sum() == 1
    with pytest.raises(ValueError, match=r'got \(20, 20, 3\), \(20, 19\)'):
        draw_outlined_strokes(image, strokes[:, 1:], PALETTE)
    with pytest.raises(ValueError, match=r'widen of .* got -1, 0.65'):
        draw_outlined_strokes(image, strokes, PALETTE, widen=-1)
