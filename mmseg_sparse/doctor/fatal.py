"""The errors that a training would stop at, or learn from, found in a second.

What is looked for is what the doctor calls an error, but for guesses.
"""

import time
from collections.abc import Mapping
from typing import Any

from .examine import Examination
from .findings import ERROR, Finding
from .from_config import from_config
from .measure import FileStats, glance, measure
from .rules import diagnose

#: Errors that are guesses: the labels may be right all the same.
GUESSES = ('zero-unlabelled',)
#: Seconds after which no more files are read: for each image, at least and at
#: most.
SECONDS = 0.9e-3, 0.9, 10.0


def fatal_findings(
    cfg: Mapping[str, Any],
    split: str = 'train',
    *,
    seconds: float | None = None,
) -> list[Finding]:
    """Return what would stop a training or make it learn wrong labels.

    Images are taken evenly from the whole data set. Their headers and label
    files are read until the time is up; of the others only their presence is
    checked. :attr:`Finding.sentence` has each finding in one line.

    Args:
        cfg: The config.
        split: ``train``, ``val`` or ``test``.
        seconds: Time to spend; None: 1 second for 1000 images, at least 1 and
            at most 10.

    Returns:
        Findings of the severity ``error``. None where the data set is not
        one of mmseg's or cannot be built: the training itself says why.
    """
    start = time.monotonic()
    try:
        data = from_config(cfg, split, dense='')
    except ValueError:
        return []
    if not data.items and data.refused:
        return []
    each, least, most = SECONDS
    if seconds is None:
        seconds = min(max(each * len(data.items), least), most)
    end = start + seconds
    stats: dict[int, FileStats] = {}
    for index in spread(len(data.items)):
        look = measure if time.monotonic() < end else glance
        stats[index] = look(data.items[index])
    found = Examination(data)
    for index in sorted(stats):
        found.add(stats[index])
    return [
        finding
        for finding in diagnose(found)
        if finding.severity == ERROR and finding.code not in GUESSES
    ]


def spread(number: int) -> list[int]:
    """Return 0 to ``number - 1`` so that every start is spread evenly.

    These are multiples of the golden section modulo 1, in the order in which
    they come.
    """
    places = [(k * 0.6180339887498949) % 1 for k in range(number)]
    rank = sorted(range(number), key=places.__getitem__)
    order = [0] * number
    for index, k in enumerate(rank):
        order[k] = index
    return order
