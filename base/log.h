/* The log: one event per line on stderr, key=value or JSON. */
#pragma once
#include <stdbool.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERROR };

/* Names the process in every line; called once by a process main. */
void log_open(const char *process, bool as_json, enum log_level least);

/* Pairs of key and value (strings; NULL values are left out), ended by NULL:
 * log_event(LOG_INFO, "login", "identity", name, "port", U64(port), NULL);
 * Values are escaped here; one write() per line, cut at 4 KiB. */
void log_event(enum log_level level, const char *event, ...) __attribute__((sentinel));
