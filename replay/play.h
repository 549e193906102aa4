/* The forms of playing, for player.c alone. Each plays all of `fd` to `out_fd`; errors as player_run(). */
#pragma once
#include "base/buffer.h"
#include "replay/entries.h"
#include "replay/player.h"
#include "replay/scene.h"

enum {
    PLAY_MICROSECONDS = 1000000,
    PLAY_FOLLOW_MS = 200, /* between two looks at a recording that is still written */
};

/* What the forms share: reading and decoding, one event at a time. */
struct play {
    struct entries *entries;
    struct scene_outline outline;
    uint64_t number;     /* of the entry that play_next() gave, from 0 */
    uint64_t read;       /* entries */
    uint64_t started_ms; /* unix, once the header was met */
    struct chain_entry entry;
    bool follow;               /* at the end of what is written, wait for more, */
    bool ended;                /* until the session's own end was seen */
    bool (*wait)(void *owner); /* for how to wait; false: no more. NULL: some time */
    void *owner;
    const char *ending; /* after the last event, when it is not a whole recording: why */
};

MUST_USE int play_open(int fd, struct play *ret, struct detail *detail);
void play_close(struct play *play);
/* The next event, to be freed; NULL at the end (and *ret_failed negative when reading failed). What can't be
 * decoded is passed over. */
Ipc__Event *play_next(struct play *play, int *ret_failed);

MUST_USE int play_cast(struct play *play, int out_fd, unsigned version);
MUST_USE int play_text(struct play *play, int out_fd);
MUST_USE int play_events(struct play *play, int out_fd);
MUST_USE int play_terminal(struct play *play, int out_fd, int key_fd, const struct player_options *options);

/* Writes the buffer out and empties it. */
MUST_USE int play_write(int out_fd, struct buffer *out);
