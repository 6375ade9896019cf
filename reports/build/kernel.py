"""One kernel for all notebooks of a call: what they all import, which takes longest, is imported once."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from jupyter_client.manager import AsyncKernelManager
from jupyter_core.utils import ensure_event_loop, run_sync
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import Engine, NotebookExecutionManager, papermill_engines
from papermill.log import logger

NAME = "pixel-embedding-study"  # of the kernel, and of the engine
# while it starts: with it comes what pages are made with
_IMPORTED = "import reports.blocks.launch_page; reports.blocks.launch_results.keep_launches(); del reports"
_FORGET = "get_ipython().reset(new_session=True); __import__('gc').collect()"
_START_TIMEOUT = 300  # s; on a busy machine the imports alone may take a minute


class Kernel:
    """A Python process that executes notebooks one after another; where it has died, the next one gets a new process.

    A notebook finds nothing that another has defined, and counts its cells from 1. Modules stay imported.
    """

    def __init__(self) -> None:
        self._manager: AsyncKernelManager | None = None
        self.start()

    def start(self) -> AsyncKernelManager:
        """The manager of the process, which is started where there is none; it need not be ready yet."""
        if self._manager is None:
            self._manager = AsyncKernelManager(kernel_name=NAME)
            run_sync(self._manager.start_kernel)()
        return self._manager

    def execute(self, notebook: NotebookExecutionManager) -> None:
        """Execute the cells of a notebook, up to one that fails; raises what nbclient does where the process dies."""
        client = PapermillNotebookClient(
            notebook, km=self.start(), kernel_name=NAME, startup_timeout=_START_TIMEOUT, log=logger
        )
        try:
            client.execute()
        finally:
            run_sync(self._leave)(client)

    async def _leave(self, client: PapermillNotebookClient) -> None:
        """End the connection of a notebook, and free its memory."""
        assert self._manager is not None
        if client.kc is not None and await self._manager.is_alive():
            await client.kc.execute(_FORGET, silent=True, store_history=False, reply=True)  # type: ignore[misc]
        else:
            await self._manager.shutdown_kernel(now=True)
            self._manager = None
        if client.kc is not None:
            client.kc.stop_channels()

    def stop(self) -> None:
        """End the process."""
        if self._manager is not None:
            run_sync(self._manager.shutdown_kernel)(now=True)
            self._manager = None


class _InKernel(Engine):
    """The engine by which papermill executes a notebook in a `Kernel`."""

    @classmethod
    def execute_managed_notebook(
        cls, nb_man: NotebookExecutionManager, kernel_name: str, *, kernel: Kernel, **_: Any
    ) -> None:
        kernel.execute(nb_man)


papermill_engines.register(NAME, _InKernel)


@contextmanager
def own_kernel() -> Iterator[Kernel]:
    """A kernel of this very Python, whatever kernels are installed, that finds the packages of this program.

    Its configuration, history and sockets are its own too, so that nothing of the user's is read or written. The
    libraries keep their warnings, mostly of each other, to themselves.
    """
    logging.getLogger("papermill").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as place, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        spec = Path(place) / "kernels" / NAME
        spec.mkdir(parents=True)
        (spec / "kernel.json").write_text(json.dumps(_specification(place)))
        ours = {"JUPYTER_PATH": place, "JUPYTER_RUNTIME_DIR": place, "JUPYTER_CONFIG_DIR": place, "IPYTHONDIR": place}
        ours["JUPYTER_NO_CONFIG"] = "1"
        before = {name: os.environ.get(name) for name in ours}
        os.environ.update(ours)
        kernel = None
        try:
            kernel = Kernel()
            yield kernel
        finally:
            if kernel is not None:
                kernel.stop()
            ensure_event_loop().close()  # that of this thread, which nbclient leaves open
            asyncio.set_event_loop(None)
            for name, value in before.items():
                os.environ.pop(name) if value is None else os.environ.update({name: value})


def _specification(place: str) -> dict[str, Any]:
    """How the process of a kernel is started; what it writes stands in the folder `place`."""
    paths = [str(Path(__file__).resolve().parents[2]), *filter(None, [os.environ.get("PYTHONPATH")])]
    own = {
        "PYTHONPATH": os.pathsep.join(paths),
        "IPYTHONDIR": place,
        "MPLBACKEND": "agg",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "PYTHONWARNINGS": "ignore",
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    }
    command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}", "--log-level=CRITICAL"]
    command += ["--HistoryManager.enabled=False", f"--IPKernelApp.exec_lines={_IMPORTED}"]
    return {"argv": command, "display_name": "Python", "language": "python", "env": own}
