/* Time. */
#pragma once
#include <stdint.h>

uint64_t clock_ms(void);      /* monotonic, milliseconds */
uint64_t clock_us(void);      /* monotonic, microseconds */
uint64_t clock_unix_ms(void); /* wall clock since 1970, milliseconds */
