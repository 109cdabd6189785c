"""Means, deviations, and the closed share of the gap, by hand."""

import json
import math
from pathlib import Path

import pytest

from mmseg_sparse.benchmark.report import points_of, replace_block
from mmseg_sparse.benchmark.suite import Case, Suite
from mmseg_sparse.benchmark.table import (
    closed_gap,
    from_json,
    make_rows,
    spread,
    to_json,
    to_markdown,
)
from mmseg_sparse.visualization.benchmark import plot_closed, plot_quality


@pytest.mark.parametrize(
    ('value', 'low', 'high', 'closed'),
    [
        (70.83, 38.36, 72.76, 94.39),  # (70.83 - 38.36) / (72.76 - 38.36)
        (38.36, 38.36, 72.76, 0),
        (72.76, 38.36, 72.76, 100),
        (30, 40, 80, -25),
        (90, 40, 80, 125),
    ],
)
def test_closed_gap(value, low, high, closed):
    assert closed_gap(value, low, high) == pytest.approx(closed, abs=0.005)


@pytest.mark.parametrize('high', [40, 30])
def test_no_gap_is_closed_where_there_is_none(high):
    assert math.isnan(closed_gap(50, 40, high))


def test_spread_is_that_of_a_sample():
    # 1, 2, 4: mean 7/3, squares 16/9 + 1/9 + 25/9 = 42/9, over 2.
    assert spread([1, 2, 4]) == f'{7 / 3:.2f} ± {math.sqrt(42 / 18):.2f}'
    assert spread([55.126]) == '55.13'


def suite_of(*cases):
    return Suite(
        name='own', title='Own', cases=cases, baseline='CE',
        bound=dict(mIoU='weighted', aAcc='CE'), seeds=(0, 1),
        metrics=dict(mIoU='mIoU', aAcc='aAcc', mDice='mDice'),
        requires=(), make_data=(),
    )  # fmt: skip


def case(method, labels='scribble', backbone='B0'):
    name = f'{method}_{backbone}_{labels}.py'
    return Case('data', labels, backbone, method, Path(name))


def result(miou, aacc, **more):
    metrics = dict(mIoU=miou, aAcc=aacc)
    return dict(metrics=metrics, step_time=0.5, memory=None, **more)


def rows_of(results):
    suite = suite_of(*dict.fromkeys(case for case, _ in results))
    rows = make_rows(suite, results)
    return suite, rows, {(r.labels, r.method, r.backbone): r for r in rows}


def test_gaps_are_of_the_same_labels_data_and_backbone():
    suite, rows, found = rows_of({
        # Seeds in any order; a method of seed 0 alone starts from its CE.
        (case('CE'), 1): result(
            42, 70, labelled=3.0, commit='b', machine='CPU'
        ),
        (case('CE'), 0): result(38, 70, labelled=3.0, commit='a'),
        (case('own'), 0): result(50, 90, labelled=3.0, unchecked=True),
        (case('CE', 'point'), 0): result(20, 50, labelled=0.1),
        (case('own', 'point'), 0): result(30, 60, labelled=0.1),
        (case('weighted', 'dense'), 0): result(60, 80, labelled=100.0),
        (case('CE', 'dense'), 0): result(55, 100, labelled=100.0),
        (case('own', backbone='B4'), 0): result(70, 90),
        (case('both'), 0): result(50, 90, labelled=3.0),
        (case('both'), 1): result(52, 90, labelled=3.0),
        (case('third'), 2): result(50, 90, labelled=3.0),
    })  # fmt: skip
    own = found['scribble', 'own', 'B0']
    assert own.closed == pytest.approx(
        dict(mIoU=100 * (50 - 38) / (60 - 38), aAcc=100 * 20 / 30)
    )
    both = found['scribble', 'both', 'B0'].closed
    assert both['mIoU'] == pytest.approx(100 * (51 - 40) / (60 - 40))
    third = found['scribble', 'third', 'B0'].closed  # CE has no seed 2
    assert third['mIoU'] == pytest.approx(100 * (50 - 40) / (60 - 40))
    assert found['point', 'own', 'B0'].closed == pytest.approx(
        dict(mIoU=100 * 10 / 40, aAcc=100 * 10 / 50)
    )
    ce = found['scribble', 'CE', 'B0']
    assert (ce.seeds, ce.metrics['mIoU']) == ((0, 1), (38, 42))
    assert ce.commits == ('a', 'b')
    assert ce.machines == ('CPU',)
    assert ce.closed == dict(mIoU=0, aAcc=0)
    # No gap without both ends, and none of dense labels.
    assert found['scribble', 'own', 'B4'].closed == {}
    assert found['dense', 'CE', 'B0'].closed == {}

    lines = to_markdown(suite.metrics, rows)
    header = lines[0].strip('| ').split(' | ')
    assert 'mDice' not in header  # no run has it
    assert 'memory, MiB' not in header
    cells = dict(zip(header, lines[3].strip('| ').split(' | '), strict=True))
    assert cells['method'] == 'own †'
    assert cells['gap closed, mIoU'] == '55 %'
    assert cells['step, ms'] == '500'
    assert '40.00 ± 2.83' in lines[2]

    again = from_json(json.loads(json.dumps(to_json(suite, rows))))
    assert again == (dict(suite.metrics), rows)


def test_plots_of_all_there_is_or_none():
    _, rows, _ = rows_of({
        (case('CE'), 0): result(40, 70, labelled=3.0),
        (case('CE'), 1): result(42, 70, labelled=3.0),
        (case('own'), 0): result(45, 70, labelled=3.0),
        (case('weighted', 'dense'), 0): result(60, 80, labelled=100.0),
        (case('CE', backbone='B4'), 0): result(60, 80, labelled=3.0),
    })  # fmt: skip
    points = points_of(rows, 'mIoU')
    for picture in (
        plot_quality(points, 'Own', 'mIoU'), plot_closed(points, 'Own', 'mIoU')
    ):  # fmt: skip
        assert picture.ndim == 3
        assert picture.min() < 100 < picture.max()
    assert plot_quality(points_of(rows[3:], 'mIoU')[:0], '', 'mIoU') is None
    assert plot_closed(points_of(rows[2:], 'mIoU'), '', 'mIoU') is None


@pytest.mark.parametrize('text', ['a', 'a <e> <s>', '<s> <e> <s>'])
def test_a_page_needs_its_marks_once(text):
    with pytest.raises(ValueError, match=r'page\.md needs <s> and <e>, once'):
        replace_block(text, 'new', Path('page.md'), '<s>', '<e>')
