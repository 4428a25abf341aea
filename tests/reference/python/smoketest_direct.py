# SPDX-License-Identifier: LGPL-3.0-or-later
"""Regions that are told of directly."""
import os

import perfflowaspect.aspect

FILE = os.path.basename(__file__)

perfflowaspect.aspect.sync_event("before", "main", FILE)
perfflowaspect.aspect.sync_event("before", "foo", FILE)
perfflowaspect.aspect.sync_event("after", "foo", FILE)
perfflowaspect.aspect.sync_event("after", "main", FILE)
