"""Stages that depend on each other, each of which is run once."""

import difflib
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import (
    FIRST_COMPLETED,
    Future,
    ThreadPoolExecutor,
    wait,
)
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..utils.atomic import alone_in, write_whole

#: The settings of a stage, written when it begins.
BEGUN = 'stage.json'
#: The result of a stage, written when it is done.
DONE = 'done.json'
_LOCK = '.lock'
_REMOVED = '.removed'


class StageError(RuntimeError):
    """A stage cannot be run; the message names it and the reason."""


@dataclass(frozen=True)
class Stage:
    """A step of a pipeline, with its own folder.

    Attributes:
        name: Name of the stage and of its folder.
        inputs: Everything besides other stages that the result depends on;
            JSON types.
        after: Names of the stages whose results it uses.
        run: Called with the folder; does the work, or the rest of it, and
            returns a description of the result in JSON types.
        shared: Work folder whose stage of this name is used and, if it is
            not done, run there; with other inputs there, this stage has a
            folder of its own. None: always of its own.
    """

    name: str
    inputs: Mapping[str, Any]
    after: tuple[str, ...]
    run: Callable[[Path], Mapping[str, Any]]
    shared: Path | None = None


class Stages:
    """A sequence of stages, each in a subfolder of one folder.

    A stage is done if its ``done.json``, which is written last, agrees with
    its inputs and those of all stages it depends on. An interrupted stage is
    run again in the same folder. A stage that began with other inputs is an
    error, so that results of different settings are never mixed.

    Args:
        work_dir: Folder that contains a folder for each stage.
        stages: In order; each follows those that it depends on.
        again: Command-line option that runs a stage again, for error
            messages; the name of the stage follows it.
        elsewhere: Command-line option for another ``work_dir``, likewise.
    """

    def __init__(
        self,
        work_dir: str | Path,
        stages: Sequence[Stage],
        *,
        again: str = '--overwrite-from',
        elsewhere: str = '--work-dir',
    ) -> None:
        """Compute the fingerprints."""
        self.work_dir = Path(work_dir)
        self.again = again
        self.elsewhere = elsewhere
        self.stages = tuple(stages)
        self._begun: dict[str, dict[str, Any]] = {}
        self._folders: dict[str, Path] = {}
        for stage in stages:
            upstream = {n: self.fingerprint(n) for n in stage.after}
            inputs = json.loads(json.dumps(dict(stage.inputs)))
            text = json.dumps([inputs, upstream], sort_keys=True)
            self._begun[stage.name] = dict(
                stage=stage.name,
                fingerprint=hashlib.sha256(text.encode()).hexdigest(),
                inputs=inputs,
                after=upstream,
            )
            self._folders[stage.name] = self._choose_folder(stage)

    def _choose_folder(self, stage: Stage) -> Path:
        """Return where a stage is done, or is to be done."""
        own = self.work_dir / stage.name
        if stage.shared is None or (own / BEGUN).is_file():
            return own
        shared = stage.shared / stage.name
        there = _read(shared / BEGUN)
        if there is None:
            empty = not shared.exists() or not any(shared.iterdir())
            return shared if empty else own
        same = there.get('fingerprint') == self.fingerprint(stage.name)
        return shared if same else own

    def _is_elsewhere(self, name: str) -> bool:
        return self.folder(name) != self.work_dir / name

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the stages, in order."""
        return tuple(stage.name for stage in self.stages)

    def fingerprint(self, name: str) -> str:
        """Return the hash of a stage's inputs and of those it depends on."""
        found: str = self._begun[name]['fingerprint']
        return found

    def folder(self, name: str) -> Path:
        """Return the folder of a stage."""
        return self._folders[name]

    def result(self, name: str) -> dict[str, Any] | None:
        """Return the result of a stage; None if it is not done."""
        done = _read(self.folder(name) / DONE)
        if done is None or done.get('fingerprint') != self.fingerprint(name):
            return None
        result: dict[str, Any] = done['result']
        return result

    def difference(self, name: str) -> str | None:
        """Describe how the inputs in a stage's folder differ; None: equal."""
        folder = self.folder(name)
        there = _read(folder / BEGUN)
        if there is None:
            if folder.exists() and any(folder.iterdir()):
                return f'it has files, but no {BEGUN} with their settings'
            return None
        here = self._begun[name]
        if there.get('fingerprint') == here['fingerprint']:
            return None
        for key in sorted({*there['inputs'], *here['inputs']}):
            old, new = there['inputs'].get(key), here['inputs'].get(key)
            if old != new:
                return f'{key}: {_first_difference(old, new)}'
        other = [
            upstream for upstream, found in here['after'].items()
            if there['after'].get(upstream) != found
        ]  # fmt: skip
        return f'it depends on another {", ".join(other) or "order"}'

    def state(self, name: str) -> str:
        """Return ``'done'``, ``'begun'``, ``'to do'`` or ``'other'``."""
        if self.difference(name):
            return 'other'
        if self.result(name) is not None:
            return 'done'
        begun = (self.folder(name) / BEGUN).is_file()
        return 'begun' if begun else 'to do'

    def run(
        self,
        *,
        until: str | None = None,
        overwrite_from: str | None = None,
        only: Sequence[str] | None = None,
        overwrite: Sequence[str] = (),
        processes: int = 1,
        report: Callable[[str], None] = print,
    ) -> None:
        """Run all stages that are not done, in order.

        With several processes, a stage that fails stops those that depend
        on it, but not the others.

        Args:
            until: The last stage to run.
            overwrite_from: First remove the folders of this stage and of all
                later ones.
            only: Run these and those that they depend on; None: all.
            overwrite: First remove the folders of these.
            processes: Number of stages that may run at the same time.
            report: Called with a line about each stage.

        Raises:
            StageError: If a folder has other inputs, another process is at
                work in it, or a stage fails.
        """
        names = self.names
        for name in (until, overwrite_from, *(only or ()), *overwrite):
            if name is not None and name not in names:
                raise StageError(
                    f'expected a stage of {", ".join(names)}, got {name!r}'
                )
        chosen = self._with_upstream(names if only is None else only)
        if until is not None:
            chosen &= {*names[: names.index(until) + 1]}
        removed = {*overwrite}
        if overwrite_from is not None:
            removed |= {*names[names.index(overwrite_from) :]}
        with self._lock(self.work_dir):
            for rest in self.work_dir.glob(f'.*{_REMOVED}'):
                shutil.rmtree(rest)
            # Without `only`, stages that do not run are checked as well.
            checked = chosen if only is not None else {*names}
            self._check([n for n in names if n in checked - removed])
            self._remove([n for n in names if n in removed])
            self._run_all(chosen, processes, report)

    def adopt(self, name: str, result: Mapping[str, Any]) -> None:
        """Mark a stage as done whose folder was written by other means."""
        _write(self.folder(name) / BEGUN, self._begun[name])
        self._finish(name, result)

    def _with_upstream(self, names: Sequence[str]) -> set[str]:
        """Return stages and all that they depend on."""
        chosen = {*names}
        for stage in reversed(self.stages):
            if stage.name in chosen:
                chosen.update(stage.after)
        return chosen

    def _run_all(
        self, names: set[str], processes: int, report: Callable[[str], None]
    ) -> None:
        waiting = [stage for stage in self.stages if stage.name in names]
        if processes == 1:
            for stage in waiting:
                self._run_stage(stage, report)
            return
        running: dict[Future[None], str] = {}
        failed: dict[str, BaseException] = {}
        with ThreadPoolExecutor(processes) as pool:
            while waiting or running:
                waiting = [
                    stage
                    for stage in waiting
                    if not {*stage.after} & {*failed}
                ]
                open_ = {stage.name for stage in waiting} | {*running.values()}
                for stage in [*waiting]:
                    free = len(running) < processes
                    if free and not {*stage.after} & open_:
                        work = pool.submit(self._run_stage, stage, report)
                        running[work] = stage.name
                        waiting.remove(stage)
                for work in wait(running, return_when=FIRST_COMPLETED).done:
                    error = work.exception()
                    name = running.pop(work)
                    if error is not None:
                        failed[name] = error
        if failed:
            text = '\n'.join(str(error) for error in failed.values())
            raise StageError(text) from next(iter(failed.values()))

    def _run_stage(
        self, stage: Stage, report: Callable[[str], None]
    ) -> None:  # fmt: skip
        name, folder = stage.name, self.folder(stage.name)
        with ExitStack() as stack:
            if self._is_elsewhere(name) and self.state(name) != 'done':
                stack.enter_context(self._lock(folder.parent))
                self._check([name])  # it may have begun before the lock
            state = self.state(name)
            shown = 'continued' if state == 'begun' else state
            where = f' in {folder}' if self._is_elsewhere(name) else ''
            report(f'{name}: {shown}{where}')
            if state != 'done':
                self._work_on(stage, folder)
                report(f'{name}: done')

    def _work_on(self, stage: Stage, folder: Path) -> None:
        _write(folder / BEGUN, self._begun[stage.name])
        try:
            result = stage.run(folder)
        except StageError as error:
            raise StageError(
                f'stage {stage.name}: {error}; the same command continues '
                f'it, {self.again} {stage.name} starts it again'
            ) from error
        self._finish(stage.name, result)

    def _finish(self, name: str, result: Mapping[str, Any]) -> None:
        marker = dict(fingerprint=self.fingerprint(name), result=dict(result))
        _write(self.folder(name) / DONE, marker)

    def _check(self, names: Sequence[str]) -> None:
        """Raise an error if a folder has other inputs."""
        for name in names:
            difference = self.difference(name)
            if difference is not None:
                raise StageError(
                    f'stage {name} in {self.folder(name)} has other '
                    f'settings: {difference}; give another '
                    f'{self.elsewhere}, or {self.again} {name} to run it and '
                    'all later again'
                )

    def _remove(self, names: Sequence[str]) -> None:
        """Remove folders of stages, the last first: all of them or none."""
        for name in names:
            if self._is_elsewhere(name):
                raise StageError(
                    f'stage {name} is not overwritten: it is shared with the '
                    f'pipeline of {self.folder(name).parent}; overwrite it '
                    'with that one'
                )
        there = [name for name in names if self.folder(name).exists()]
        for name in there:
            folder = self.folder(name)
            if folder.is_symlink():
                raise StageError(
                    f'{folder} is not overwritten: it is a link; remove it '
                    'yourself if you want to'
                )
            if any(folder.iterdir()) and not (folder / BEGUN).is_file():
                raise StageError(
                    f'{folder} is not overwritten: it has files, but no '
                    f'{BEGUN} that shows that they are from a stage'
                )
        for name in reversed(there):
            # Renamed first: a killed removal leaves no half of a stage.
            gone = self.work_dir / f'.{name}{_REMOVED}'
            os.replace(self.folder(name), gone)
            shutil.rmtree(gone)

    @contextmanager
    def _lock(self, folder: Path) -> Iterator[None]:
        """Lock a folder until this process and its children have ended."""
        with ExitStack() as stack:
            # A process that a killed pipeline started may still be writing.
            lock = alone_in(folder, lock_file=_LOCK, inherit=True)
            try:
                stack.enter_context(lock)
            except FileExistsError as error:
                raise StageError(str(error)) from error
            yield


def _read(path: Path) -> dict[str, Any] | None:
    if not path.is_file():
        return None
    try:
        content = json.loads(path.read_text(encoding='utf-8'))
    except ValueError as error:
        raise StageError(f'{path} is not JSON: {error}') from error
    return dict(content)


def begun_with(folder: Path) -> dict[str, Any]:
    """Return the inputs of a finished stage; an empty dict otherwise."""
    if not (folder / DONE).is_file():
        return {}
    return dict((_read(folder / BEGUN) or {}).get('inputs') or {})


def _write(path: Path, content: Mapping[str, Any]) -> None:
    write_whole(path, (json.dumps(content, indent=1) + '\n').encode())


def _first_difference(old: Any, new: Any) -> str:
    """Return the first line in which two inputs differ."""
    there, here = (
        json.dumps(x, indent=1, sort_keys=True).splitlines()
        for x in (old, new)
    )
    gone = added = None
    for line in difflib.ndiff(there, here):
        if line[:2] == '- ' and gone is None:
            gone = line[2:].strip().rstrip(',')
        elif line[:2] == '+ ' and added is None:
            added = line[2:].strip().rstrip(',')
    return f'{gone or "nothing"} there, {added or "nothing"} here'
