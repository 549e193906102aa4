/* What the store_*.c files share; nobody else includes this. */
#pragma once
#include <sys/types.h>
#include <time.h>
#include "vault/store.h"

enum {
    KEYS_MAX = 2,  /* in the key file */
    KEY_LINE = 45, /* base64 of 32 bytes, and a newline */
    STORE_PATH = 4096,
};

/* Tells whether a file is the one that was read. */
struct mark {
    dev_t device;
    ino_t inode;
    off_t size;
    struct timespec changed;
};

struct store {
    int directory, lock;
    struct secret *keys[KEYS_MAX];
    size_t n_keys, used; /* used: which one opens the store */
    struct sealed *sealed;
    struct mark key_mark, store_mark;
};

/* Of what the name stands for now; all zeroes for none. */
struct mark store_mark_now(const struct store *store, const char *name);
/* Wipes what was read. */
void store_forget(struct store *store);
