"""What a server finds in the environment: no folder of whatever notebook is opened, and none where others write."""

from __future__ import annotations

import os
from pathlib import Path

from tools import ending

JUPYTERS = ("JUPYTER_PATH", "JUPYTER_CONFIG_PATH")  # lists of folders with programs for its pages and their settings
LABS = ("JUPYTERLAB_DIR", "JUPYTERLAB_SETTINGS_DIR", "JUPYTERLAB_WORKSPACES_DIR")  # one folder each, of the same
LIBRARIES = ("LD_LIBRARY_PATH", "LD_PRELOAD", "DYLD_LIBRARY_PATH", "DYLD_INSERT_LIBRARIES")
SEARCHED = ("PATH", "PYTHONPATH", *LIBRARIES, *JUPYTERS)
OWN = ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR")  # ``ending`` looks at them, too
FOLDERS = (*OWN, *LABS, "JUPYTER_TOKEN_FILE", "PYTHONHOME", "PYTHONSTARTUP")


def whole_addresses() -> None:
    """Leave out of the environment what would be looked for in the folder of whatever notebook is opened."""
    for name in SEARCHED:
        if name in os.environ:
            parts = os.environ[name].split(os.pathsep)
            kept = [
                part for part in parts if os.path.isabs(part) or (name == "LD_PRELOAD" and "/" not in part and part)
            ]
            os.environ[name] = os.pathsep.join(kept)
            if not kept:  # an empty list is this folder, too
                del os.environ[name]
    for name in FOLDERS:
        if os.environ.get(name):
            os.environ[name] = os.path.abspath(os.environ[name])
    for name in (*JUPYTERS, *LABS):
        for part in filter(None, os.environ.get(name, "").split(os.pathsep if name in JUPYTERS else "\0")):
            _refuse_where_others_write(name, part)


def _refuse_where_others_write(name: str, folder: str) -> None:
    """Raise ``Refused`` for a folder of Jupyter's in which another user can put what runs in its pages."""
    if hasattr(os, "getuid"):
        for way in dict.fromkeys((folder, os.path.realpath(folder))):
            if why := ending.not_ours_alone(Path(way)):
                raise ending.Refused(f"{why}, and what lies there would run as you: leave it out of {name}.")
