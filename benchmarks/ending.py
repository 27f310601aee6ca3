"""A benchmark ends as the course's other commands do: with a sentence, and after Ctrl-C with no traceback.

`python benchmarks/NAME.py` finds this file, which lies beside it, and tools/ by it.
"""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))

from tools.ending import reports  # noqa: E402

__all__ = ["reports"]
