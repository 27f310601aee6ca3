"""What JupyterLab reads and writes for the course: nothing outside of its folder, and no widgets that were saved.

A link in a stranger's repository can lead anywhere, and a save would follow it. One that leads to another place in the
same folder is followed; one that leads out of it is not, and the files list does not show it.
"""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path
from typing import Any

from jupyter_server.base.handlers import AuthenticatedFileHandler
from jupyter_server.services.contents.filecheckpoints import AsyncFileCheckpoints
from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager
from tornado.web import HTTPError


class LeadsOut(HTTPError, OSError):
    """The answer to whoever asks for such a link. As an error of a loop of links, it is left out of a list."""

    errno = errno.ELOOP

    def __init__(self, path: str, root: str) -> None:
        super().__init__(403, f"{path} is, or lies behind, a link that leads out of {root}: it is not followed here.")


def stay_in(root: str, path: str) -> str:
    """``path``, or ``LeadsOut`` if it is outside of ``root`` once all links are followed."""
    if not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(root)):
        raise LeadsOut(path, root)
    return path


class Checkpoints(AsyncFileCheckpoints):
    """The copies in .ipynb_checkpoints, where a link may lie too."""

    def checkpoint_path(self, checkpoint_id: str, path: str) -> str:
        found = super().checkpoint_path(checkpoint_id, path)
        inside = Path(found).is_relative_to(os.path.abspath(self.root_dir))
        return stay_in(self.root_dir if inside else tempfile.gettempdir(), found)  # there if the folder is read-only


class Files(AuthenticatedFileHandler):
    """Files as they are, for a picture in a text or a download."""

    def validate_absolute_path(self, root: str, absolute_path: str) -> str | None:
        stay_in(root, absolute_path)
        return super().validate_absolute_path(root, absolute_path)


class Contents(AsyncLargeFileManager):
    """Notebooks without the widgets that were saved in them: JupyterLab would run their JavaScript on opening.

    A stranger's notebook could so do all that its reader can, with no cell run. The course stores no widgets.
    """

    def _get_os_path(self, path: str) -> str:
        return stay_in(self.root_dir, super()._get_os_path(path))

    def _checkpoints_class_default(self) -> type[Checkpoints]:
        return Checkpoints

    def _files_handler_class_default(self) -> type[Files]:
        return Files

    async def get(self, *arguments: Any, **more: Any) -> dict[str, Any]:
        model = await super().get(*arguments, **more)
        if model["type"] == "notebook" and model["content"] is not None:
            model["content"]["metadata"].pop("widgets", None)
        return model
