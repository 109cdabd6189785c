"""One sample through a transform of ours and through the stock one."""

from typing import Any

import numpy as np
from mmseg.registry import TRANSFORMS
from scipy import ndimage

SIZE = (90, 120)


def sample(kind: str, seed: int = 0) -> dict[str, Any]:
    """An image with a dense, a void-holding or a sparse label map."""
    rng = np.random.default_rng(seed)
    noise = ndimage.gaussian_filter(rng.standard_normal((5, *SIZE)), (0, 4, 4))
    labels = noise.argmax(0).astype(np.uint8)
    if kind == 'void':
        labels[ndimage.morphological_gradient(labels, 3) > 0] = 255
    if kind == 'points':
        labels[rng.random(SIZE) > 0.01] = 255
    return dict(
        img=rng.integers(0, 256, (*SIZE, 3), np.uint8),
        gt_seg_map=labels,
        seg_fields=['gt_seg_map'],
    )


def run(config: dict[str, Any], kind: str, seed: int) -> dict[str, Any]:
    """Transform a sample; the state of the random numbers comes along."""
    np.random.seed(seed)  # noqa: NPY002
    results = TRANSFORMS.build(config)(sample(kind, seed))
    results['state'] = np.random.get_state()[1:3]  # noqa: NPY002
    return results


def assert_same(found: Any, wanted: Any) -> None:
    assert found.keys() == wanted.keys()
    for key, value in wanted.items():
        np.testing.assert_equal(found[key], value, key)
