# SPDX-License-Identifier: LGPL-3.0-or-later
"""The Python interpreters of this machine, one of each version that the Python parts are for."""
import glob
import os
import subprocess
import sys

NAMES = [f"python3.{minor}" for minor in range(8, 15)]
FOLDERS = ["/usr/bin", "/usr/local/bin", *glob.glob(os.path.expanduser("~/.pyenv/versions/*/bin"))]


def ask(path):
    """(version, path), or None of what is no interpreter."""
    try:
        out = subprocess.run([path, "-c", "import sys; print(sys.version_info[:2], sys.executable, sep='\\n')"],
                             capture_output=True, text=True, timeout=30).stdout.splitlines()
    except OSError:
        return None
    return tuple(out) if len(out) == 2 else None


def interpreters():
    """Paths by version, this one's first."""
    found = dict([(str(sys.version_info[:2]), sys.executable)])
    for folder in FOLDERS:
        for name in NAMES:
            path = os.path.join(folder, name)
            known = ask(path) if os.access(path, os.X_OK) else None
            if known:
                found.setdefault(*known)
    return found
