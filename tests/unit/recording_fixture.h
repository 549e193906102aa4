/* A state directory with real recordings in it, made by the code under test and then spoilt by hand. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "replay/audit.h"
#include "replay/place.h"
#include "replay/verify.h"

struct house {
    char state[64]; /* mkdtemp */
    struct keys *keys;
    int audit_fd;
    struct audit *audit;
    enum chain_version version; /* of the recordings to come; 0: the newest */
};

void house_make(struct house *house);
/* Ends the writing; the directory stays. */
void house_close(struct house *house);
void house_remove(struct house *house);

/* A recording that is being written. */
struct pen {
    char id[RECORDING_ID + 1];
    int fd;
    struct chain chain;
    uint8_t tag[CHAIN_TAG]; /* of the last entry */
    uint64_t at_us;
    uint64_t offsets[64]; /* where each entry begins, and after the last one the end */
    size_t n;
};

/* number makes the id. Enters session_start unless `quiet`. */
void pen_open(struct house *house, struct pen *pen, uint32_t number, bool quiet);
void pen_event(struct pen *pen, Ipc__Event *event, const void *body, size_t n);
void pen_request(struct pen *pen, const char *text, const char *verdict, const char *rule);
void pen_output(struct pen *pen, const char *form, const void *bytes, size_t n);
void pen_end(struct pen *pen, uint32_t status);
void pen_close(struct pen *pen);
/* Enters the seal that a ledger would. */
void pen_seal(struct house *house, const struct pen *pen, const char *state, uint64_t tail);

void place_of(const struct house *house, const char *id, char out[256]);
/* The file's bytes, malloc'ed. */
uint8_t *slurp(const char *path, size_t *ret_n);
void spill(const char *path, const void *bytes, size_t n);

/* What verify said, gathered. */
struct findings {
    struct verify_count count;
    char faults[4096]; /* "id: text\n" of each */
    char notes[4096];
};
int verify_house(const struct house *house, const char *id, struct findings *ret);
