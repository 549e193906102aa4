/* See decided.h. A list by age runs through the entries of a hash table. */
#include "channels/pg/decided.h"

#include <stdlib.h>
#include <string.h>

void decided_init(struct decided *decided, size_t bytes_max)
{
    *decided = (struct decided){ .bytes_max = bytes_max };
    table_init(&decided->table);
}

void decided_free(struct decided *decided)
{
    decided_clear(decided);
    table_free(&decided->table);
}

static void unlink_age(struct decided *decided, struct kept *kept)
{
    if (kept->newer)
        kept->newer->older = kept->older;
    else
        decided->newest = kept->older;
    if (kept->older)
        kept->older->newer = kept->newer;
    else
        decided->oldest = kept->newer;
    kept->newer = kept->older = NULL;
}

static void link_newest(struct decided *decided, struct kept *kept)
{
    kept->older = decided->newest;
    if (decided->newest)
        decided->newest->newer = kept;
    else
        decided->oldest = kept;
    decided->newest = kept;
}

void decided_forget(struct decided *decided, struct kept *kept)
{
    unlink_age(decided, kept);
    table_remove(&decided->table, &kept->link);
    decided->bytes -= kept->weight;
    decision_free(kept->decision);
    free(kept);
}

void decided_clear(struct decided *decided)
{
    while (decided->oldest)
        decided_forget(decided, decided->oldest);
}

struct kept *decided_find(struct decided *decided, const char *key, size_t n, enum text_kind kind)
{
    struct kept *kept = (struct kept *)table_find(&decided->table, key, n);
    if (!kept)
        return NULL;
    if (kept->kind != kind) {
        decided_forget(decided, kept);
        return NULL;
    }
    if (kept != decided->newest) {
        unlink_age(decided, kept);
        link_newest(decided, kept);
    }
    return kept;
}

bool decided_is_seen(struct decided *decided, const char *key, size_t n)
{
    uint64_t hash = table_hash(&decided->table, key, n);
    uint32_t *slot = &decided->seen[hash % DECIDED_SEEN], mark = (uint32_t)(hash >> 32);
    bool seen = *slot == mark;
    *slot = mark;
    return seen;
}

void decided_keep(struct decided *decided, const char *key, size_t n, enum text_kind kind,
                  struct decision *decision)
{
    bool own = decision && key == decision->text;
    struct kept *kept = calloc(1, sizeof(*kept) + (own ? 0 : n));
    if (!kept)
        return;
    if (!own)
        memcpy(kept->key, key, n);
    kept->link.key = own ? key : kept->key;
    kept->link.key_n = n;
    kept->kind = kind;
    kept->weight = sizeof(*kept) + (own ? 0 : n) + (decision ? decision_weight(decision) : 0);
    if (table_add(&decided->table, &kept->link) < 0) {
        free(kept);
        return;
    }
    kept->decision = decision ? decision_share(decision) : NULL;
    link_newest(decided, kept);
    decided->bytes += kept->weight;
    while (decided->bytes > decided->bytes_max && decided->oldest != kept)
        decided_forget(decided, decided->oldest);
}
