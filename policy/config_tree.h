/* A YAML document as a tree whose nodes know their place. Private to policy/config* and
 * vault/kubeconfig.c, whose texts are secret: they are wiped. */
#pragma once
#include <stdbool.h>
#include "policy/config_fault.h"

enum {
    CONFIG_DEPTH_MAX = 32,     /* lists and maps inside each other */
    CONFIG_NODES_MAX = 200000, /* of one file */
};

enum config_kind {
    CONFIG_TEXT,
    CONFIG_LIST,
    CONFIG_MAP,
    CONFIG_BROKEN, /* reported already: readers pass over it in silence */
};

struct config_node {
    enum config_kind kind;
    unsigned line, column; /* from 1 */
    const char *name;      /* the key that it is the value of; an item has its list's. Never NULL, borrowed */
    char *text;            /* CONFIG_TEXT: never NULL, may hold NUL bytes */
    size_t size;           /* bytes of text */
    bool plain;            /* written without quotes */
    struct config_node *key;                 /* the value of a map: the node of its key */
    struct config_node *first, *last, *next; /* items of a list; values of a map */
    size_t count;
    struct config_node *older; /* all nodes, for freeing */
};

struct config_tree {
    struct config_node *root; /* NULL: the document is empty */
    struct config_node *newest;
    size_t count;
};

/* 0 when there is a tree (faults that leave one may have been added), 1 when faults leave none, -ENOMEM. */
MUST_USE int config_tree_read(struct config_tree *tree, const uint8_t *bytes, size_t n,
                              struct config_faults *faults);
void config_tree_free(struct config_tree *tree); /* empties it */

/* The value under this key, the first one if there are several; NULL without. map may be NULL or no map. */
const struct config_node *config_node_get(const struct config_node *map, const char *key);
/* Nothing was written: an empty value, `~` or `null`. */
bool config_node_is_null(const struct config_node *node);
