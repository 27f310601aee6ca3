"""What `make gpu`, or `pytest tests/gpu`, runs on a CUDA device; VAECOURSE_DEVICE=cpu rehearses it without one.

Here the CPU in float64 is the judge; that it is right, the other tests say.
"""

import os
from pathlib import Path

import pytest
import torch

DEVICE = torch.device(os.environ.get("VAECOURSE_DEVICE", "cuda"))


def pytest_collection_modifyitems(items):
    missing = DEVICE.type == "cuda" and not torch.cuda.is_available()
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.gpu)
            if missing:
                item.add_marker(pytest.mark.skip(reason="there is no CUDA device here"))


@pytest.fixture
def device():
    return DEVICE


@pytest.fixture
def cuda():
    """For what only a CUDA device has: graphs, its allocator's figures."""
    if DEVICE.type != "cuda":
        pytest.skip("this is of CUDA devices only")
    return DEVICE
