"""Which images to train on, and which to validate on."""

import random
import re
from collections import defaultdict
from collections.abc import Sequence

_SEPARATOR = re.compile(r'[/_\-. ]+')


def group_by_stem(names: Sequence[str]) -> dict[str, list[str]]:
    """Group images that belong together by the beginning of their names.

    Slices of one patient and frames of one video resemble each other; if
    they were divided between training and validation, the result would look
    better than it is. Names are split at ``/ _ - .`` and spaces. Groups have
    the shortest beginning that leaves at least three groups, with at least
    two images a group on average. ``patient037_frame01_slice_0`` belongs to
    ``patient037``. Without such a beginning each image is a group.

    Args:
        names: Names of the images, without suffix.

    Returns:
        The images by the beginning of their names, in the given order.
    """
    depth = max((len(_SEPARATOR.split(name)) for name in names), default=0)
    for length in range(1, depth):
        groups = defaultdict(list)
        for name in names:
            groups['_'.join(_SEPARATOR.split(name)[:length])].append(name)
        if len(groups) >= 3:
            if 2 * len(groups) <= len(names):
                return dict(groups)
            break
    return {name: [name] for name in names}


def hold_out(
    groups: dict[str, list[str]], share: float, *, seed: int = 0
) -> tuple[list[str], list[str]]:
    """Divide groups at random into images to train and to validate on.

    Args:
        groups: Images by group; no group is divided.
        share: Share of the images to validate on, in (0, 1).
        seed: Seed of the choice.

    Returns:
        The names for training and for validation, in their order.

    Raises:
        ValueError: If the share is out of range or there is only one group.
    """
    if not 0 < share < 1:
        raise ValueError(
            f'expected a share of images between 0 and 1, got {share}'
        )
    if len(groups) < 2:
        raise ValueError(
            'expected at least two images to hold one out for validation, got '
            f'{len(groups)}'
        )
    wanted = share * sum(map(len, groups.values()))
    order = list(groups)
    random.Random(seed).shuffle(order)
    held: set[str] = set()
    number = 0
    for group in order[:-1]:  # one is left for training
        more = len(groups[group])
        if number and abs(number + more - wanted) >= abs(number - wanted):
            continue
        held.add(group)
        number += more
    names = [(group, n) for group, members in groups.items() for n in members]
    return (
        [name for group, name in names if group not in held],
        [name for group, name in names if group in held],
    )
