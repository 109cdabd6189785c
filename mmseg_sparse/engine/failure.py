"""What went wrong, in one sentence."""

import errno
import re
import traceback
from pathlib import Path

import torch
from mmengine.logging import MMLogger

from .console import FILE_ONLY
from .hooks.finite_loss import LossError
from .hooks.interrupt import end_workers, resume_command
from .hooks.run_start import RunError
from .resume import last_complete_checkpoint
from .samples import SampleError

#: Errors whose message says all; others may be faults of the code.
EXPECTED = (RunError, LossError, SampleError, OSError)

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
#: What MMEngine puts before the message of an error while building an object.
_BUILDING = re.compile(r'class `\w+` in \S+\.py: ')
#: Where the shipped configs expect data and weights, and how they get there.
SOURCES = {
    'work_dirs/demo/data': 'python -m mmseg_sparse make_toy_dataset makes it',
    'data/': 'docs/datasets.md says where the data and weights of the shipped '
    'configs come from, or give your own by --cfg-options',
}
#: Errors whose message is enough, without their name.
_PLAIN = (ValueError, TypeError, OSError, AssertionError, RuntimeError)


def report(error: Exception, work_dir: str | None = None) -> str:
    """Return an error as a sentence, with what can be done.

    For programs that end then: where in the code it came from goes to the log
    file, and processes that load data are ended.

    Args:
        error: The error.
        work_dir: Work folder of a training, to name its last checkpoint.
    """
    end_workers()
    text = _sentence(error)
    if not isinstance(error, RunError | LossError):
        kept = None if work_dir is None else last_complete_checkpoint(work_dir)
        if kept is not None:
            text += (
                f'; the last complete checkpoint is {kept}, go on with: '
                f'{resume_command()}'
            )
    log = _log_traceback(error)
    if log is not None and not isinstance(error, EXPECTED):
        text += f' (where it came from: {log}, or --traceback)'
    return text


def _log_traceback(error: Exception) -> str | None:
    """Write where an error came from to the log file alone; return the file.

    None if there is none.
    """
    if not MMLogger._instance_dict:
        return None
    logger = MMLogger.get_current_instance()
    if logger.log_file is None:
        return None
    lines = traceback.format_exception(error)
    logger.error(''.join(lines), extra={FILE_ONLY: True})
    return str(logger.log_file)


def _sentence(error: BaseException) -> str:
    text = str(error).strip()
    if isinstance(error, RunError):  # a sentence a line
        return text
    if isinstance(error, torch.OutOfMemoryError):
        return (
            f'{text.partition(". ")[0]}: lower train_dataloader.batch_size or '
            'the crop size, or train with --amp'
        )
    if isinstance(error, OSError) and error.errno in FULL:
        return (
            f'{error.filename or "a file of the run"} cannot be written: '
            f'{error.strerror}; free some space, nothing half written is left'
        )
    if isinstance(error, OSError) and error.errno == errno.ELOOP:
        return f'{_circle(error)} is a link that leads in a circle: remove it'
    if isinstance(error, OSError) and error.filename and error.strerror:
        return f'{error.filename}: {error.strerror}{_source(error)}'
    if re.search(r'DataLoader worker .*(exited unexp|is killed by)', text):
        return (
            'a process that loads data was killed, mostly for want of memory: '
            'lower num_workers or batch_size of the data loaders'
        )
    if 'Original Traceback' in text:  # of a process that loads data
        text = text.splitlines()[-1]
        name, _, rest = text.partition(': ')
        text = rest if name.endswith('SampleError') else text
    text = ' '.join(_BUILDING.sub('', text).split())
    if isinstance(error, KeyError):
        text = text.strip('\'"')
    elif text and not isinstance(error, _PLAIN):
        text = f'{type(error).__name__}: {text}'
    return text or type(error).__name__


def _source(error: OSError) -> str:
    """Return where a file of a shipped config comes from, if it is missing."""
    if error.errno == errno.ENOENT:
        for place, source in SOURCES.items():
            if str(error.filename).startswith(place):
                return f' ({source})'
    return ''


def _circle(error: OSError) -> str:
    """Return the link that a path goes through again and again."""
    path = Path(error.filename or '.')
    for link in reversed(path.parents):
        target = link.resolve()
        if link.is_symlink() and link.parent.resolve().is_relative_to(target):
            return str(link)
    return str(path)
