#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-3.0-or-later
"""everywhere.py TEST: runs a file of tests under each interpreter of this machine. All have to pass."""
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from interpreters import interpreters  # noqa: E402

status = 0
for version, path in interpreters().items():
    print(f"--- Python {version}", flush=True)
    status |= subprocess.run([path, *sys.argv[1:]]).returncode
sys.exit(1 if status else 0)
