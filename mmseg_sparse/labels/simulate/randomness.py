"""Random numbers that depend on seed and image alone."""

import zlib

import numpy as np


def image_rng(
    seed: int, image_id: str, purpose: str = ''
) -> np.random.Generator:
    """Return the random numbers of one image of a data set.

    Args:
        seed: Seed of the data set, at least 0.
        image_id: Name of the image.
        purpose: Other purposes get other numbers, so that switching one
            option on leaves what others decide as it was.

    Raises:
        ValueError: If ``seed`` is negative.
    """
    if seed < 0:
        raise ValueError(f'seed must be at least 0, got {seed}')
    entropy = [seed, zlib.crc32(image_id.encode())]
    if purpose:
        entropy.append(zlib.crc32(purpose.encode()))
    return np.random.default_rng(entropy)
