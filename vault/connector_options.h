/* The settings that a client asked for, in the form in which libpq passes them on. No I/O. */
#pragma once
#include "base/ipc.h"

enum {
    OPTIONS_MAX = 64,            /* settings of one login */
    OPTION_VALUE_MAX = 1024,     /* bytes of one value */
    OPTIONS_TEXT_MAX = 8 * 1024, /* bytes of all, folded; the server takes 10,000 in its startup packet */
};

struct options {
    const char *application_name; /* borrowed; or NULL */
    const char *client_encoding;  /* borrowed or static */
    char *folded;                 /* "-c DateStyle=ISO -c …" */
};

/* Checks and folds. UTF8 and standard_conforming_strings=on unless a harmless encoding was asked for
 * (facts.md). -EINVAL for a setting that may not be set at login. */
MUST_USE int options_fold(Ipc__Variable *const *settings, size_t n, struct options *ret,
                          struct detail *detail);
void options_free(struct options *options); /* zeroed ones too */
