"""Pictures of labels: the right colour at the right pixel."""

import cv2
import numpy as np
import pytest

from mmseg_sparse.visualization import (
    colorize,
    draw_labels,
    draw_outlined_strokes,
    draw_strokes,
    encode_png,
    enlarge,
    fit_into,
    heat_map,
    on_paper,
    overlay,
    widen_strokes,
)

PALETTE = [[10, 20, 30], [200, 100, 0]]


def test_colorize_by_hand() -> None:
    labels = np.array([[0, 1, 255]], np.uint8)
    expected = [[[10, 20, 30], [200, 100, 0], [1, 2, 3]]]
    painted = colorize(labels, PALETTE, ignore_color=(1, 2, 3))
    assert painted.tolist() == expected
    with pytest.raises(ValueError, match=r'class 2, but .* 2 colours'):
        colorize(np.array([[2]], np.uint8), PALETTE)


def test_overlay_mixes_labels_and_keeps_the_rest() -> None:
    image = np.array([[[100, 100, 100], [7, 8, 9]]], np.uint8)
    labels = np.array([[1, 255]], np.uint8)
    mixed = overlay(image, labels, PALETTE, opacity=0.25)
    # 0.75 * 100 + 0.25 * (200, 100, 0)
    assert mixed.tolist() == [[[125, 100, 75], [7, 8, 9]]]
    assert image.tolist() == [[[100, 100, 100], [7, 8, 9]]]
    with pytest.raises(ValueError, match=r'opacity .* got 2'):
        overlay(image, labels, PALETTE, opacity=2)
    with pytest.raises(ValueError, match=r'\(1, 2, 3\), \(2, 1\)'):
        overlay(image, labels.T, PALETTE)


def test_widening_gives_each_pixel_to_the_nearest_stroke() -> None:
    strokes = np.full((1, 9), 255, np.uint8)
    strokes[0, 1], strokes[0, 6] = 0, 1
    wide = widen_strokes(strokes, 2)
    assert wide.tolist() == [[0, 0, 0, 0, 1, 1, 1, 1, 1]]
    assert widen_strokes(strokes, 1).tolist() == [
        [0, 0, 0, 255, 255, 1, 1, 1, 255]
    ]
    assert np.array_equal(widen_strokes(strokes, 0), strokes)
    assert strokes[0, 2] == 255
    nothing = np.full((3, 4), 255, np.uint8)
    assert (widen_strokes(nothing, 2) == 255).all()


def test_strokes_on_a_dimmed_image() -> None:
    image = np.full((5, 5, 3), 200, np.uint8)
    strokes = np.full((5, 5), 255, np.uint8)
    strokes[2, 2] = 1
    drawn = draw_strokes(image, strokes, PALETTE, widen=1, dim=0.5)
    cross = {(1, 2), (2, 1), (2, 2), (2, 3), (3, 2)}
    for y in range(5):
        for x in range(5):
            wanted = PALETTE[1] if (y, x) in cross else [100, 100, 100]
            assert drawn[y, x].tolist() == wanted
    with pytest.raises(ValueError, match=r'widen .* got -1'):
        draw_strokes(image, strokes, PALETTE, widen=-1)
    with pytest.raises(ValueError, match=r'dim .* got 3'):
        draw_strokes(image, strokes, PALETTE, dim=3)


def test_enlarge_repeats_pixels() -> None:
    picture = np.arange(6, dtype=np.uint8).reshape(1, 2, 3)
    large = enlarge(picture, 2)
    assert large.shape == (2, 4, 3)
    assert (large[:, :2] == picture[0, 0]).all()
    assert (large[:, 2:] == picture[0, 1]).all()
    with pytest.raises(ValueError, match=r'factor .* got 0'):
        enlarge(picture, 0)


def test_heat_is_blue_at_0_and_red_from_top_on():
    image = np.full((2, 3, 3), 100, np.uint8)
    values = np.array([[0, 1, 2], [3, 4, 99]], float)
    picture = heat_map(image, values, top=4, opacity=1).astype(int)
    assert picture[0, 0, 2] >= picture[0, 0, 0]
    assert picture[1, 1, 0] > 100 > picture[1, 1, 2]
    np.testing.assert_array_equal(picture[1, 1], picture[1, 2])
    assert len({tuple(p) for p in picture.reshape(-1, 3).tolist()}) == 5
    half = heat_map(image, values, top=4, opacity=0.5)
    assert (np.abs(half - (picture + 100) / 2) <= 0.5).all()
    np.testing.assert_array_equal(heat_map(image, values, opacity=0), image)
    assert (image == 100).all()


def test_values_that_do_not_fit_are_named():
    image = np.zeros((2, 3, 3), np.uint8)
    with pytest.raises(ValueError, match=r'got \(2, 3, 3\), \(3, 2\)'):
        heat_map(image, np.zeros((3, 2)))
    for change in (dict(top=0), dict(opacity=1.5), dict(opacity=-1)):
        with pytest.raises(ValueError, match=r'expected top above 0 and opac'):
            heat_map(image, np.zeros((2, 3)), **change)


@pytest.mark.parametrize('shape', [(40, 20), (20, 40), (5, 5)])
def test_a_picture_keeps_its_ratio(shape):
    picture = np.full((*shape, 3), 50, np.uint8)
    paper = on_paper(fit_into(picture, (30, 60)), (30, 60))
    assert paper.shape == (30, 60, 3)
    drawn = (paper == 50).all(-1)
    rows, columns = drawn.any(1).sum(), drawn.any(0).sum()
    assert drawn[:rows, :columns].all()
    assert columns / rows == shape[1] / shape[0]
    assert rows == 30 or columns == 60


def test_colours_are_blue_for_0_and_red_for_1() -> None:
    grey = np.full((1, 3, 3), 128, np.uint8)
    blue, green, red = heat_map(grey, np.array([[-1, 0.5, 2]]))[0]
    assert blue.argmax() == 2
    assert green.argmax() == 1
    assert red.argmax() == 0


def test_a_picture_in_the_middle_of_the_paper() -> None:
    paper = on_paper(np.zeros((2, 3, 3), np.uint8), (4, 8), centred=True)
    dark = np.argwhere((paper == 0).all(-1)).tolist()
    assert dark == [[y, x] for y in (1, 2) for x in (2, 3, 4)]


def test_a_png_has_the_picture() -> None:
    picture = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    read = cv2.imdecode(np.frombuffer(encode_png(picture), np.uint8), 1)
    assert np.array_equal(read[..., ::-1], picture)


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


def test_single_pixels_are_widened_more_by_default() -> None:
    image = np.full((100, 100, 3), 100, np.uint8)
    point = np.full((100, 100), 255, np.uint8)
    point[50, 50] = 1
    stroke = point.copy()
    stroke[50] = 1
    for strokes, widen in ((point, 1), (stroke, 1)):
        assert np.array_equal(
            draw_outlined_strokes(image, strokes, PALETTE),
            draw_outlined_strokes(image, strokes, PALETTE, widen=widen),
        )
    large = np.full((400, 500, 3), 100, np.uint8)
    few = np.full((400, 500), 255, np.uint8)
    few[9, 9] = 1
    for share, widen in ((few, 5), (few % 254, 2)):
        assert np.array_equal(
            draw_outlined_strokes(large, share, PALETTE),
            draw_outlined_strokes(large, share, PALETTE, widen=widen),
        )


def test_dense_labels_are_drawn_as_areas() -> None:
    image = np.full((4, 6, 3), 100, np.uint8)
    labels = np.ones((4, 6), np.uint8)
    drawn = draw_labels(image, labels, PALETTE)
    assert np.array_equal(drawn, overlay(image, labels, PALETTE))
    labels[:, 1:] = 7  # has no colour: no label
    drawn = draw_labels(image, labels, PALETTE, widen=0)
    labels[:, 1:] = 255
    strokes = draw_outlined_strokes(image, labels, PALETTE, widen=0)
    assert np.array_equal(drawn, strokes)
