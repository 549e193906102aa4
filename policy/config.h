/* gatehouse.yaml into a Config, with line and column for every fault. Only the `gatehouse` command links
 * this. */
#pragma once
#include <stddef.h>
#include <stdio.h>
#include "base/ipc.h"

enum {
    CONFIG_FILE_MAX = 4 * 1024 * 1024, /* bytes */
    CONFIG_FAULTS_MAX = 100,           /* reported; further ones are counted */
};

struct config_fault {
    unsigned line, column; /* from 1; 0 when the fault is of the file as a whole */
    char *message;         /* one line, escaped: fit for a terminal or a log */
};

struct config_faults {
    struct config_fault *items;
    size_t count;
    size_t unreported;
};

void config_faults_free(struct config_faults *faults); /* empties it */
/* "PATH:LINE:COL: error: MESSAGE", without a newline, cut at size; without LINE:COL when the fault has none.
 * Returns out. */
char *config_fault_line(const struct config_fault *fault, const char *path, char *out, size_t size);
/* All of them, a line each; then how many more there are. */
void config_faults_print(const struct config_faults *faults, const char *path, FILE *out);

/* Reads and checks the file and the files that it names. 0 and *ret (ipc__config__free_unpacked) when there
 * is no fault; 1 and the faults, in order of lines, when there are; negative errno when memory ran out. */
MUST_USE int config_load(const char *path, Ipc__Config **ret, struct config_faults *faults);
