"""The table of a suite: means over seeds, and the gap that methods close."""

import csv
import io
import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import msgspec

from .suite import DENSE, Case, Suite

#: Metrics of which the table has the closed share of the gap.
GAPS = ('mIoU', 'aAcc')


@dataclass(frozen=True)
class Row:
    """A case with the results of its seeds.

    Attributes:
        dataset: As of the case, likewise the next three.
        labels: Kind of the training labels.
        backbone: Name of the backbone.
        method: Name of the method.
        config: Name of the config, without folder and ending.
        seeds: Those that are done.
        labelled: Share of labelled pixels in the training images, percent.
        metrics: Name -> value of each seed.
        closed: Metric -> share of the gap that is closed, percent.
        step: Seconds that a training iteration takes.
        memory: Peak memory of the training, MiB, of the GPU or else of the
            process.
        commits: Of the seeds, without repetitions.
        unchecked: Whether the settings of a run are not known.
        machines: What the seeds were trained on, where that is known.
    """

    dataset: str
    labels: str
    backbone: str
    method: str
    config: str
    seeds: tuple[int, ...]
    labelled: float | None
    metrics: Mapping[str, tuple[float, ...]]
    closed: Mapping[str, float]
    step: float | None
    memory: float | None
    commits: tuple[str, ...]
    unchecked: bool
    machines: tuple[str, ...] = ()


def closed_gap(value: float, low: float, high: float) -> float:
    r"""Return the share of a gap that is closed, in percent.

    It is :math:`100 (v - l) / (h - l)` with :math:`l` of the baseline on the
    same sparse labels and :math:`h` on dense labels: 0 for the baseline, 100
    for what dense labels give; it may be negative, or above 100. NaN where
    dense labels are no better than the baseline.
    """
    return 100 * (value - low) / (high - low) if high > low else math.nan


def spread(values: Sequence[float]) -> str:
    """Return the mean, with the standard deviation of several values.

    The deviation is that of a sample: the squares are divided by one less
    than the number of values.
    """
    text = f'{statistics.mean(values):.2f}'
    if len(values) > 1:
        text += f' ± {statistics.stdev(values):.2f}'
    return text


def make_rows(
    suite: Suite, results: Mapping[tuple[Case, int], Mapping[str, Any]]
) -> list[Row]:
    """Return a row for each case with results.

    Args:
        suite: The suite.
        results: Of cases and seeds, as the stages of trainings return them.

    Returns:
        Rows in the order of the suite. Gaps are between means over the seeds
        of a row; baseline and bound are those of the same seeds, if they
        have all of them, and else of all their seeds.
    """
    found: dict[Case, dict[int, Mapping[str, Any]]] = {}
    for (case, seed), result in sorted(
        results.items(), key=lambda item: item[0][1]
    ):
        found.setdefault(case, {})[seed] = result
    closed = _closed(suite, found)
    rows = []
    for case in suite.cases:
        if case not in found:
            continue
        runs = list(found[case].values())
        rows.append(
            Row(
                dataset=case.dataset,
                labels=case.labels,
                backbone=case.backbone,
                method=case.method,
                config=case.config.stem,
                seeds=tuple(found[case]),
                labelled=_mean(run.get('labelled') for run in runs),
                metrics=_values(suite, found[case]),
                closed=closed[case],
                step=_mean(run.get('step_time') for run in runs),
                memory=_mean(run.get('memory') for run in runs),
                commits=_each(runs, 'commit'),
                unchecked=any(run.get('unchecked') for run in runs),
                machines=_each(runs, 'machine'),
            )
        )
    return rows


def _closed(
    suite: Suite, found: Mapping[Case, Mapping[int, Mapping[str, Any]]]
) -> dict[Case, dict[str, float]]:
    """Return for each case the closed shares of the gaps that it has."""
    low, high = {}, {}
    for case, runs in found.items():
        if case.method == suite.baseline:
            low[case.problem, case.labels] = runs
        for name, method in suite.bound.items():
            if (case.labels, case.method) == (DENSE, method):
                high[case.problem, name] = runs
    closed: dict[Case, dict[str, float]] = {}
    for case, runs in found.items():
        closed[case] = {}
        for name in GAPS:
            ends = [
                _mean_of(suite, of, name, runs)
                for of in (
                    runs,
                    low.get((case.problem, case.labels)),
                    high.get((case.problem, name)),
                )
            ]
            if case.labels != DENSE and None not in ends:
                share = closed_gap(*(end or 0.0 for end in ends))
                if share == share:
                    closed[case][name] = share
    return closed


def _mean_of(
    suite: Suite,
    runs: Mapping[int, Mapping[str, Any]] | None,
    name: str,
    seeds: Iterable[int],
) -> float | None:
    """Return the mean of a metric over seeds, or all if some are missing."""
    runs = runs or {}
    chosen = {seed: runs[seed] for seed in seeds if seed in runs}
    if len(chosen) < len(list(seeds)):
        chosen = dict(runs)
    values = _values(suite, chosen).get(name) if chosen else None
    return statistics.mean(values) if values else None


def _values(
    suite: Suite, runs: Mapping[int, Mapping[str, Any]]
) -> dict[str, tuple[float, ...]]:
    """Return the metrics that all runs have, each seed's value."""
    return {
        name: tuple(run['metrics'][name] for run in runs.values())
        for name in suite.metrics
        if all(name in run['metrics'] for run in runs.values())
    }


def _each(runs: Iterable[Mapping[str, Any]], key: str) -> tuple[str, ...]:
    """Return the different values of an entry that runs may have."""
    return tuple(dict.fromkeys(run[key] for run in runs if run.get(key)))


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.mean(known) if known else None


def to_json(suite: Suite, rows: Sequence[Row]) -> dict[str, Any]:
    """Return the table for a JSON file; :func:`from_json` reads it."""
    return dict(
        suite=suite.name,
        title=suite.title,
        metrics=dict(suite.metrics),
        rows=[asdict(row) for row in rows],
    )


def from_json(content: Mapping[str, Any]) -> tuple[dict[str, str], list[Row]]:
    """Return the metrics and the rows of what :func:`to_json` made."""
    rows = msgspec.convert(content['rows'], list[Row])
    return dict(content['metrics']), rows


def to_markdown(metrics: Mapping[str, str], rows: Sequence[Row]) -> list[str]:
    """Return the lines of the table in Markdown.

    A value is the mean over the seeds ± the standard deviation. Columns in
    which no row has a value are left out.
    """
    columns = _columns(metrics)
    cells = [[text(row) for text in columns.values()] for row in rows]
    kept = [
        number
        for number in range(len(columns))
        if any(line[number] != '–' for line in cells)
    ]
    titles = list(columns)
    return markdown_table(
        [titles[n] for n in kept], [[line[n] for n in kept] for line in cells]
    )


def markdown_table(
    header: Sequence[str], rows: Sequence[Sequence[str]]
) -> list[str]:
    """Return the lines of a Markdown table."""
    lines = [header, ('---',) * len(header), *rows]
    return ['| ' + ' | '.join(line) + ' |' for line in lines]


def _columns(metrics: Mapping[str, str]) -> dict[str, Any]:
    """Return title -> text of a row."""

    def metric(name: str) -> Any:
        return lambda r: (
            spread(r.metrics[name]) if r.metrics.get(name) else '–'
        )

    def closed(name: str) -> Any:
        return lambda r: _number(r.closed.get(name), '{:.0f} %')

    return {
        'data': lambda r: r.dataset,
        'backbone': lambda r: r.backbone,
        'labels': lambda r: r.labels,
        'labelled pixels': lambda r: _number(r.labelled, '{:.3g} %'),
        'method': lambda r: r.method + (' †' if r.unchecked else ''),
        'seeds': lambda r: ', '.join(map(str, r.seeds)),
        **{title: metric(name) for name, title in metrics.items()},
        **{f'gap closed, {name}': closed(name) for name in GAPS},
        'step, ms': lambda r: _number(r.step, '{:.0f}', 1000),
        'memory, MiB': lambda r: _number(r.memory, '{:.0f}'),
        'commit': lambda r: ', '.join(r.commits) or '–',
    }


def _number(value: float | None, form: str, factor: float = 1) -> str:
    return '–' if value is None else form.format(factor * value)


def to_csv(metrics: Mapping[str, str], rows: Sequence[Row]) -> str:
    """Return the table as CSV, a column for each mean and each deviation."""
    header = ['dataset', 'backbone', 'labels', 'labelled', 'method', 'config',
              'seeds']  # fmt: skip
    for name in metrics:
        header += [name, f'{name} sd']
    header += [f'{name} gap closed' for name in GAPS]
    header += ['step', 'memory', 'commits']
    text = io.StringIO()
    writer = csv.writer(text, lineterminator='\n')
    writer.writerow(header)
    for row in rows:
        line: list[Any] = [
            row.dataset, row.backbone, row.labels, row.labelled, row.method,
            row.config, ' '.join(map(str, row.seeds)),
        ]  # fmt: skip
        for name in metrics:
            values = row.metrics.get(name) or ()
            line += [
                statistics.mean(values) if values else None,
                statistics.stdev(values) if len(values) > 1 else None,
            ]
        line += [row.closed.get(name) for name in GAPS]
        line += [row.step, row.memory, ' '.join(row.commits)]
        writer.writerow(line)
    return text.getvalue()
