"""What is looked for in the second before a training."""

from pathlib import Path

import numpy as np
import pytest

from mmseg_sparse.doctor import fatal, fatal_findings
from tests.helpers.sick_labels import (
    NAMES,
    as_zero,
    change,
    config,
    healthy,
    save,
    strokes,
)


def test_errors_alone_and_in_one_sentence(tmp_path: Path) -> None:
    root = healthy(tmp_path)
    assert fatal_findings(config(root)) == []
    labels = strokes(1)
    labels[0, :2] = 7
    save(root / 'scribbles/b.png', labels)
    # A warning, and a guess: neither stops a training.
    save(root / 'scribbles/c.png', np.full((12, 16), 255, np.uint8))
    (found,) = fatal_findings(config(root))
    assert found.code == 'out-of-range'
    for part in (f'{root}/scribbles/b.png (7 (2 pixels))', 'values are not',
                 'label_map=', '0 to 2 are classes'):  # fmt: skip
        assert part in found.sentence
    assert '\n' not in found.sentence


def test_guesses_do_not_stop_a_training(tmp_path: Path) -> None:
    root = healthy(tmp_path)
    change(root, lambda labels: as_zero(labels) % 3)
    assert fatal_findings(config(root)) == []


def test_when_the_time_is_up_files_must_still_be_there(
    tmp_path: Path,
) -> None:
    root = healthy(tmp_path)
    for name in NAMES:
        (root / 'scribbles' / f'{name}.png').write_bytes(b'no picture')
    (found,) = fatal_findings(config(root))
    assert (found.code, found.count) == ('unreadable', 4)
    assert fatal_findings(config(root), seconds=0) == []
    (root / 'scribbles/d.png').unlink()
    (root / 'list.txt').write_text('a\nb\nd\nno\n')
    cfg = config(root, ann_file='list.txt')
    found = fatal_findings(cfg, seconds=0)
    assert {f.code: f.count for f in found} == {
        'missing-label': 2, 'missing-image': 1,
    }  # fmt: skip
    assert f'{root}/scribbles/d.png and 1 more' in found[0].sentence


def test_data_sets_that_are_not_for_the_doctor(tmp_path: Path) -> None:
    root = healthy(tmp_path)
    cfg = config(root, type='NoSuchDataset')
    assert fatal_findings(cfg) == []
    assert fatal_findings(cfg, 'val') == []


@pytest.mark.parametrize('number', [0, 1, 2, 7, 100])
def test_every_start_is_spread_evenly(number: int) -> None:
    order = fatal.spread(number)
    assert sorted(order) == list(range(number))
    for some in range(1, number):
        gaps = np.diff([-1, *sorted(order[:some]), number])
        assert gaps.max() <= 3 * (number / some) + 1
