"""Installing into .venv, one at a time; where it fails, a last sentence says why and what to do. The Makefile calls it.

    python3 tools/bootstrap.py make INSTALLING=1 .venv/installed-lab

It runs before anything is installed, so it needs Python alone, and 3.6 will do.
"""

import errno
import os
import re
import stat
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

BEGUN = "begun-by-vaecourse"  # a file in a .venv that was empty, or not there, when the course came
LOCK = ".venv.lock"  # the system lets go of it when whoever holds it, and all that he has started, has died
MEGABYTES = 1600  # with PyTorch for CPUs
ELSEWHERE = ("target", "prefix", "root", "python")  # settings by which pip installs somewhere else
AGAIN = "then give the same command again: it goes on where this one ended."


def main(command):
    """Run ``command`` alone; return its exit code."""
    wrong = no_variable(os.getcwd())
    if wrong:
        say(wrong)
        return 1
    try:
        alone()
        begin()
        failed = subprocess.call(command[:1] + ["--silent"] + command[1:-1] + [".venv/bin/pip"], env=environment())
        failed = failed or bool(elsewhere()) or subprocess.call(command, env=environment())
        if failed:
            say("\n" + why())
        return failed
    except KeyboardInterrupt:
        say("\nStopped. The same command goes on where this one ended.")
        return 130
    except Foreign:
        say(f"{os.path.abspath(LOCK)} has a text in it that is not the course's: move that file away, {AGAIN}")
        return 1
    except NoFile:
        say(f"{os.path.abspath(LOCK)} is no file: move it away, {AGAIN}")
        return 1
    except OSError as failure:
        say(not_writable() or full() or f"{os.path.abspath(LOCK)}: {failure.strerror}. Remove that file, {AGAIN}")
        return 1


class Foreign(Exception):
    """Somebody's file has the name of the lock."""


class NoFile(Exception):
    """A pipe, or another thing that is no file, has the name of the lock."""


def environment():
    """The variables as they are, but for those by which pip installs somewhere else than into .venv."""
    ways = ["PIP_" + name.upper() for name in ELSEWHERE]
    kept = [(name, os.environ[name]) for name in os.environ if name not in ways]
    return dict(kept, PIP_USER="0", PIP_DRY_RUN="0")  # which its files may say, too: a variable counts for more


def alone():
    """Hold the lock for as long as this process lives; who has it now is told, and waited for."""
    try:
        import fcntl
    except ImportError:  # Windows has no such locks
        return
    while True:
        handle = os.open(LOCK, os.O_RDWR | os.O_CREAT | os.O_NONBLOCK, 0o600)  # whoever can open it can hold it
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise NoFile
        if not is_ours(os.read(handle, 200)):
            raise Foreign
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.lseek(handle, 0, os.SEEK_SET)
            holder = os.read(handle, 200).decode(errors="replace").strip()
            say(f"Waiting: {holder or 'another process is installing the course here'}.")
            fcntl.flock(handle, fcntl.LOCK_EX)
        if os.path.exists(LOCK) and os.path.samestat(os.fstat(handle), os.stat(LOCK)):
            break
        os.close(handle)  # `make clean` has removed the file meanwhile
    os.set_inheritable(handle, True)  # where this process alone is killed, pip is at work still
    os.ftruncate(handle, 0)
    os.lseek(handle, 0, os.SEEK_SET)
    os.write(handle, f"process {os.getpid()} has been installing the course since {time.strftime('%H:%M')}".encode())


def begin():
    """Make .venv, and put a mark into it by which `make clean` knows that it may remove it, however far this comes."""
    if not os.path.lexists(".venv"):
        os.mkdir(".venv")
    if os.path.isdir(".venv") and not os.path.islink(".venv") and not os.listdir(".venv"):
        os.close(os.open(os.path.join(".venv", BEGUN), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))


def no_variable(folder):
    """Why the course cannot be installed in a folder of this name; None if it can."""
    cure = "give the folder another name, or copy the course to another place, then give the same command again."
    if os.pathsep == ":" and ":" in folder:  # no list of places can name it
        return f"{folder} has a : in its name, in which Python makes no environment: {cure}"
    found = re.search(r"\$[a-zA-Z_]\w*|[{}]", folder)
    if found:
        return f"{folder} has a {found.group()} in its name, which setuptools cannot install in: {cure}"
    return None


def is_ours(content):
    """Whether nothing is in the lock's file but what stands in ``alone``."""
    return re.match(rb"\0*(process \d+ has been installing the course since \d\d:\d\d)?\s*$", content) is not None


def why():
    """Why an installation failed, as far as can be seen now, and what to do."""
    for look in (not_writable, full, no_environment, elsewhere, no_network):
        found = look()
        if found:
            return found
    return f"The installation failed, and what stands above says why: mend that, {AGAIN}"


def not_writable():
    for folder in (".", ".venv"):
        try:
            if os.path.isdir(folder):
                tempfile.TemporaryFile(dir=folder).close()
        except OSError as failure:
            if failure.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
                place = os.path.abspath(folder)
                return f"Nothing can be written in {place} ({failure.strerror}): copy the course to a folder of yours."
    return None


def full():
    for folder in (".", os.environ.get("TMPDIR", "/tmp")):
        try:
            if os.path.isdir(folder):
                with tempfile.TemporaryFile(dir=folder) as file:
                    file.write(bytes(2**22))
        except OSError as failure:
            if failure.errno in (errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)):
                need = f"{failure.strerror}; the course needs {MEGABYTES} MB"
                return f"The disk of {os.path.abspath(folder)} is full ({need}): make room there, {AGAIN}"
    return None


def no_environment():
    if os.path.exists(".venv/bin/pip"):
        return None
    cure = "sudo apt-get install python{}.{}-venv".format(*sys.version_info)
    return f"{sys.executable} made no .venv, as it does without its module venv. On Debian and Ubuntu {cure}, {AGAIN}"


def elsewhere():
    """What pip's own files say about another place; a variable cannot take it back."""
    for name in ELSEWHERE:
        for place in ("global", "install"):
            found = setting(name, [place])
            if found:
                where = f"pip's settings say {name} = {found}"
                cure = f"take that out (python3 -m pip config unset {place}.{name}, or by hand)"
                return f"{where}, so that it would install there and not into .venv: {cure}, {AGAIN}"
    return None


def no_network():
    for address in indexes():
        trouble = None
        try:
            urllib.request.urlopen(address, timeout=10).close()
        except urllib.error.HTTPError as refusal:
            if refusal.code in (401, 403, 407, 502, 503, 504):
                trouble = f"answers {refusal.code} {refusal.reason}"
        except (OSError, ValueError) as failure:
            trouble = f"cannot be reached ({getattr(failure, 'reason', failure)})"
        if trouble:
            proxy = urllib.request.getproxies().get(urllib.parse.urlsplit(address).scheme)
            way = f" by the proxy {shown(proxy)}, which https_proxy names," if proxy else ""
            return f"{shown(address)}{way} {trouble}: look after the network, {AGAIN}"
    return None


def indexes():
    """Where pip looks; nowhere, if it is to take its packages from a folder."""
    if os.environ.get("PIP_NO_INDEX"):
        return []
    torch = os.environ.get("TORCH")
    asked = os.environ.get("PIP_INDEX_URL") or os.environ.get("UV_INDEX_URL") or setting("index-url")
    return [asked or "https://pypi.org/simple/"] + ([f"https://download.pytorch.org/whl/{torch}/"] if torch else [])


def setting(name, places=("global", "user", "site", "install")):
    """What pip's own files say."""
    command = [".venv/bin/python", "-m", "pip", "config", "list"]
    try:
        found = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=60)
    except (OSError, subprocess.SubprocessError):
        return None
    lines = found.stdout.decode(errors="replace").splitlines()
    settings = dict(line.partition("=")[::2] for line in lines)
    return next(
        (settings[key].strip("'\"") for key in [place + "." + name for place in places] if key in settings), None
    )


def shown(address):
    """An address without the password that may be in it."""
    scheme, mark, rest = address.partition("://")
    return scheme + mark + rest.rpartition("@")[2]


def say(sentence):
    sys.stderr.write(sentence + "\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
