"""Compares vectors with the digests of their manifests, where that takes long while others work."""

import os
import signal
import threading
from collections.abc import Sequence
from pathlib import Path

from rocketqa.jobs.digests import refuse_damaged

PATIENCE = 3.0  # seconds that a service waits for the check before it listens


class VectorCheck:
    """A check of folders of vectors in a thread; see `start`."""

    def __init__(self, folders: Sequence[Path], patience: float = PATIENCE):
        self._folders = folders
        self._patience = patience
        self._is_waited_for = True
        self._fault: Exception | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Begins the check and waits for its end, at most `patience` seconds.

        Raises DataError where a file is found damaged in that time. Where one is found later, this
        process gets SIGTERM, and `raise_fault` says why.
        """
        self._thread.start()
        self._thread.join(self._patience)
        self._is_waited_for = False
        self.raise_fault()

    def is_running(self) -> bool:
        """Returns whether the vectors may not be used yet."""
        return self._thread.is_alive() or self._fault is not None

    def raise_fault(self) -> None:
        """Raises the DataError, or the error of the disk, that the check has ended with."""
        if self._fault is not None:
            raise self._fault

    def _run(self) -> None:
        try:
            refuse_damaged(*self._folders)
        except Exception as error:  # noqa: BLE001  It is raised again in the main thread.
            self._fault = error
            if not self._is_waited_for:
                os.kill(os.getpid(), signal.SIGTERM)
