"""JupyterLab on the chapters, as ``make lab`` starts it.

    python -m tools.lab                          chapter 00, in the browser
    python -m tools.lab --no-browser             the same, and no browser is opened
    python -m tools.lab chapters/03-estimators.ipynb

Its folder is the notebook's, for example chapters/. Of what can be added to a Jupyter server only JupyterLab and its
terminal are loaded: no Voila, which would run notebooks when their page is asked for, and no Jupytext, which would
write a notebook's .py when it is saved. Needs no more than the extra `lab`.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from jupyterlab.labapp import LabApp

from tools import contents, ending, servers

START = Path(__file__).resolve().parents[1] / "chapters/00-start-here.ipynb"
KERNELS = 12
IDLE = 8 * 3600  # seconds: a night's training ends in time, and so does what was forgotten


class Lab(LabApp):
    """JupyterLab on a server of the course."""

    serverapp_class = servers.Server
    serverapp_config = {"jpserver_extensions": {"jupyter_server_terminals": True}}  # and JupyterLab, and no others

    @classmethod
    def get_extension_package(cls) -> str:
        return "jupyterlab"

    @classmethod
    def make_serverapp(cls, **more: Any) -> servers.Server:
        settings = servers.settings(most=KERNELS, idle=IDLE, look=300)
        settings.ServerApp.file_to_run = str(START)
        settings.ServerApp.contents_manager_class = contents.Contents
        return cls.serverapp_class.instance(config=settings, **more)


@ending.told("lab")
def main(arguments: list[str]) -> int:
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # what the stored outputs were made with: docs/same-seed.md
    Lab.launch_instance(arguments)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
