import shutil
from pathlib import Path

import pytest

SAMPLE = Path(__file__).parent / "sample" / "98-sample.py"


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    """A copy of the sample chapter, a pair without fault, to plant faults in."""
    for suffix in (".py", ".ipynb"):
        shutil.copy(SAMPLE.with_suffix(suffix), tmp_path)
    return tmp_path / SAMPLE.name
