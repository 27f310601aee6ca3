"""``python -m vaecourse doctor | progress | hand-in | class | train | ...``. An error is a sentence, and exit code 2.

Written in the words of every Python since 2.7, as __init__.py is: an old one says that it is too old, and nothing else.
"""

import sys

if sys.version_info < (3, 11):
    sys.stdout.write(
        "vaecourse needs Python 3.11 or newer, and %s is %d.%d: install a newer one, then make lab PYTHON=python3.11\n"
        % (sys.executable, sys.version_info[0], sys.version_info[1])
    )
    sys.exit(1)

from vaecourse import doctor

# The doctor needs nothing that is installed; he comes, too, where the command line has not what it needs to start.
if __name__ == "__main__" and (sys.argv[1:] == ["doctor"] or doctor.unmet("typer")):
    sys.exit(doctor.report())

from vaecourse.commands import app

__all__ = ["app"]

if __name__ == "__main__":
    app(prog_name="python -m vaecourse")
