/* Reading typed values out of the tree; every reader reports what it does not like. Private to
 * policy/config*. */
#pragma once
#include "policy/config_tree.h"

enum {
    CONFIG_NAME_MAX = 63,        /* bytes of the name of a role, target or rule */
    CONFIG_CREDENTIAL_MAX = 128, /* bytes of the name of an entry of the vault, as vault/sealed.h has it */
    CONFIG_TEXT_MAX = 1024,      /* bytes of any other text */
    CONFIG_REASON_MAX = 256,     /* bytes of a rule's reason: it travels in one-line messages */
    CONFIG_LIST_MAX = 2048,      /* items of one list */
    CONFIG_ENTRIES_MAX = 64,     /* entries of a map whose keys are the user's */
};

/* What is being read, and into what; lives as long as config_load(). */
struct config_reader {
    Ipc__Config *config;
    struct config_faults *faults;
    const char *directory; /* of the file, absolute */
    bool files;            /* look at the files that are named; false: fuzzing */
    bool state_missing;    /* reported; its files are not reported one by one */
    bool no_memory;        /* the result is worthless, whatever was found */
};

/* Whether a key may come or must. */
enum config_key_kind { CONFIG_OPTIONAL, CONFIG_REQUIRED };

struct config_key {
    const char *name;
    enum config_key_kind kind;
};

struct config_keys {
    const struct config_key *items;
    size_t count;
};
#define CONFIG_KEYS(array) ((struct config_keys){ (array), sizeof(array) / sizeof(array)[0] })

/* How messages call the node: `"listen"`, `an item of "listen"`, `the file`. Returns out. */
enum { CONFIG_SUBJECT_MAX = 128 };
const char *config_subject(const struct config_node *node, char out[CONFIG_SUBJECT_MAX]);

void config_fault(struct config_reader *reader, const struct config_node *place, const char *format, ...)
    PRINTF_LIKE(3, 4);

/* The node is a map: reports keys that are unknown, repeated or missing. False when it is no map. `what`
 * begins messages: "target \"orders\"" or NULL. */
bool config_map(struct config_reader *reader, const struct config_node *node, struct config_keys keys,
                const char *what);

enum config_emptiness { CONFIG_NOT_EMPTY, CONFIG_MAY_BE_EMPTY };
/* The first item of a list; NULL when it has none or is no list. node may be NULL, as below. */
const struct config_node *config_list(struct config_reader *reader, const struct config_node *node,
                                      enum config_emptiness emptiness);

/* The first entry of a map whose keys are up to the user; each is one line of text, and none comes twice.
 * NULL when it has none or is no map. */
const struct config_node *config_entries(struct config_reader *reader, const struct config_node *node);

/* Each: false, after a report where one is due, when there is no good value; *ret is then untouched. */
bool config_text(struct config_reader *reader, const struct config_node *node, const char **ret);
/* A name: ASCII letters, digits and . _ - @ inside, at most CONFIG_NAME_MAX. */
bool config_name(struct config_reader *reader, const struct config_node *node, const char **ret);
/* The same for an entry of the vault: + and / are allowed too. */
bool config_credential(struct config_reader *reader, const struct config_node *node, const char **ret);
bool config_flag(struct config_reader *reader, const struct config_node *node, bool *ret);
bool config_duration(struct config_reader *reader, const struct config_node *node, uint64_t min, uint64_t max,
                     uint64_t *ret_ms);
bool config_size(struct config_reader *reader, const struct config_node *node, uint64_t min, uint64_t max,
                 uint64_t *ret_bytes);
/* One of the words (NULL-terminated); *ret is that word. */
bool config_choice(struct config_reader *reader, const struct config_node *node, const char *const *words,
                   const char **ret);

/* Copies into a string of the Config. */
void config_set(struct config_reader *reader, char **slot, const char *text);
/* Appends a copy to a list of strings of the Config. */
void config_push(struct config_reader *reader, size_t *count, char ***list, const char *text);
/* A list of texts into a list of strings; a text that comes twice is a fault. */
void config_texts(struct config_reader *reader, const struct config_node *node, size_t *count, char ***list);
/* The same, where a single text may stand for a list of one. */
void config_text_or_texts(struct config_reader *reader, const struct config_node *node, size_t *count,
                          char ***list);
/* Reports that the text is among the first `count` already. */
bool config_repeats(struct config_reader *reader, const struct config_node *item, const char *text,
                    size_t count, char *const *list);
/* Memory for the next pointer of a list of messages; false without. */
bool config_grow(struct config_reader *reader, size_t count, void ***list);
