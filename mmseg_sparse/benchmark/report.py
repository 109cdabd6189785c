"""Table, plots and docs of a suite."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2

from ..utils.atomic import write_whole
from ..visualization.benchmark import Point, plot_closed, plot_quality
from .logs import SCALARS
from .suite import Suite
from .table import Row, from_json, to_csv, to_json, to_markdown
from .trainings import Trainings

PAGE = Path('docs/results.md')
JSON = Path('docs/results')
IMAGES = Path('docs/images')
LOGS = Path('docs/logs')
#: Metrics that the metafiles have.
RUN_METRICS = ('mIoU', 'aAcc', 'volume/mDice')


def points_of(rows: Sequence[Row], metric: str) -> list[Point]:
    """Return what the plots show of the rows."""
    return [
        Point(
            panel=f'{row.dataset}, {row.backbone}',
            labels=row.labels,
            method=row.method,
            share=row.labelled,
            values=row.metrics[metric],
            closed=row.closed.get(metric),
        )
        for row in rows
        if metric in row.metrics
    ]


def pictures(
    title: str, metrics: Mapping[str, str], rows: Sequence[Row]
) -> dict[str, bytes]:
    """Return the two plots of the first metric as PNGs, by name."""
    name, heading = next(iter(metrics.items()))
    points = points_of(rows, name)
    drawn = dict(
        quality=plot_quality(points, title, heading),
        closed=plot_closed(points, title, heading),
    )
    return {
        kind: cv2.imencode('.png', picture[..., ::-1])[1].tobytes()
        for kind, picture in drawn.items()
        if picture is not None
    }


def write_report(suite: Suite, rows: Sequence[Row], out: Path) -> str:
    """Write table.md, table.csv, table.json and the plots; return the table.

    ``runs.yml`` has what the ``metafile.yml`` of a method takes as ``Runs``.

    Args:
        suite: The suite.
        rows: Its results.
        out: Folder to write to.
    """
    text = '\n'.join(to_markdown(suite.metrics, rows)) + '\n'
    content = json.dumps(to_json(suite, rows), indent=1) + '\n'
    write_whole(out / 'table.md', text.encode())
    write_whole(out / 'table.csv', to_csv(suite.metrics, rows).encode())
    write_whole(out / 'table.json', content.encode())
    write_whole(out / 'runs.yml', runs_text(suite, rows).encode())
    for kind, data in pictures(suite.title, suite.metrics, rows).items():
        write_whole(out / f'{kind}.png', data)
    return text


def runs_text(suite: Suite, rows: Sequence[Row]) -> str:
    """Return the runs of each config as YAML, for the metafiles."""
    lines = []
    for row in rows:
        lines.append(f'{row.config}:')
        for number, seed in enumerate(row.seeds):
            lines.append(f'  - Seed: {seed}')
            lines += [
                f'    {name}: {values[number]:.2f}'
                for name, values in row.metrics.items()
                if name in RUN_METRICS
            ]
            log = LOGS / suite.name / f'{row.config}_seed{seed}.json'
            lines.append(f'    Commit: {" ".join(row.commits) or "?"}')
            lines.append(f'    Log: {log.as_posix()}')
    return '\n'.join(lines) + '\n'


def write_docs(
    root: Path,
    trainings: Trainings,
    rows: Sequence[Row],
    facts: Mapping[str, str],
) -> list[Path]:
    """Put the results of a suite into the docs of a clone.

    The logs of the trainings become ``docs/logs/<suite>/<training>.json``,
    but for those that were taken from logs alone; the table becomes
    ``docs/results/<suite>.json``, the plots ``docs/images/results_*.png``,
    and the block of the suite in ``docs/results.md`` is rewritten.

    Args:
        root: The clone.
        trainings: The suite's trainings.
        rows: Their results.
        facts: What the block says beside the table, such as the command.

    Returns:
        The files written.

    Raises:
        FileNotFoundError: If there is no clone.
        ValueError: If the page has no block for the suite.
    """
    suite = trainings.suite
    page = root / PAGE
    if not page.is_file():
        raise FileNotFoundError(
            f'--write-docs is for a clone of the repository: {page} is not '
            'there'
        )
    content: dict[str, Any] = {**to_json(suite, rows), 'facts': dict(facts)}
    files = {
        root / JSON / f'{suite.name}.json': json.dumps(content, indent=1)
        + '\n'
    }
    old = page.read_text('utf-8')
    files[page] = replace_block(old, block(content), page, *marks(suite.name))
    written = []
    for path, text in files.items():
        write_whole(path, text.encode())
        written.append(path)
    for kind, data in pictures(suite.title, suite.metrics, rows).items():
        path = root / IMAGES / f'results_{suite.name}_{kind}.png'
        write_whole(path, data)
        written.append(path)
    for name in trainings.cells:
        logs = sorted(trainings.stages.folder(name).rglob(SCALARS))
        result = trainings.stages.result(name)
        if result is not None and logs and not result.get('unchecked'):
            path = root / LOGS / suite.name / f'{name}.json'
            write_whole(path, b''.join(log.read_bytes() for log in logs))
            written.append(path)
    return written


def marks(name: str) -> tuple[str, str]:
    """Return the comments around the block of a suite."""
    return f'<!-- results: {name} -->', f'<!-- /results: {name} -->'


def block(content: Mapping[str, Any]) -> str:
    """Return what stands between the two comments of a suite.

    Args:
        content: Of ``docs/results/<suite>.json``.
    """
    name = content['suite']
    metrics, rows = from_json(content)
    machines = dict.fromkeys(name for row in rows for name in row.machines)
    facts = dict(content['facts'])
    if machines:
        facts['Trained on'] = '; '.join(machines)
    start, end = marks(name)
    lines = [
        start,
        '',
        *(f'{key}: {value}.' for key, value in facts.items()),
        '',
        *to_markdown(metrics, rows),
    ]
    if any(row.unchecked for row in rows):
        lines += ['', '† From logs alone, whose settings are not checked.']
    for kind in ('quality', 'closed'):
        path = IMAGES / f'results_{name}_{kind}.png'
        link = path.relative_to(PAGE.parent).as_posix()
        lines += ['', f'![{content["title"]}: {kind}]({link})']
    return '\n'.join([*lines, '', end])


def replace_block(
    text: str, new: str, path: Path, start: str, end: str
) -> str:
    """Return a page with what stands between two comments replaced.

    Raises:
        ValueError: If the two comments are not there once each, in order.
    """
    before, first, rest = text.partition(start)
    _, last, after = rest.partition(end)
    if not first or not last or start in rest or end in before + after:
        raise ValueError(f'{path} needs {start} and {end}, once each')
    return before + new + after
