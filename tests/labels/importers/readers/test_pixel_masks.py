"""Masks that are cut to their box, and too many of them."""

import json
from pathlib import Path

import numpy as np
import pytest

from mmseg_sparse.labels.importers.annotation import Point
from mmseg_sparse.labels.importers.readers import coco, cvat, shared
from mmseg_sparse.utils.untrusted import FormatError

#: Each of some bytes, and 2000 x 1000 pixels once decoded.
COUNT = 20


def test_a_mask_is_cut_to_its_box() -> None:
    mask = np.zeros((5, 8), bool)
    mask[1:3, 4] = mask[3, 6] = True
    (region,) = shared.pixel_regions('a', mask, entry='b[3]')
    assert (region.label, region.origin, region.entry) == ('a', (4, 1), 'b[3]')
    np.testing.assert_array_equal(region.pixels, mask[1:4, 4:7])
    mask[2] = False
    assert region.pixels[1].any()
    assert shared.pixel_regions('a', mask & False, entry='') == ()


def test_masks_are_counted_an_image(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared, 'MAX_TOTAL', 12)
    mask = np.ones((2, 3), bool)
    (region,) = shared.pixel_regions('a', mask, entry='shapes[4]')
    shapes = [region, Point('a', (1, 2)), region]
    assert list(shared.within_memory(shapes, 'f')) == shapes
    with pytest.raises(FormatError, match=r'^f: e: .* 18 .*shapes\[4\].* 12$'):
        list(shared.within_memory([*shapes, region], 'f', 'e'))


def test_small_files_of_large_masks_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared, 'MAX_TOTAL', 5 * 2_000_000)
    path = tmp_path / 'a.json'
    path.write_text(json.dumps({
        'images': [{'id': 0, 'file_name': 'a', 'width': 2000, 'height': 1000}],
        'categories': [{'id': 0, 'name': 'a'}],
        'annotations': [
            {'image_id': 0, 'category_id': 0, 'segmentation': {
                'counts': [0, 2_000_000], 'size': [1000, 2000]}},
        ] * COUNT,
    }))  # fmt: skip
    with pytest.raises(FormatError, match=r'images\[0\].*annotations\[5\]'):
        list(coco.read(path))
    mask = (
        '<mask label="a" left="0" top="0" width="2000" height="1000" '
        'rle="0, 2000000"/>'
    )
    image = (
        f'<image name="a" width="2000" height="1000">{mask * COUNT}</image>'
    )
    path.write_text(f'<annotations>{image}</annotations>')
    with pytest.raises(FormatError, match=r'image\[0\].*mask\[5\]'):
        list(cvat.read(path))
