/* Where recordings are, and what they are called (docs/recording-format.md §1). */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/error.h"

enum {
    RECORDING_ID = 12,                                      /* characters */
    RECORDING_DAY = 10,                                     /* "2026-01-31" */
    RECORDING_PLACE = RECORDING_DAY + 1 + RECORDING_ID + 6, /* "DAY/ID.ghrec" */
};

/* The id of a moment (unix milliseconds) and the lower 18 bits of random. Returns out. */
char *recording_id(char out[RECORDING_ID + 1], uint64_t unix_ms, uint32_t random);
bool recording_id_valid(const char *id);
/* When it was made, in unix seconds; the id must be valid. */
uint32_t recording_seconds(const char *id);
/* The directory's name inside STATE/recordings; the id must be valid. Returns out. */
char *recording_day(char out[RECORDING_DAY + 1], const char *id);
/* "DAY/ID.ghrec", relative to STATE/recordings; the id must be valid. Returns out. */
char *recording_place(char out[RECORDING_PLACE + 1], const char *id);
/* Takes the id out of a file's name, "ID.ghrec"; false when it is no such name. */
MUST_USE bool recording_id_of_file(const char *name, char ret_id[RECORDING_ID + 1]);

/* Calls visit for every recording below STATE/recordings (dir_fd stays the caller's), days in order, until it
 * returns something else than 0, which is returned. Names that are not ours are passed over. */
typedef int place_visit(void *owner, const char *id);
MUST_USE int place_walk(int dir_fd, place_visit *visit, void *owner);
