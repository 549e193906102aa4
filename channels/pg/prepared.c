/* Every text that may become a prepared statement is judged when it is prepared, and rules do not change
 * while a session lives. So this map opens nothing: it names what a Bind or an EXECUTE runs, for the
 * recording, and refuses names that were never prepared here (behind a pooler they may be somebody else's).
 *
 * We see what the client asks, not yet what the server did with it: in a failed pipeline it skips a Close.
 * Closed names are therefore kept for a while; a Bind to one is the server's to refuse. */
#include "channels/pg/prepared.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static size_t weight(const struct prepared *p)
{
    return sizeof(*p) + p->link.key_n + decision_weight(p->decision) + p->types.n * sizeof(*p->types.oids);
}

void prepared_types_free(struct prepared_types *types)
{
    free(types->oids);
    *types = (struct prepared_types){ .n = 0 };
}

void prepared_init(struct prepared_set *set)
{
    *set = (struct prepared_set){ .closed = 0 };
    table_init(&set->table);
}

static void destroy(void *owner, struct link *link)
{
    struct prepared_set *set = owner;
    struct prepared *p = (struct prepared *)link;
    set->bytes -= p->weight;
    set->closed -= p->closed ? 1 : 0;
    table_remove(&set->table, link);
    decision_free(p->decision);
    prepared_types_free(&p->types);
    free((char *)(uintptr_t)p->link.key);
    free(p);
}

void prepared_free(struct prepared_set *set)
{
    table_each(&set->table, destroy, set);
    table_free(&set->table);
}

static struct prepared *find(const struct prepared_set *set, const char *name)
{
    return (struct prepared *)table_find(&set->table, name, table_name_size(name));
}

const struct prepared *prepared_find(const struct prepared_set *set, const char *name)
{
    return find(set, name);
}

struct decision **prepared_slot(struct prepared_set *set, const char *name)
{
    struct prepared *p = name ? find(set, name) : NULL;
    return p ? &p->decision : NULL;
}

int prepared_fits(const struct prepared_set *set, const char *name, const struct decision *decision)
{
    if (strlen(name) > PREPARED_NAME_MAX || set->bytes + decision_weight(decision) > PREPARED_BYTES_MAX)
        return PREPARED_LIMIT;
    return set->table.count - set->closed < PREPARED_MAX || find(set, name) ? 0 : PREPARED_LIMIT;
}

static void sweep_one(void *owner, struct link *link)
{
    if (((struct prepared *)link)->closed)
        destroy(owner, link);
}

static void sweep(struct prepared_set *set)
{
    if (set->closed > PREPARED_CLOSED_MAX)
        table_each(&set->table, sweep_one, set);
}

static struct prepared *add(struct prepared_set *set, const char *name, struct decision *decision)
{
    struct prepared *p = calloc(1, sizeof(*p));
    char *key = strdup(name);
    if (p && key) {
        p->link.key = key;
        p->link.key_n = table_name_size(key);
        if (table_add(&set->table, &p->link) == 0) {
            p->decision = decision_share(decision);
            p->weight = weight(p);
            set->bytes += p->weight;
            return p;
        }
    }
    free(key);
    free(p);
    return NULL;
}

int prepared_put(struct prepared_set *set, const char *name, struct decision *decision, uint64_t request)
{
    if (prepared_fits(set, name, decision) != 0)
        return PREPARED_LIMIT;
    struct prepared *p = find(set, name);
    if (p) {
        set->bytes -= p->weight;
        set->closed -= p->closed ? 1 : 0;
        struct decision *before = p->decision;
        p->decision = decision_share(decision);
        decision_free(before);
        p->closed = false;
        prepared_types_free(&p->types);
        p->weight = weight(p);
        set->bytes += p->weight;
    } else {
        p = add(set, name, decision);
    }
    if (!p)
        return -ENOMEM;
    p->request = request;
    return 0;
}

struct prepared_types *prepared_types_of(struct prepared_set *set, const char *name)
{
    struct prepared *p = find(set, name);
    return p ? &p->types : NULL;
}

void prepared_set_types(struct prepared_set *set, const char *name, struct prepared_types *types)
{
    struct prepared *p = find(set, name);
    if (!p) {
        prepared_types_free(types);
        return;
    }
    set->bytes -= p->weight;
    prepared_types_free(&p->types);
    p->types = *types;
    *types = (struct prepared_types){ .n = 0 };
    p->weight = weight(p);
    set->bytes += p->weight;
}

static void close_one(void *owner, struct link *link)
{
    struct prepared_set *set = owner;
    struct prepared *p = (struct prepared *)link;
    set->closed += p->closed ? 0 : 1;
    p->closed = true;
}

void prepared_close(struct prepared_set *set, const char *name)
{
    struct prepared *p = find(set, name);
    if (p)
        close_one(set, &p->link);
    sweep(set);
}

static bool made_before(const struct decision *d, size_t step, const char *name)
{
    for (size_t i = 0; i < step; i++) {
        if (d->steps[i].role == SQL_PREPARE && d->steps[i].name && strcmp(d->steps[i].name, name) == 0)
            return true;
    }
    return false;
}

const char *prepared_missing(const struct prepared_set *set, const struct decision *d)
{
    for (size_t i = 0; i < d->n_steps; i++) {
        const char *name = d->steps[i].name;
        if (d->steps[i].role == SQL_EXECUTE && name && !find(set, name) && !made_before(d, i, name))
            return name;
    }
    return NULL;
}

uint64_t prepared_request(const struct prepared_set *set, const struct decision *d)
{
    for (size_t i = 0; i < d->n_steps; i++) {
        const struct prepared *p =
            d->steps[i].role == SQL_EXECUTE && d->steps[i].name ? find(set, d->steps[i].name) : NULL;
        if (p)
            return p->request;
    }
    return 0;
}

int prepared_room(const struct prepared_set *set, const struct decision *d)
{
    size_t more = 0;
    for (size_t i = 0; i < d->n_steps; i++)
        more += d->steps[i].role == SQL_PREPARE ? 1 : 0;
    if (more == 0)
        return 0;
    bool fits = set->table.count - set->closed + more <= PREPARED_MAX &&
                set->bytes + more * (decision_weight(d) + PREPARED_NAME_MAX) <= PREPARED_BYTES_MAX;
    return fits ? 0 : PREPARED_LIMIT;
}

/* prepared_room() has been asked; a name that is too long all the same is not remembered, and so not found
 * later. */
static int put_if_it_fits(struct prepared_set *set, const char *name, struct decision *d, uint64_t request)
{
    int r = prepared_put(set, name, d, request);
    return r == PREPARED_LIMIT ? 0 : r;
}

int prepared_run(struct prepared_set *set, struct decision *d, uint64_t request)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < d->n_steps; i++) {
        const struct step *step = &d->steps[i];
        if (step->role == SQL_PREPARE && step->name)
            r = put_if_it_fits(set, step->name, d, request);
        else if (step->role == SQL_DEALLOCATE && step->name)
            prepared_close(set, step->name);
        else if (step->role == SQL_DEALLOCATE || step->role == SQL_DISCARD)
            table_each(&set->table, close_one, set);
    }
    sweep(set);
    return r;
}
