/* Collecting faults. Private to policy/config*. */
#pragma once
#include "policy/config.h"

enum { CONFIG_MESSAGE_MAX = 640 }; /* bytes of one fault's message, escaped */

/* Escapes what the message quotes. Beyond CONFIG_FAULTS_MAX (or without memory) it is only counted. */
void config_faults_add(struct config_faults *faults, unsigned line, unsigned column, const char *format, ...)
    PRINTF_LIKE(4, 5);
/* Puts them into the order of the file. */
void config_faults_sort(struct config_faults *faults);
size_t config_faults_total(const struct config_faults *faults);

/* The nearest of some known words to a misspelt one; embedded. */
struct config_hint {
    const char *word; /* NULL: nobody would read the hint, so it is not looked for */
    const char *best; /* borrowed; NULL while none is near */
    size_t distance;
};
struct config_hint config_hint_for(const struct config_faults *faults, const char *word);
void config_hint_try(struct config_hint *hint, const char *known);
enum { CONFIG_HINT_MAX = 160 };
/* `; did you mean "best"?` or an empty string. Returns out. */
char *config_hint_text(const struct config_hint *hint, char out[CONFIG_HINT_MAX]);
