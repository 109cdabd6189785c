"""Random brightness in grey values."""

from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform
from mmcv.transforms.utils import cache_randomness
from mmseg.registry import TRANSFORMS


@TRANSFORMS.register_module()
class RandomBrightness(BaseTransform):
    """Add a random number to all values of an image.

    The number is drawn evenly from [-delta, delta], in every call; what
    leaves the range of the image's dtype is clipped to it. Source: SASFormer,
    section 4.1, with 10. mmseg's ``PhotoMetricDistortion`` does so with a
    probability of 1/2, and cannot leave out contrast, saturation and hue.

    Args:
        delta: The largest number, in grey values, at least 0.

    Raises:
        ValueError: If ``delta`` is negative.
    """

    def __init__(self, delta: float = 10.0) -> None:
        """Check the argument and keep it."""
        if not delta >= 0:
            raise ValueError(f'delta must be at least 0, got {delta}')
        self.delta = delta

    @cache_randomness
    def _draw(self) -> float:
        number = np.random.uniform(-self.delta, self.delta)  # noqa: NPY002
        return float(number)

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Change ``img``, whose dtype stays."""
        image = results['img']
        brighter = image.astype(np.float32) + self._draw()
        if np.issubdtype(image.dtype, np.integer):
            limits = np.iinfo(image.dtype)
            brighter = brighter.round().clip(limits.min, limits.max)
        results['img'] = brighter.astype(image.dtype)
        return results

    def __repr__(self) -> str:
        """Return the config's form."""
        return f'{type(self).__name__}(delta={self.delta})'
