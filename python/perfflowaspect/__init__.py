# SPDX-License-Identifier: LGPL-3.0-or-later
"""PerfFlowAspect's Python interface, for programs that perfflow traces: see perfflowaspect.aspect."""
