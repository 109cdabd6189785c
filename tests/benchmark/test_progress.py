"""Lines that are shown while trainings run."""

import threading
import time

from mmseg_sparse.benchmark.progress import shown


def test_lines_end_with_the_work() -> None:
    seen: list[str] = []
    twice = threading.Event()

    def show(line: str) -> None:
        seen.append(line)
        if len(seen) == 2:
            twice.set()

    with shown(lambda: 'half done', show, 0.01):
        assert twice.wait(10)
    count = len(seen)
    assert set(seen) == {'half done'}
    time.sleep(0.05)
    assert len(seen) == count
