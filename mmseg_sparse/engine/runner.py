"""A runner whose log is short, and whose data errors name the file."""

import logging
import signal
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

from mmengine.logging import MMLogger
from mmengine.runner import Runner
from mmseg.registry import RUNNERS
from torch.utils.data import DataLoader

from .console import Console, Plain
from .samples import check_samples


@RUNNERS.register_module()
class CheckedRunner(Runner):
    """MMEngine's ``Runner`` for people who wait in front of a console.

    Our tools train and test with it; stock tools do if a config says
    ``runner_type='mmseg.CheckedRunner'``. What differs from MMEngine's:

    * The console shows nothing of the start but warnings and what
      ``RunStartHook`` says; the log file has everything.
    * A sample that cannot be loaded, a label that is no class of the model
      and a NaN in an image are a ``SampleError``, one sentence.
    * Ctrl-C does not end the processes that load data, so that
      ``InterruptHook`` can finish an iteration.
    * A log file that cannot be written to, for want of space, is given up
      with one line and does not end the run.

    The arguments are those of ``mmengine.runner.Runner``.
    """

    def build_logger(self, *args: Any, **kwargs: Any) -> MMLogger:
        """Build the logger, with a quiet console."""
        logger = super().build_logger(*args, **kwargs)
        self.console = Console()
        for handler in logger.handlers:
            if isinstance(handler, logging.FileHandler):
                handler.handleError = partial(  # type: ignore[method-assign]
                    _give_up, logger, handler
                )
            else:
                handler.addFilter(self.console)
                handler.setFormatter(Plain(handler.formatter))
        return logger

    def build_dataloader(  # an instance method: it has to know the model
        self, dataloader: Any, *args: Any, **kwargs: Any
    ) -> DataLoader:
        """Build a data loader whose errors name the file."""
        loader = super().build_dataloader(dataloader, *args, **kwargs)
        if loader is dataloader:  # given as an object: somebody's own
            return loader
        head = self.cfg.model.get('decode_head') or {}
        head = head[-1] if isinstance(head, list | tuple) else head
        train = self._train_dataloader
        trains = isinstance(train, dict) and (
            dataloader['dataset'] == train['dataset']
        )
        check_samples(
            loader.dataset,
            num_classes=head.get('num_classes') if trains else None,
            ignore_index=head.get('ignore_index', 255),
        )
        loader.worker_init_fn = partial(_shield, loader.worker_init_fn)
        return loader


def _shield(inner: Callable[[int], None] | None, worker: int) -> None:
    """Prepare a process that loads data: Ctrl-C is not for it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if inner is not None:
        inner(worker)


def _give_up(
    logger: MMLogger, handler: logging.FileHandler, record: logging.LogRecord
) -> None:
    """Take a file that cannot be written to out of the log."""
    if handler in logger.handlers:
        logger.handlers.remove(handler)
        reason = sys.exc_info()[1]
        logger.warning(
            f'the log file {handler.baseFilename} cannot be written to and '
            f'ends here: {reason}'
        )
