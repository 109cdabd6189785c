"""What the logs of a training say."""

import json
import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

#: Log of a start of a training, below its work directory.
SCALARS = 'vis_data/scalars.json'


@dataclass(frozen=True)
class RunLog:
    """The log of a training, of all its starts.

    Attributes:
        step: The last iteration (epoch) that is logged.
        metrics: The last validation: numbers by name.
        validated: The iteration (epoch) of that validation.
        step_time: Median over the log's lines of the seconds an iteration
            took; None: it says none.
        gpu_memory: Largest memory on the GPU, MiB; None: there was no GPU.
    """

    step: int
    metrics: Mapping[str, float]
    validated: int
    step_time: float | None
    gpu_memory: float | None


def read_log(path: Path) -> RunLog:
    """Read the logs of a training.

    Args:
        path: A ``scalars.json``, or the work directory of a training, which
            has one for each start, ``<timestamp>/vis_data/scalars.json``.

    Raises:
        FileNotFoundError: If there is no log.
        ValueError: If a log is not of MMEngine.
    """
    files = [path] if path.is_file() else sorted(path.glob(f'*/{SCALARS}'))
    if not files:
        raise FileNotFoundError(
            f'{path}: expected logs of a training, <timestamp>/{SCALARS}, '
            'found none'
        )
    lines = [
        line for file in files for line in _lines(file, whole=path.is_file())
    ]
    training = [line for line in lines if 'loss' in line]
    # A validation has neither a loss nor a learning rate.
    tests = [line for line in lines if 'loss' not in line]
    last = tests[-1] if tests else {}
    times = [line['time'] for line in training if 'time' in line]
    memory = [line['memory'] for line in training if 'memory' in line]
    return RunLog(
        step=max((int(line['step']) for line in lines if 'step' in line),
                 default=0),
        metrics={
            key: float(value)
            for key, value in last.items()
            if key not in ('step', 'time', 'data_time')
            and isinstance(value, int | float)
        },
        validated=int(last.get('step', 0)),
        step_time=statistics.median(times) if times else None,
        gpu_memory=max(memory) if memory else None,
    )  # fmt: skip


def _lines(path: Path, *, whole: bool) -> Iterable[dict[str, Any]]:
    text = path.read_text('utf-8')
    if not whole:  # the last line of a running training may not be written
        text = text[: text.rfind('\n') + 1]
    for number, line in enumerate(text.splitlines(), 1):
        try:
            entry = json.loads(line)
        except json.JSONDecodeError:
            entry = None
        if not isinstance(entry, dict):
            raise ValueError(
                f'{path}, line {number}: expected a JSON object, got '
                f'{line[:40]!r}'
            )
        yield entry
