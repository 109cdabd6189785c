"""How far the trainings of a suite are, and when they will be done."""

import datetime
import math
import statistics
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from .logs import read_log
from .trainings import Trainings


def progress(trainings: Trainings, processes: int) -> str:
    """Return a line: trainings done, share of the iterations, time left.

    The time left assumes that each training takes as long for an iteration
    as its log says, or as the others on the average, and that so many run
    at the same time.
    """
    total = done = finished = 0
    left: dict[str, int] = {}
    times: dict[str, float] = {}
    for name, cell in trainings.cells.items():
        total += cell.last_step
        state = trainings.stages.state(name)
        step = cell.last_step if state == 'done' else 0
        if state == 'begun':
            try:
                log = read_log(trainings.stages.folder(name))
            except (FileNotFoundError, ValueError):
                log = None  # it has only just begun
            if log is not None:
                step = log.step
                if log.step_time is not None:
                    times[name] = log.step_time
        finished += state == 'done'
        done += step
        left[name] = cell.last_step - step
    text = (
        f'{finished} of {len(left)} trainings done, '
        f'{100 * done / max(total, 1):.0f} % of the iterations'
    )
    if times and any(left.values()):
        mean = statistics.mean(times.values())
        jobs = [n * times.get(name, mean) for name, n in left.items() if n]
        seconds = max(sum(jobs) / processes, max(jobs))
        rest = datetime.timedelta(minutes=math.ceil(seconds / 60))
        text += f', about {str(rest)[:-3]} h left'
    return text


@contextmanager
def shown(
    line: Callable[[], str], show: Callable[[str], None], seconds: float
) -> Iterator[None]:
    """Show a line now and then while the body runs."""
    ended = threading.Event()

    def loop() -> None:
        while not ended.wait(seconds):
            show(line())

    thread = threading.Thread(target=loop, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
