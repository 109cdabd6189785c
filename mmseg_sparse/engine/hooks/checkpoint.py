"""Checkpoints that survive a kill and resume to the same weights."""

from pathlib import Path
from typing import Any

import torch
from mmengine.dist import barrier, get_rank, get_world_size, is_main_process
from mmengine.fileio import LocalBackend, get_file_backend
from mmengine.hooks import CheckpointHook
from mmengine.runner import Runner
from mmseg.registry import HOOKS
from torch import nn

from mmseg_sparse.engine.resume import (
    LAST_CHECKPOINT,
    find_unnamed_checkpoint,
    gather_random_states,
    get_random_state,
    rebuild_train_loader,
    remove_parts,
    restore_before_next_batch,
    sampler_seed,
    set_random_state,
)
from mmseg_sparse.utils.atomic import write_whole

#: Key of the random state in a checkpoint.
KEY = 'random_state'


@HOOKS.register_module()
@HOOKS.register_module(name='CheckpointHook')
class ResumableCheckpointHook(CheckpointHook):
    """MMEngine's ``CheckpointHook``, safe against kills, exact on resume.

    It takes the same arguments and writes the same files, and it is
    registered under the stock name too: any mmseg config in a process that
    imported ``mmseg_sparse`` gets it, whichever schedule or tool it uses.
    ``type='mmengine.CheckpointHook'`` is the stock one.

    * A checkpoint and ``last_checkpoint`` appear whole or not at all, and an
      outdated checkpoint goes only after its successor is complete; so a
      killed run goes on from the last complete checkpoint.
    * A checkpoint holds the random state of every rank, which comes back
      after MMEngine has replayed the data. With the same number of ranks and
      workers, a resumed run equals the uninterrupted one bit for bit on CPU.
      Two cases are beyond it: gradients accumulated over iterations that a
      checkpoint separates, and an epoch-based loop with persistent workers,
      whose random state nobody can read.
    * Weights that are NaN or infinite are not written: they would take the
      place of the last good checkpoint.
    * Validation leaves the random state as it found it, so that it does not
      matter which run creates the validation workers.

    The arguments are those of :class:`mmengine.hooks.CheckpointHook`.
    """

    filename_tmpl: str
    file_backend: Any
    last_ckpt: str | None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._before_val: dict[str, Any] | None = None
        self._gathered: list[dict[str, Any]] | None = None
        self._loaded: dict[str, Any] | None = None

    def before_run(self, runner: Runner) -> None:
        """Let ``--resume`` find a checkpoint complete but not yet named."""
        if not runner._resume or runner._load_from is not None:
            return
        folder = self._local_folder(runner)
        if folder is not None and is_main_process():
            found = find_unnamed_checkpoint(
                runner.work_dir, folder, self.filename_tmpl
            )
            if found is not None:
                runner.logger.info(f'{LAST_CHECKPOINT} now names {found}')
                self._name_last(runner, str(found))
        barrier()

    def after_load_checkpoint(
        self, runner: Runner, checkpoint: dict[str, Any]
    ) -> None:
        """Keep what the checkpoint says about randomness."""
        self._loaded = {
            'iter': checkpoint.get('meta', {}).get('iter'),
            'seed': runner.seed,
            KEY: checkpoint.get(KEY),
        }

    def before_train(self, runner: Runner) -> None:
        """Prepare the folder and, when resuming, seeds and random state."""
        folder = self._local_folder(runner)
        super().before_train(runner)
        if folder is not None:
            self.backend_args = {'backend': 'whole_file'}
            if is_main_process():
                for part in remove_parts(folder):
                    runner.logger.info(f'Removed {part}, left by a kill')
        loaded, self._loaded = self._loaded, None
        # A checkpoint that was loaded, not resumed, leaves the loop at 0.
        if loaded is not None and 0 < runner.iter == loaded['iter']:
            self._resume(runner, loaded)

    def before_val(self, runner: Runner) -> None:
        """Remember the random state of training."""
        self._before_val = get_random_state()

    def after_val(self, runner: Runner) -> None:
        """Go on with the random state of training."""
        if self._before_val is not None:
            set_random_state(self._before_val)
            self._before_val = None

    def before_save_checkpoint(
        self, runner: Runner, checkpoint: dict[str, Any]
    ) -> None:
        """Put the random state into a checkpoint to resume from."""
        if self._gathered is not None:
            checkpoint[KEY] = {
                'ranks': self._gathered,
                'sampler_seed': sampler_seed(runner.train_dataloader),
            }

    def save_now(self, runner: Runner, step: int) -> str | None:
        """Write a checkpoint in the middle of things.

        Args:
            runner: The runner.
            step: Number of iterations done.

        Returns:
            Its path, which may be that of one written just before; None if
            the weights are not finite.
        """
        meta = dict(epoch=runner.epoch, iter=step)
        template, self.filename_tmpl = self.filename_tmpl, 'iter_{}.pth'
        try:
            path = self.file_backend.join_path(
                self.out_dir, self.filename_tmpl.format(step)
            )
            if self.last_ckpt != path:
                self._save_checkpoint_with_step(runner, step, meta)
        finally:
            self.filename_tmpl = template
        return path if self.last_ckpt == path else None

    def _save_best_checkpoint(
        self, runner: Runner, metrics: dict[str, Any]
    ) -> None:
        """Save the best checkpoint, then remove the one it replaces."""
        backend = self.file_backend
        self.file_backend = later = _RemovesLater(backend)
        try:
            super()._save_best_checkpoint(runner, metrics)
        finally:
            self.file_backend = backend
        for path in later.outdated:
            self._remove_path(path)

    def _save_checkpoint_with_step(
        self, runner: Runner, step: int, meta: dict[str, Any]
    ) -> None:
        """Save first, then name the checkpoint, then remove the outdated."""
        spoilt = _not_finite(runner.model)
        if spoilt is not None:
            runner.logger.warning(
                f'no checkpoint of iteration {runner.iter + 1}: {spoilt} is '
                'NaN or infinite; earlier checkpoints are kept'
            )
            return
        outdated = None
        if self.max_keep_ckpts > 0 and step not in self.keep_ckpt_ids:
            if len(self.keep_ckpt_ids) == self.max_keep_ckpts:
                outdated = self.keep_ckpt_ids.popleft()
            self.keep_ckpt_ids.append(step)
            # The checkpoint lists the outdated one too: should this process
            # be killed before it is gone, the resumed run removes it.
            listed = [outdated] if outdated is not None else []
            runner.message_hub.update_info(
                'keep_ckpt_ids', listed + list(self.keep_ckpt_ids)
            )
        filename = self.filename_tmpl.format(step)
        self.last_ckpt = self.file_backend.join_path(self.out_dir, filename)
        runner.message_hub.update_info('last_ckpt', self.last_ckpt)

        self._gathered = gather_random_states(
            self._before_val or get_random_state()
        )
        try:
            runner.save_checkpoint(
                self.out_dir,
                filename,
                self.file_client_args,
                save_optimizer=self.save_optimizer,
                save_param_scheduler=self.save_param_scheduler,
                meta=meta,
                by_epoch=self.by_epoch,
                backend_args=self.backend_args,
                **self.args,
            )
        finally:
            self._gathered = None
        if is_main_process():
            self._name_last(runner, self.last_ckpt)
        if outdated is not None:
            self._remove(outdated)
            runner.message_hub.update_info(
                'keep_ckpt_ids', list(self.keep_ckpt_ids)
            )

    def _name_last(self, runner: Runner, checkpoint: str) -> None:
        path = Path(runner.work_dir) / LAST_CHECKPOINT
        write_whole(path, checkpoint.encode())

    def _remove(self, step: int) -> None:
        if is_main_process():
            self._remove_path(
                self.file_backend.join_path(
                    self.out_dir, self.filename_tmpl.format(step)
                )
            )

    def _remove_path(self, path: str) -> None:
        if self.file_backend.isfile(path):
            self.file_backend.remove(path)
        elif self.file_backend.isdir(path):  # deepspeed saves folders
            self.file_backend.rmtree(path)

    def _local_folder(self, runner: Runner) -> Path | None:
        """Return where checkpoints go, None if that is not a local folder."""
        if self.file_client_args is not None or self.backend_args is not None:
            return None
        out_dir = self.out_dir or runner.work_dir
        if not isinstance(get_file_backend(out_dir), LocalBackend):
            return None
        if out_dir == runner.work_dir:
            return Path(out_dir)
        return Path(out_dir) / Path(runner.work_dir).name

    def _resume(self, runner: Runner, loaded: dict[str, Any]) -> None:
        state = loaded[KEY] or {'ranks': [], 'sampler_seed': None}
        order_seed = state['sampler_seed']
        loader = runner.train_loop.dataloader
        reseeded = loaded['seed'] != runner.seed
        reordered = order_seed not in (None, sampler_seed(loader))
        if (reseeded or reordered) and not rebuild_train_loader(
            runner, order_seed
        ):
            runner.logger.warning(
                'The training data loader was given as an object and keeps '
                'its seed: the resumed run sees the data in another order'
            )
        if len(state['ranks']) != get_world_size():
            runner.logger.warning(
                f'The checkpoint holds the random state of '
                f'{len(state["ranks"])} ranks, this run has '
                f'{get_world_size()}: it will differ from an uninterrupted '
                'run'
            )
            return
        mine = state['ranks'][get_rank()]
        restore_before_next_batch(runner, lambda: set_random_state(mine))


class _RemovesLater:
    """A file backend that only notes what is to be removed."""

    def __init__(self, backend: Any) -> None:
        self.backend = backend
        self.outdated: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.backend, name)

    def remove(self, path: str) -> None:
        """Note a file."""
        self.outdated.append(path)

    rmtree = remove


def _not_finite(model: nn.Module) -> str | None:
    """Return the name of a parameter that is not finite, if there is one."""
    for name, parameter in model.named_parameters():
        if not torch.isfinite(parameter).all():
            return name
    return None
