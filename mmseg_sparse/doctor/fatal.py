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
#: Seconds of computing after which no more files are read: for each image, at
#: least and at most.
SECONDS = 0.9e-3, 0.9, 10.0
#: So many times longer it may take where others use the machine or the disk.
WAITING = 3


def fatal_findings(
    cfg: Mapping[str, Any],
    split: str = 'train',
    *,
    seconds: float | None = None,
) -> list[Finding]:
    """Return what would stop a training or make it learn wrong labels.

    Args:
        cfg: The config.
        split: ``train``, ``val`` or ``test``.
        seconds: Time to spend, as in :func:`quick_look`.

    Returns:
        Findings of the severity ``error``. None where the data set is not
        one of mmseg's or cannot be built: the training itself says why.
        :attr:`Finding.sentence` has each in one line.
    """
    found = quick_look(cfg, split, seconds=seconds)
    return [] if found is None else fatal_among(found)


def fatal_among(found: Examination) -> list[Finding]:
    """Return the errors that are no guesses."""
    return [
        finding
        for finding in diagnose(found)
        if finding.severity == ERROR and finding.code not in GUESSES
    ]


def quick_look(
    cfg: Mapping[str, Any],
    split: str = 'train',
    *,
    seconds: float | None = None,
) -> Examination | None:
    """Read as many label files of a data set as time allows.

    Images are taken evenly from the whole data set. Their headers and label
    files are read until the time is up; of the others only their presence is
    checked.

    Args:
        cfg: The config.
        split: ``train``, ``val`` or ``test``.
        seconds: Time to compute; None: 1 second for 1000 images, at least 1
            and at most 10.

    Returns:
        What was found; :attr:`Examination.usable` are the files read. None
        where the data set is not one of mmseg's or cannot be built.
    """
    start, computed = time.monotonic(), time.process_time()
    try:
        data = from_config(cfg, split, dense='')
    except ValueError:
        return None
    if not data.items and data.refused:
        return None
    each, least, most = SECONDS
    if seconds is None:
        seconds = min(max(each * len(data.items), least), most)
    stats: dict[int, FileStats] = {}
    for index in spread(len(data.items)):
        early = (
            time.process_time() - computed < seconds
            and time.monotonic() - start < WAITING * seconds
        )
        stats[index] = (measure if early else glance)(data.items[index])
    found = Examination(data)
    for index in sorted(stats):
        found.add(stats[index])
    return found


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
