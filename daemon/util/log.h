/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* util/log.h - messages of the daemon, on stderr, with the journal's <N> prefix where it reads them */
#ifndef PERFFLOW_UTIL_LOG_H
#define PERFFLOW_UTIL_LOG_H

enum log_level { LOG_LEVEL_ERROR = 3, LOG_LEVEL_WARNING = 4, LOG_LEVEL_INFO = 6, LOG_LEVEL_DEBUG = 7 };

#include <stdbool.h>

/* Messages above the level are left out. Reads JOURNAL_STREAM once. */
void log_init(enum log_level level);
void log_write(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Whether they go to the journal, as those of a service do. */
bool log_is_journal(void);

#define log_error(...)   log_write(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_write(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...)    log_write(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)   log_write(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
