/* UTF-8 text as a terminal shows it. */
#pragma once
#include <stddef.h>
#include <stdint.h>

/* The character at *at (before end), moving behind it; bytes that are no UTF-8 are U+FFFD, one at a time. */
uint32_t utf8_next(const char **at, const char *end);
/* Its bytes in out, returned how many. */
size_t utf8_put(char out[4], uint32_t code);
/* Columns: 0 for marks that combine, 2 for wide ones (Unicode UAX #11), else 1. */
unsigned width_of(uint32_t code);
unsigned width_of_text(const char *text);
