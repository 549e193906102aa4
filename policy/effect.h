/* An effect: the smallest thing that a request does, to one object. What rules judge. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/cleanup.h"
#include "base/error.h"

/* What is done. Those before EFFECT_STATEMENT_KINDS are what `statements:` may name (contract.md §4); the
 * rest is what is done on a host. Order is that of effect_kind_name(). */
enum effect_kind {
    EFFECT_SELECT,
    EFFECT_INSERT,
    EFFECT_UPDATE,
    EFFECT_DELETE,
    EFFECT_MERGE,
    EFFECT_TRUNCATE,
    EFFECT_COPY_TO,
    EFFECT_COPY_FROM,
    EFFECT_COPY_FILE,
    EFFECT_COPY_PROGRAM,
    EFFECT_CREATE,
    EFFECT_ALTER,
    EFFECT_DROP,
    EFFECT_GRANT,
    EFFECT_COMMENT,
    EFFECT_CALL,
    EFFECT_DO,
    EFFECT_FUNCTION, /* a function that may write, or is not known not to */
    EFFECT_EXPLAIN,
    EFFECT_SHOW,
    EFFECT_SET,
    EFFECT_ROLE,
    EFFECT_TRANSACTION,
    EFFECT_LOCK,
    EFFECT_LISTEN,
    EFFECT_NOTIFY,
    EFFECT_CURSOR,
    EFFECT_MAINTENANCE,
    EFFECT_UNMASK,
    EFFECT_UNKNOWN,    /* understood, but what it does can't be decided */
    EFFECT_UNPARSABLE, /* the statement is not understood at all */
    EFFECT_STATEMENT_KINDS,
    EFFECT_OPEN = EFFECT_STATEMENT_KINDS, /* a channel that is not looked into: a free shell, a forward */
    EFFECT_RUN,                           /* one simple command of a shell line; an assignment is one, too */
    EFFECT_READ,                          /* from here on: what `operations:` may name, on files */
    EFFECT_WRITE,
    EFFECT_REMOVE,
    EFFECT_RENAME,
    EFFECT_SETSTAT,
    EFFECT_MKDIR,
    EFFECT_LIST,
    EFFECT_FILE_KINDS,
    EFFECT_REQUEST = EFFECT_FILE_KINDS, /* one verb on one resource of a Kubernetes API */
    EFFECT_KINDS
};

enum object_kind {
    OBJECT_NONE,
    OBJECT_TABLE,    /* any relation: "schema.table", or "table" when the statement names no schema */
    OBJECT_FUNCTION, /* "schema.function" or "function" */
    OBJECT_DATABASE,
    OBJECT_SETTING,
    OBJECT_OTHER,    /* role, type, schema, channel …; the name is for people */
    OBJECT_CHANNEL,  /* of an SSH target: "shell", "forward" */
    OBJECT_COMMAND,  /* words joined by blanks; NULL: something unknown or unparsable on a host */
    OBJECT_FILE,     /* a path */
    OBJECT_RESOURCE, /* "pods/exec prod/web-0"; NULL: a request that is not understood */
};

/* What kind of target it is done on: rules have conditions for each. */
enum effect_domain { DOMAIN_SQL, DOMAIN_HOST, DOMAIN_CLUSTER };

enum {
    EFFECTS_MAX = 4096,    /* of one statement; more is EFFECT_UNPARSABLE */
    EFFECT_NAME_MAX = 512, /* bytes of an object's name; PostgreSQL's own are 3 × 63 */
    EFFECT_COLUMNS_MAX = 1664,
    EFFECT_ALSO_MAX = 8192,
    EFFECT_TEXT_MAX = 65536, /* bytes of a command or path */
};

/* In `exact`, see below. Neither occurs in a command line that is understood. */
enum { EFFECT_HOLE = '\x01', EFFECT_WORD_END = '\x1f' };

struct effect {
    enum effect_kind kind;
    enum object_kind object_kind;
    char *object;   /* or NULL */
    char **columns; /* named columns of the table, NULL-terminated; or NULL */
    char **also; /* further tables that are touched by way of this one (partitions, parents, rows that follow
                    by a foreign key): rules that refuse match by them too; NULL-terminated; or NULL */
    size_t n_also;
    /* Of commands and paths, where `object` is what people read: each word of the command, ended by
     * EFFECT_WORD_END, or the path; of a request its parts (policy/kube_effects.h). An EFFECT_HOLE is in the
     * place of what cannot be known before it runs, and may be any text, of several words even. NULL: it is
     * just the object. */
    char *exact;
    bool unbounded_write; /* UPDATE or DELETE whose WHERE is missing or always true */
    bool harmless_call;   /* calls a function known to only read: see rules_match.c */
    char *why; /* for unknown and unparsable: what could not be decided; of a function: what it is; or NULL */
};

/* A growing list; embedded. Starts as zeroes. */
struct effects {
    struct effect *items;
    size_t count, capacity;
    uint16_t *slots; /* hash of the items, so that a list of thousands folds repeats in linear time */
    size_t n_slots;
};

void effects_free(struct effects *effects); /* empties it */
static inline void effects_free_ptr(struct effects *effects)
{
    effects_free(effects);
}
/* Appends a zeroed effect; -ENOBUFS beyond EFFECTS_MAX. object is copied and may be NULL. Exact repeats are
 * folded: *ret_effect is then the earlier one. ret_effect may be NULL. */
MUST_USE int effects_add(struct effects *effects, enum effect_kind kind, enum object_kind object_kind,
                         const char *object, struct effect **ret_effect);
/* The same for a call of a function known to be harmless (harmless_call). */
MUST_USE int effects_add_harmless(struct effects *effects, enum effect_kind kind, const char *function);
/* One that could not be decided, or not be parsed: why is copied. */
MUST_USE int effects_add_why(struct effects *effects, enum effect_kind kind, const char *why);
/* A function, and what it is ("security definer"); why may be NULL. */
MUST_USE int effects_add_function(struct effects *effects, enum effect_kind kind, const char *function,
                                  const char *why);
/* A command or a path; both texts are copied, and exact may be NULL. */
MUST_USE int effects_add_exact(struct effects *effects, enum effect_kind kind, enum object_kind object_kind,
                               const char *object, const char *exact);
/* effects_add_why() for a command line: rules name it by `opaque:`. */
MUST_USE int effects_add_opaque(struct effects *effects, enum effect_kind kind, const char *why);
/* Copied; repeats are folded; "*" in place of the names beyond EFFECT_COLUMNS_MAX. */
MUST_USE int effect_add_column(struct effect *effect, const char *column);
/* Copied, repeats too; -ENOBUFS beyond EFFECT_ALSO_MAX. */
MUST_USE int effect_add_also(struct effect *effect, const char *object);
/* Appends copies of all of from's effects: what EXECUTE adds from its PREPARE. */
MUST_USE int effects_append(struct effects *effects, const struct effects *from);

/* Whether a rule may be about it without naming its kind: not what is unknown or unparsable, and not unmask.
 */
bool effect_is_ordinary(enum effect_kind kind);
/* "select", "copy_to", … as in rules. */
const char *effect_kind_name(enum effect_kind kind);
/* Whether it is something done on a host: a channel, a command, a file, or a command line that was not
 * understood. */
bool effect_is_on_host(const struct effect *effect);
enum effect_domain effect_domain(const struct effect *effect);
/* True for what `statements:` may name; "copy" is both copy_to and copy_from and is not one kind: see rules.
 */
MUST_USE bool effect_kind_of(const char *name, enum effect_kind *ret);
/* True for what `operations:` may name. */
MUST_USE bool effect_operation_of(const char *name, enum effect_kind *ret);
/* "delete public.orders (unbounded)": for recordings, explain and messages. Returns out. */
char *effect_describe(const struct effect *effect, char *out, size_t size);
/* Whether afterwards unqualified names may lead to other schemas than before: circumstances.search_path_set.
 */
bool effects_may_set_search_path(const struct effects *effects);
