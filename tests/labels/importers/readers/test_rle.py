"""Run-length codes: by hand, there and back, and lies."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmseg_sparse.labels.importers.readers.rle import (
    decode_coco_rle,
    decode_runs,
)
from mmseg_sparse.utils.untrusted import FormatError


def runs_of(mask):
    """Count pixels down the columns, outside first."""
    runs, inside = [0], False
    for value in mask.T.ravel().tolist():
        if value != inside:
            runs.append(0)
            inside = value
        runs[-1] += 1
    return runs


def compress(runs):
    """Five bits a character, as the C code of COCO's API writes them."""
    text = ''
    for i, run in enumerate(runs):
        x = run - runs[i - 2] if i > 2 else run
        more = True
        while more:
            bits = x & 31
            x >>= 5
            more = x != -1 if bits & 16 else x != 0
            text += chr(48 + (bits | 32 if more else bits))
    return text


def test_by_hand():
    # Columns of a 2 x 3 mask: (0, 1), (1, 1), (0, 0).
    expected = [[False, True, False], [True, True, False]]
    assert decode_coco_rle([1, 3, 2], 2, 3, 'f').tolist() == expected
    assert decode_coco_rle('132', 2, 3, 'f').tolist() == expected
    assert decode_coco_rle(b'132', 2, 3, 'f').tolist() == expected
    # 100 = 3 * 32 + 4: 4 with the bit for "more", then 3.
    assert decode_coco_rle('0T3', 10, 10, 'f').all()
    # From the fourth run on, the difference to the one two before: 6 - 5 is
    # written 1, and 3 - 4 is -1 = 31 in five bits, chr(48 + 31).
    row = decode_runs([5, 5, 4, 6, 3], 23, 'f')
    assert np.array_equal(
        decode_coco_rle('5541' + chr(79), 23, 1, 'f')[:, 0], row
    )


@settings(max_examples=100, derandomize=True, deadline=None)
@given(
    st.integers(1, 60), st.integers(1, 60), st.integers(0, 99),
    st.sampled_from([0.0, 0.02, 0.5, 0.98, 1.0]),
)  # fmt: skip
def test_there_and_back(height, width, seed, share):
    rng = np.random.default_rng(seed)
    mask = rng.random((height, width)) < share
    runs = runs_of(mask)
    for code in (runs, compress(runs)):
        decoded = decode_coco_rle(code, height, width, 'f')
        assert decoded.dtype == bool
        assert np.array_equal(decoded, mask)


@pytest.mark.parametrize(
    ('counts', 'problem'),
    [
        ([1, 2, 4], 'f: e: the runs must add up to 6 pixels, got 7'),
        ([1, 2], 'add up to 6 pixels, got 3'),
        ([], 'got 0'),
        ([7], r'e\[0\]: expected a run of 0 to 6 pixels, got 7'),
        ([3, -1, 4], r'e\[1\]: .* got -1'),
        ([10**30], 'got 1000000'),
        ([1.0, 5], 'got 1.0'),
        ([True, 5], 'got True'),
        (['1', 5], "got '1'"),
        ({'a': 1}, r"expected run lengths, got \{'a': 1\}"),
        (None, 'got None'),
        ('', 'add up to 6 pixels, got 0'),
        ('1 4', "character 1 of the RLE string is ' '"),
        ('1ü', r"not an RLE string: '1\\xfc'"),
        ('Q', 'cut short'),
        ('Q' * 9, 'takes more than 7 characters, up to character 6'),
        ('o' * 6 + '1', r'e\[0\]: expected a run of 0 to 6 pixels, got 2'),
        ('1O', r'e\[1\]: expected a run of 0 to 6 pixels, got -1'),
    ],
)
def test_lies(counts, problem):
    with pytest.raises(FormatError, match=problem):
        decode_coco_rle(counts, 2, 3, 'f', 'e')


def test_a_lie_costs_nothing():
    began = time.process_time()
    with pytest.raises(FormatError, match='add up to 268435456'):
        decode_coco_rle([2**28, 2**28], 2**14, 2**14, 'f')
    with pytest.raises(FormatError, match='cut short'):
        decode_coco_rle('0' * 10**5 + 'Q', 2**14, 2**14, 'f')
    assert time.process_time() - began < 1
