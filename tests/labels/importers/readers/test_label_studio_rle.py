"""The packed bits of Label Studio's brush."""

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmseg_sparse.labels.importers.readers.rle import decode_brush
from mmseg_sparse.utils.untrusted import FormatError

from ....helpers.drawn import label_maps
from ....helpers.fuzzing import MODEST
from ....helpers.writers_a import brush_rle

WIDTHS = st.sampled_from([(3, 4, 8, 16), (1, 2, 3, 5), (16, 1, 2, 3)])


@given(label_maps(3, int), WIDTHS, st.integers(2, 32))
@MODEST
def test_alpha_is_found_in_any_packing(
    alpha: np.ndarray, length_bits: tuple, value_bits: int
) -> None:
    # Colours that differ from pixel to pixel: no run ends at a pixel's end.
    rgba = np.random.default_rng(alpha.size).integers(
        0, 4, (*alpha.shape, 4)
    )  # fmt: skip
    rgba[..., 3] = alpha
    rgba[..., 2] = np.where(alpha > 0, alpha, rgba[..., 2])
    rle = brush_rle(
        rgba.ravel(), value_bits=value_bits, length_bits=length_bits
    )
    decoded = decode_brush(rle, *alpha.shape, 'a.json')
    np.testing.assert_array_equal(decoded, alpha > 0)


def test_by_hand() -> None:
    # 8 values of 1 bit, runs' lengths in 1, 2, 3 and 4 bits: five zeros, then
    # the single values 0, 0, 1: of pixels 1 x 2 the second has alpha.
    bits = f'{8:032b}' + '00000' + '0000000100100011'
    bits += '1101000' + '00110001'
    bits += '0' * (-len(bits) % 8)
    rle = [int(bits[i : i + 8], 2) for i in range(0, len(bits), 8)]
    assert decode_brush(rle, 1, 2, 'a.json').tolist() == [[False, True]]


def test_runs_longer_than_their_code() -> None:
    alpha = np.zeros((200, 150), int)
    alpha[50:120, 30:] = 255
    rle = brush_rle(np.repeat(alpha.ravel(), 4))
    decoded = decode_brush(rle, 200, 150, 'a.json')
    np.testing.assert_array_equal(decoded, alpha > 0)


def test_a_run_past_the_end_is_refused() -> None:
    rle = brush_rle(np.zeros(32, int))
    rle[3] = 28  # of 32 values
    with pytest.raises(FormatError, match='a run ends at value 32 of 28'):
        decode_brush(rle, 1, 7, 'a.json', 'rle')


@given(label_maps(2, int), st.integers(0, 2**32))
@MODEST
def test_spoilt_codes(alpha: np.ndarray, seed: int) -> None:
    rng = random.Random(seed)
    rle = brush_rle(255 * np.repeat(alpha.ravel(), 4))
    for _ in range(rng.randint(1, 4)):
        rle[rng.randrange(4, len(rle))] = rng.randrange(256)
    refusal = decoded = None
    try:
        decoded = decode_brush(rle, *alpha.shape, 'a.json')
    except FormatError as error:
        refusal = str(error)
    if decoded is None:
        assert refusal
        assert refusal.startswith('a.json: ')
    else:
        assert decoded.shape == alpha.shape
        assert decoded.dtype == bool
