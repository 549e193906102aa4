/* Between the parts of the veil over a cluster's answers. Private to channels/kube/veil*. */
#pragma once
#include "channels/kube/veil.h"
#include "policy/kube_path.h"

/* What a pattern says of the values that it meets. */
enum rule_use {
    RULE_MASK,
    RULE_BASE64, /* they are bytes in base64: so is their mask */
    RULE_NESTED, /* they are an object of the same kind, as a text: kubectl's last-applied-configuration */
};

struct plan_rule {
    enum rule_use use;
    struct kube_path path;
    uint64_t start; /* behind the resource */
    struct mask_text how;
    const char *text; /* what stands in the place of every value; NULL: as `how` says */
};

struct kube_plan {
    struct plan_rule *rules;
    size_t n_rules;
    bool tables;
};

/* ---- where in an answer one is ---- */

/* Which objects an answer has: itself, items of a list, the object of an event of a watch, rows of a Table.
 */
enum root {
    ROOT_NONE,
    ROOT_OBJECT, /* an object starts here; so do those below */
    ROOT_ITEMS,
    ROOT_ITEM,
    ROOT_EVENT, /* "object" of an event */
    ROOT_ROWS,
    ROOT_ROW,
    ROOT_ROW_OBJECT,
};

struct place {
    enum root root;
    bool base64, nested;
    const struct plan_rule *mask; /* of everything from here on; or NULL */
};

/* states: n_rules of them. The place of the whole answer. */
struct place place_begin(const struct kube_plan *plan, uint64_t *states);
/* The place of the value of a key, or of an element (key is NULL), in one whose states are `from`. */
struct place place_step(const struct kube_plan *plan, const struct place *parent, const uint64_t *from,
                        const char *key, size_t n, uint64_t *states);
/* Whether a rule is about it, or may be about something further down. */
bool place_is_alive(const struct kube_plan *plan, const struct place *place, const uint64_t *states);

/* ---- texts ---- */

/* Appends the mask of a value, without quotes, as a JSON text. base64: the value is in it, and so is the
 * mask. whole: false: value is not all of it, and says nothing. */
MUST_USE int veil_put_mask(const struct plan_rule *rule, bool base64, bool whole, const void *value, size_t n,
                           struct buffer *out);
/* The bytes as the inside of a JSON text. */
MUST_USE int veil_put_escaped(struct buffer *out, const void *bytes, size_t n);
/* Whether a value is a mask that the rule may have made. */
bool veil_is_mask(const struct plan_rule *rule, bool base64, const char *value, size_t n);
/* What a mask looks like that says nothing of a value: of Secrets. */
extern const char VEIL_REDACTED[];

/* The inside of a JSON text, in pieces. Embedded; zeroes at the beginning of a text. */
struct unescape {
    uint8_t state; /* 0: between characters; 1: behind a backslash; 2 to 5: that digit of \u is next */
    uint16_t unit, high;
};
enum { UNESCAPE_MAX = 8 }; /* bytes that one byte gives at most */
/* Takes one byte; *ret_n of out are new. False: it is no JSON text. */
MUST_USE bool unescape_byte(struct unescape *u, uint8_t c, uint8_t out[UNESCAPE_MAX], size_t *ret_n);
/* Half of a surrogate pair is left over at the end: as a replacement character. False: cut off in an escape.
 */
MUST_USE bool unescape_end(struct unescape *u, uint8_t out[UNESCAPE_MAX], size_t *ret_n);
