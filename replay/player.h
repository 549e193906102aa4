/* Plays a recording: in the terminal, as an asciicast, as text, as events. For `gatehouse play` and the
 * player that `ssh bastion replay` runs. Links no secrets and checks no chain: that is verify's part. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "base/error.h"

enum player_form { PLAYER_TERMINAL, PLAYER_CAST, PLAYER_TEXT, PLAYER_EVENTS };

struct player_options {
    enum player_form form;
    unsigned cast_version;   /* 2 or 3 */
    uint32_t speed_permille; /* 1000: as it was */
    uint64_t idle_limit_us;  /* longest pause that is kept; UINT64_MAX: as they were */
    bool at_once;            /* no pauses */
    bool follow;             /* at the end of a recording that is still written, wait for more */
    bool wait;               /* in a terminal: wait for a key at the end */
};

/* --cast[=2|3] | --text | --events | --speed N | --idle-limit S | --at-once | --follow | --wait. Returns the
 * index of the first argument that is no option of ours (argc when there is none), or -EINVAL with detail.
 * `first` is where to begin. */
MUST_USE int player_options(int argc, char *const *argv, int first, struct player_options *ret,
                            struct detail *detail);
/* One line for usage messages. */
extern const char player_usage[];

/* Plays fd to out_fd; keys are read from key_fd when it is a terminal (-1: no keys). The terminal form needs
 * out_fd to be a terminal, else it is text. 0; -EBADMSG with detail for what is no recording; -EPIPE when
 * nobody reads. */
MUST_USE int player_run(int fd, int out_fd, int key_fd, const struct player_options *options,
                        struct detail *detail);
