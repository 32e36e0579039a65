"""What of the record takes time, worked out beside the training: environment, hashes of inputs, dataset and artifacts.

One thread of kl does it, all that takes long with the lowest priority. The training never waits for it, and fails for
nothing of it: what cannot be worked out is listed in the manifest.
"""

from __future__ import annotations

import os
import queue
import sys
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from launcher.base.words import some_of
from launcher.record.dataset import DATASET
from launcher.record.environment import ENVIRONMENT
from launcher.record.hashes import HashError, Stopped, files_below
from launcher.record.inputs import inputs_of
from launcher.record.manifest import InputRecord, Manifest
from launcher.run.artifacts import Artifact
from launcher.run.recorder_jobs import (
    CHANGES,
    DatasetJobs,
    is_on_hub,
    record_artifact,
    record_environment,
    record_input,
)
from launcher.run.recorder_results import Result, merged, not_done
from launcher.run.screen import Screen
from launcher.run.signals import Asked

_SAID_AFTER = 1.0  # seconds of waiting
_STEP = 0.05
_LETS_GO = 0.5  # seconds in which the thread notices that it is to stop
_LOWEST = 19  # of priorities

Job = Callable[[], Result | None]


class Recorder:
    """Works beside the training from `start` to `finish`; only its caller touches manifest and directory."""

    def __init__(self, directory: Path, manifest: Manifest) -> None:
        self._directory = directory
        self._manifest = manifest
        self._variables = {**os.environ, **(manifest.variables or {})}
        self._dataset = DatasetJobs(directory, manifest)
        self._jobs: queue.SimpleQueue[tuple[str, Job] | None] = queue.SimpleQueue()
        self._results: queue.SimpleQueue[Result] = queue.SimpleQueue()
        self._left: dict[str, None] = {}  # the labels of what is to come, in order
        self._asked: dict[str, tuple[int, int]] = {}  # artifacts as they were when their hash was asked for
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name="recorder", daemon=True)

    def start(self) -> None:
        """Begin with what an earlier attempt has not recorded."""
        for artifact in self._manifest.artifacts:
            if artifact.sha256 is not None:
                path = self._directory / artifact.path
                self._asked[str(path)] = _state(path)
        if ENVIRONMENT not in {record.name for record in self._manifest.files}:
            # Before the priority is lowered: programs are started that have only some seconds to answer.
            self._ask(ENVIRONMENT, lambda: record_environment(self._manifest))
        self._jobs.put(("", _lower_priority))
        manifest = self._manifest
        inputs = manifest.inputs or inputs_of(
            manifest.options, self._directory, Path(manifest.trainer.checkout), self._variables
        )
        for each in inputs:
            if each.sha256 is None and not is_on_hub(each):
                self._ask_input(f"the hash of {each.path}", each)
        self._ask(DATASET, lambda: self._dataset.record(self._stop.is_set))
        with suppress(RuntimeError):  # no thread to be had: all of it is left then
            self._thread.start()

    def saw(self, artifacts: Iterable[Artifact], *, last: bool = False) -> None:
        """Take up new artifacts; at the `last` time also those that were written over since."""
        for artifact in artifacts:
            key = str(artifact.path)
            if key in self._asked and not last:
                continue
            state = _state(artifact.path)
            if self._asked.get(key) != state:
                self._asked[key] = state
                path = str(artifact.path.relative_to(self._directory))
                self._ask_artifact(f"the hash of {path}", path, artifact)

    def merge(self, manifest: Manifest) -> tuple[Manifest, bool]:
        """The manifest with what was worked out since the last time, and whether that is anything."""
        before = manifest
        with suppress(queue.Empty):
            while True:
                result = self._results.get_nowait()
                self._left.pop(result.label, None)
                manifest = merged(manifest, result, self._directory)
        return manifest, manifest is not before and manifest != before

    def finish(
        self,
        manifest: Manifest,
        artifacts: Iterable[Artifact],
        asked: Asked,
        screen: Screen,
        patience: float | None = None,
    ) -> Manifest:
        """The manifest with everything, once training has ended and all of it is worked out.

        It is waited for as many seconds as `patience` says, None for as long as it takes; a signal ends the waiting.
        """
        self.saw(artifacts, last=True)
        self._ask(CHANGES, self._dataset.look_again)
        for each in manifest.inputs:
            if each.revision is None and is_on_hub(each):  # it may have been downloaded meanwhile
                self._ask_input(f"the commit of {each.path}", each)
        self._jobs.put(None)
        why = "the training had ended, and it was not waited for"
        began, times, said = time.monotonic(), asked.times, False
        while self._thread.is_alive():
            self._thread.join(_STEP)
            manifest, _ = self.merge(manifest)
            waited = time.monotonic() - began
            if asked.times > times:
                why = "it was skipped"
                break
            if patience is not None and waited > patience:
                break
            if not said and patience is None and waited > _SAID_AFTER:
                said = True
                screen.announce(f"the record is completed: {some_of(self._left)}; Ctrl-C skips it")
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(_LETS_GO)
        manifest, _ = self.merge(manifest)
        return not_done(manifest, self._left, why)

    def _ask_input(self, label: str, record: InputRecord) -> None:
        self._ask(label, lambda: record_input(label, record, self._stop.is_set, self._variables))

    def _ask_artifact(self, label: str, path: str, artifact: Artifact) -> None:
        final = self._manifest.final
        self._ask(label, lambda: record_artifact(label, path, artifact, final, self._stop.is_set))

    def _ask(self, label: str, job: Job) -> None:
        self._left[label] = None
        self._jobs.put((label, job))

    def _work(self) -> None:
        # At once: what is there later may not be what was trained on.
        self._do("the list of the dataset", self._dataset.look)
        while (job := self._jobs.get()) is not None and not self._stop.is_set():
            self._do(*job)

    def _do(self, label: str, job: Job) -> None:
        try:
            result = job()
        except Stopped:
            return
        except Exception as error:  # whatever it is: the training goes on, and the manifest says it
            result = Result(label, problems=(f"{label}: {type(error).__name__}: {error}",))
        if result is not None:
            self._results.put(result)


def _lower_priority() -> None:
    if sys.platform == "linux":  # elsewhere a priority is that of the whole process
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _LOWEST)


def _state(path: Path) -> tuple[int, int]:
    """The size of a file or folder and when it was last written; two that are alike are taken for the same."""
    try:
        if not path.is_dir():
            status = path.stat()
            return status.st_size, status.st_mtime_ns
        found = [each.status for each in files_below(path)]
    except (OSError, HashError):
        return 0, 0
    return sum(each.st_size for each in found), max((each.st_mtime_ns for each in found), default=0)
