"""Ends a training at Ctrl-C with a checkpoint of the moment."""

import multiprocessing
import os
import shlex
import signal
import sys
import threading
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from mmengine.dist import all_reduce, get_world_size, is_main_process
from mmengine.hooks import EMAHook, Hook
from mmengine.runner import Runner
from mmseg.registry import HOOKS

from ..console import say
from .checkpoint import ResumableCheckpointHook

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@HOOKS.register_module()
class InterruptHook(Hook):
    """Ends a training at Ctrl-C (SIGINT) or SIGTERM, ready to be resumed.

    The iteration is finished, a checkpoint is written, a line says how to go
    on, and the process ends with status 130 (143 after SIGTERM). A resumed
    run equals one that was never interrupted, as after any checkpoint of
    :class:`ResumableCheckpointHook`; in an epoch-based run the epoch begins
    again. A second Ctrl-C ends the run at once, without a checkpoint.

    In a distributed job every process has to get the signal, or one of them:
    they agree after each iteration.
    """

    priority = 'LOWEST'  # after CheckpointHook

    def __init__(self) -> None:
        self.signal: int | None = None
        self._before: dict[int, Any] = {}
        self._owner = os.getpid()

    def before_train(self, runner: Runner) -> None:
        """Take over the signals."""
        if threading.current_thread() is not threading.main_thread():
            return
        self.signal, self._owner = None, os.getpid()
        self._before = {s: signal.signal(s, self._note) for s in SIGNALS}

    def after_train(self, runner: Runner) -> None:
        """Give the signals back."""
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}

    def after_train_iter(
        self, runner: Runner, *args: Any, **kwargs: Any
    ) -> None:
        """Stop after an iteration, if asked to."""
        number = self._asked()
        if number:
            self._stop(runner, number, runner.iter + 1)

    def after_val_iter(
        self, runner: Runner, *args: Any, **kwargs: Any
    ) -> None:
        """Stop in the middle of a validation during training, if asked to."""
        number = self._asked() if self._before else 0
        if number:
            for hook in runner.hooks:
                if isinstance(hook, EMAHook):  # back to the trained weights
                    hook.after_val_epoch(runner)
            self._stop(runner, number, runner.iter)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if os.getpid() != self._owner:  # a process that loads data
            if number == signal.SIGTERM:
                os._exit(128 + number)
            return
        if number == signal.SIGINT and self.signal is not None:
            self.after_train(None)
            raise KeyboardInterrupt
        self.signal = self.signal or number
        if number == signal.SIGTERM and hasattr(signal, 'SIGCHLD'):
            # It went to the processes that load data, too, as a rule: this
            # iteration may have its samples already.
            signal.signal(signal.SIGCHLD, _do_nothing)
        # No print: it may be what the signal interrupted.
        os.write(2, b'\nending after this iteration, with a checkpoint; '
                 b'Ctrl-C again ends at once, without\n')  # fmt: skip

    def _asked(self) -> int:
        """Return the signal that any process of the job got, 0 if none."""
        number = self.signal or 0
        if get_world_size() > 1:
            shared = torch.tensor(number)
            all_reduce(shared, 'max')
            number = int(shared)
        return number

    def _stop(self, runner: Runner, number: int, step: int) -> None:
        saved = None
        for hook in runner.hooks:
            if isinstance(hook, ResumableCheckpointHook):
                saved = hook.save_now(runner, step)
        self.after_train(runner)
        if is_main_process():
            say(
                runner.logger,
                f'interrupted after iteration {step}: '
                + (f'{saved} is complete, go on with: {resume_command()}'
                   if saved else 'no checkpoint was written'),
            )  # fmt: skip
        runner.visualizer.close()
        end_workers()
        sys.exit(128 + number)


def end_workers() -> None:
    """End the processes that load data, of a program that ends.

    Each of them would otherwise be waited for, some seconds long.
    """
    children = [c for c in multiprocessing.active_children() if c.daemon]
    if children and hasattr(signal, 'SIGCHLD'):
        # PyTorch's handler takes their end for a failure.
        signal.signal(signal.SIGCHLD, _do_nothing)
    for child in children:
        child.terminate()


def _do_nothing(number: int, frame: FrameType | None) -> None:
    pass


def resume_command() -> str:
    """Return this program's command line with ``--resume``."""
    script, *arguments = sys.argv
    command = ['python', script]
    if Path(script).parts[-2:] == ('tools', 'train.py'):
        if Path(script).with_name('_arguments.py').is_file():
            command = ['python', '-m', 'mmseg_sparse', 'train']
    if '--resume' not in arguments:
        arguments.append('--resume')
    return shlex.join(command + arguments)
