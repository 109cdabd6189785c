"""What of the log goes to the console."""

import logging
import re
import sys
import warnings
from pathlib import Path
from typing import Any, TextIO

from mmengine.logging import MMLogger

#: Marks of records: print as it is; not on the console.
PLAIN, FILE_ONLY = 'plain', 'file_only'
#: Warnings that libraries log and that nobody who trains can do anything
#: about.
NOISE = re.compile(
    r'Failed to search registry'
    r'|The prefix is not set in metric class'
    r'|backend is not initialized because save_dir is None'
    r'|has no metainfo|"metainfo" has no|metainfo.*is not'
    r'|will be deprecated'
    r'|did not set import location|Fallback to call'
    r'|is not registered in the|use_fsdp'
)
PACKAGE = Path(__file__).resolve().parents[1]


#: What the first line on training, validation or testing begins with.
STARTED = ('Iter(', 'Epoch(')


class Console(logging.Filter):
    """Lets nothing of the start of a run through but what matters.

    Before the first line on an iteration, these are warnings and what
    :func:`say` says.
    """

    def __init__(self) -> None:
        super().__init__()
        self.started = False

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether a record goes to the console."""
        marks = vars(record)
        if marks.get(FILE_ONLY):
            return False
        text = record.getMessage()
        if record.levelno < logging.WARNING:
            self.started = self.started or text.startswith(STARTED)
            return self.started or bool(marks.get(PLAIN))
        return record.levelno > logging.WARNING or not NOISE.search(text)


class Plain(logging.Formatter):
    """Leaves time and level away from what :func:`say` says."""

    def __init__(self, inner: logging.Formatter | None) -> None:
        super().__init__()
        self.inner = inner or logging.Formatter()

    def format(self, record: logging.LogRecord) -> str:
        """Return the line to print."""
        if vars(record).get(PLAIN):
            return record.getMessage()
        return self.inner.format(record)


def say(logger: logging.Logger, text: str) -> None:
    """Log a line for the user: on a quiet console, without time and level."""
    logger.info(text, extra={PLAIN: True})


def route_warnings() -> None:
    """Send the warnings of libraries to the log file, print others as a line.

    For command-line tools: it replaces ``warnings.showwarning`` for good.
    """
    warnings.showwarning = _show


def _show(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    text = ' '.join(str(message).split())
    if not _from_a_library(filename):
        print(f'warning: {text}', file=file or sys.stderr, flush=True)
    elif MMLogger._instance_dict:
        where = f'{filename}:{lineno}: {category.__name__}'
        mark: dict[str, Any] = {FILE_ONLY: True}
        MMLogger.get_current_instance().warning(f'{where}: {text}', extra=mark)


def _from_a_library(filename: str) -> bool:
    path = Path(filename)
    if path.is_relative_to(PACKAGE):
        return False
    return bool({'site-packages', 'dist-packages'} & set(path.parts))
