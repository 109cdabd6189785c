"""Looks at data and settings before the first iteration, and says so."""

import time
from collections.abc import Mapping
from typing import Any

from mmengine.dist import broadcast_object_list, is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmseg.registry import HOOKS

from ...doctor.examine import Examination
from ...doctor.fatal import fatal_among, quick_look
from .. import sanity, summary
from ..console import say
from ..resume import get_random_state, set_random_state
from .finite_loss import as_number

#: The first loss is said after so many iterations, or so many seconds.
FIRST = 3
SECONDS = 30.0


class RunError(ValueError):
    """A run that would be useless; a sentence a line."""


@HOOKS.register_module()
class RunStartHook(Hook):
    """Says in ten lines what a run will do, and refuses one in vain.

    Before the first iteration it compares the settings, reads label files for
    a second (more than 1000 images: a second a thousand, 10 at most), and
    stops the run if there is an error that makes it useless. After the first
    iterations it says the loss and how long the run will take.

    Args:
        check: Whether to look at data and settings; None: on the first start
            of a run, not when it is resumed.
    """

    priority = 'LOWEST'

    def __init__(self, check: bool | None = None) -> None:
        self.check = check
        self._times: list[float] = []
        self._waiting = False

    def before_train(self, runner: Runner) -> None:
        """Check, and say what the run is.

        Raises:
            RunError: If it would be useless.
        """
        check = not runner._resume if self.check is None else self.check
        found, began = None, time.monotonic()
        if check:
            state = get_random_state()
            found = _check(runner)
            set_random_state(state)  # the run is the same with and without
        took = time.monotonic() - began
        for line in summary.lines(runner, found, took):
            say(runner.logger, line)
        share = None if found is None else found.labeled_share
        for text in sanity.warnings(runner.cfg, share) if check else ():
            runner.logger.warning(text)
        self._times, self._waiting = [time.monotonic()], True

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: Mapping[str, Any] | None = None,
    ) -> None:
        """Say the first loss, and how long the run will take."""
        if not self._waiting:
            return
        times = self._times
        times.append(time.monotonic())
        if len(times) <= FIRST and times[-1] - times[0] < SECONDS:
            return
        self._waiting = False
        # The first iteration takes longer than those that follow.
        start = 1 if len(times) > 2 else 0
        each = (times[-1] - times[start]) / (len(times) - 1 - start)
        loss = (outputs or {}).get('loss')
        text = summary.estimate(
            runner.iter + 1,
            runner.max_iters - runner.iter - 1,
            each,
            None if loss is None else as_number(loss),
        )
        say(runner.logger, text)


def _check(runner: Runner) -> Examination | None:
    """Look at the settings, the training data and the validation data.

    The first process of a job looks, and all of them end with its errors.
    """
    found, texts = None, ['']
    if is_main_process():
        found = quick_look(runner.cfg, 'train')
        classes = runner.train_dataloader.dataset.metainfo.get('classes')
        errors = list(sanity.errors(runner.cfg, classes or (), found))
        others = [('training', found)]
        if runner.val_loop is not None:
            others.append(('validation', quick_look(runner.cfg, 'val')))
        for name, look in others:
            if look is not None:
                errors += [f'{name}: {f.sentence}' for f in fatal_among(look)]
        texts = ['\n'.join(errors)]
    broadcast_object_list(texts)
    if texts[0]:
        raise RunError(texts[0])
    return found
