"""Sparse labels drawn from dense masks, and cheaper ones from sparse labels.

Everything is deterministic in ``(seed, image_id)`` and independent of what
was simulated before, so any number of workers draws the same labels. Void is
never labelled, and no label says anything else than the mask does (except
where noise is asked for).
"""

from .blocks import simulate_blocks
from .points import simulate_points
from .reductions import drop_scribbles, shrink_scribbles
from .regions import image_rng
from .scribbles import simulate_scribbles
from .tags import simulate_tags

__all__ = [
    'drop_scribbles',
    'image_rng',
    'shrink_scribbles',
    'simulate_blocks',
    'simulate_points',
    'simulate_scribbles',
    'simulate_tags',
]
