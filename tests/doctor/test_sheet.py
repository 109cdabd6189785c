"""The doctor's sheet: bars as long as the numbers, examples in place."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from mmseg_sparse.doctor.sheet import draw_report

PALETTE = [[250, 0, 0], [0, 200, 0], [0, 0, 240]]


def make(
    names: Sequence[str] = ('a', 'b', 'c'),
    shares: Sequence[float] = (0.6, 0.3, 0.1),
    images: Sequence[int] = (5, 10, 1),
    wrong: Sequence[float | None] | None = None,
    **given: Any,
) -> dict[str, Any]:
    """A report with these classes."""
    rows = [
        dict(index=index, name=name, share=share, images=number)
        for index, (name, share, number) in enumerate(
            zip(names, shares, images, strict=True)
        )
    ]
    for row, share in zip(rows, wrong or (), strict=False):
        row['wrong_share'] = share
    dense = dict(folder='masks', images=1, compared=1, wrong=1, on_void=0)
    report = dict(
        title='labels', split='train', images=10, label_files=10,
        labeled_share=0.1, supervision={'point': 10}, classes=rows,
        dense=dense if wrong else None, position=None, findings=[],
        errors=0, warnings=0, notes=0,
    )  # fmt: skip
    return report | given


def draw(examples: Any = (), per_image: Any = (), **given: Any) -> np.ndarray:
    return draw_report(
        make(**given), palette=PALETTE, shares=per_image, examples=examples
    )


def finding(severity: str, message: str) -> dict[str, Any]:
    return dict(severity=severity, message=message, files=[], count=1)


def bars(page: np.ndarray, colour: list[int]) -> list[int]:
    """Lengths of the runs of a colour in the row where it is found most."""
    hit = (page == colour).all(-1)
    row = hit[hit.sum(1).argmax()].astype(int)
    steps = np.diff(np.concatenate([[0], row, [0]]))
    runs = np.flatnonzero(steps == -1) - np.flatnonzero(steps == 1)
    return [run for run in runs.tolist() if run > 2]


def test_bars_are_as_long_as_the_numbers() -> None:
    page = draw()
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
    page = draw(wrong=[0.5, None, 0.25])
    found = np.flatnonzero((page == red).all(-1).sum(1) > 40)
    assert found.size
    widths = (page == red).all(-1).sum(1)[found]
    assert widths.max() / widths.min() == pytest.approx(2, rel=0.03)
    assert not (draw() == red).all(-1).any()


def test_examples_stand_below_their_captions() -> None:
    rng = np.random.default_rng(0)
    # As wide as a column of three, so that it is not resized.
    picture = rng.integers(0, 256, (90, 405, 3)).astype(np.uint8)
    page = draw([('x', picture), ('y', picture)])
    places = [
        (y, x)
        for y, x in np.argwhere((page == picture[0, 0]).all(-1)).tolist()
        if np.array_equal(page[y : y + 90, x : x + 405], picture)
    ]
    assert len(places) == 2
    assert places[0][0] == places[1][0]
    assert places[1][1] - places[0][1] > 405


def test_every_part_makes_room_for_itself() -> None:
    plain = draw().shape
    many = [f'class {k}' for k in range(40)]
    tall = draw(names=many, shares=[1 / 40] * 40, images=[1] * 40).shape
    position = dict(
        bin_edges=np.linspace(0, 1, 21), labeled=[1] * 20, all=[2] * 20,
        mean_labeled=0.5, mean_all=0.4,
    )  # fmt: skip
    findings = [finding('error', 'words ' * 60), finding('note', '$no math$')]
    more = draw(
        per_image=[0.0, 0.1], position=position, findings=findings
    ).shape
    assert plain[1] == tall[1] == more[1] == 1300
    assert tall[0] - plain[0] == pytest.approx(24 * 37, abs=3)
    assert more[0] > plain[0] + 250
    assert draw(names=[], shares=[], images=[]).shape[1] == 1300
