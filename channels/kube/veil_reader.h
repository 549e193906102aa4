/* The state of one answer that is read. Private to channels/kube/veil*. */
#pragma once
#include "channels/kube/veil_parts.h"

enum {
    VEIL_KEY_MAX = 1024,         /* bytes of a key that are compared; no pattern has a longer one */
    VEIL_INNER_MAX = 512 * 1024, /* bytes that a piece of an inner text may become */
};

enum veil_at {
    AT_TOP, /* between two objects */
    AT_VALUE,
    AT_ITEM_OR_END,
    AT_KEY,
    AT_KEY_OR_END,
    AT_COLON,
    AT_COMMA_OR_END,
    IN_KEY,
    IN_TEXT,
    IN_NUMBER,
    IN_WORD,
};

enum text_use { TEXT_SHOWN, TEXT_MASKED, TEXT_INNER };

struct frame {
    bool is_list;
    bool alive; /* something in it may be masked */
    struct place place;
};

struct kube_veil {
    const struct kube_plan *plan;
    enum veil_at at;
    size_t depth, capacity; /* frames that are open; that there is room for */
    struct frame *frames;
    uint64_t *states; /* n_rules for each frame, and for the value that comes next */
    struct place place;
    bool alive; /* of the value that comes next, or is read */
    char key[VEIL_KEY_MAX];
    size_t key_n; /* VEIL_KEY_MAX + 1: longer */
    struct unescape unescape;
    enum text_use use;
    struct buffer held;
    bool held_whole;
    const char *word; /* what is left of true, false or null */
    uint64_t masked;
    struct kube_veil *inner;
    struct buffer inner_out;
    bool is_inner, inner_failed;
    int failed; /* what is returned from now on */
};

/* What is being read. Bytes from `from` on are shown as they are, and not in out yet; NULL: they are not
 * shown. */
struct input {
    const uint8_t *at, *end, *from;
    struct buffer *out;
};

/* Puts what is shown up to in->at into out. */
MUST_USE int input_flush(struct input *in);
/* To the next byte of a text that means something. */
void input_skip_plain(struct input *in);

/* A value has ended. */
void veil_after_value(struct kube_veil *veil);

/* A text that is a value, whose opening quote is at in->at; then its bytes, to its end or that of the input.
 */
MUST_USE int veil_begin_text(struct kube_veil *veil, struct input *in);
MUST_USE int veil_read_text(struct kube_veil *veil, struct input *in);
