/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* sink/chrome.h - Chrome Trace Event JSON: what Perfetto, chrome://tracing and speedscope open */
#ifndef PERFFLOW_SINK_CHROME_H
#define PERFFLOW_SINK_CHROME_H

#include "sink/sink.h"

extern const struct sink_ops chrome_sink_ops;

#endif
