/* See byte_set.h. Entries are ordered by their bytes, a prefix before what is longer. While a set is built
 * its memory grows by doubling: an array has room for at least the power of two that its length reaches up
 * to, so that nothing but the message itself has to be kept. */
#include "policy/byte_set.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct entry {
    const uint8_t *bytes;
    size_t n;
};

size_t byte_set_count(const Ipc__ByteSet *set)
{
    return set ? set->n_ends : 0;
}

static struct entry entry_at(const Ipc__ByteSet *set, size_t i)
{
    size_t start = i ? set->ends[i - 1] : 0;

    return (struct entry){ set->pool.data + start, set->ends[i] - start };
}

static int compare(struct entry a, struct entry b)
{
    size_t shorter = a.n < b.n ? a.n : b.n;
    int order = shorter ? memcmp(a.bytes, b.bytes, shorter) : 0;

    if (order)
        return order;
    return a.n < b.n ? -1 : a.n > b.n;
}

static int compare_entries(const void *a, const void *b)
{
    return compare(*(const struct entry *)a, *(const struct entry *)b);
}

static size_t capacity_of(size_t length)
{
    size_t capacity = 16;

    while (capacity < length)
        capacity *= 2;
    return capacity;
}

/* Makes room for `more` items of `size` bytes behind `length` of them. */
static int grow(void **items, size_t length, size_t more, size_t size)
{
    void *longer;

    if (*items && capacity_of(length) >= length + more)
        return 0;
    longer = realloc(*items, capacity_of(length + more) * size);
    if (!longer)
        return -ENOMEM;
    *items = longer;
    return 0;
}

int byte_set_add(Ipc__ByteSet **set, const void *bytes, size_t n)
{
    Ipc__ByteSet *s = *set;
    int r;

    if (!s) {
        s = malloc(sizeof(*s));
        if (!s)
            return -ENOMEM;
        ipc__byte_set__init(s);
        *set = s;
    }
    if (n > UINT32_MAX - s->pool.len)
        return -E2BIG;
    r = grow((void **)&s->pool.data, s->pool.len, n, 1);
    if (!r)
        r = grow((void **)&s->ends, s->n_ends, 1, sizeof(s->ends[0]));
    if (r)
        return r;
    if (n > 0)
        memcpy(s->pool.data + s->pool.len, bytes, n);
    s->pool.len += n;
    s->ends[s->n_ends++] = (uint32_t)s->pool.len;
    return 0;
}

int byte_set_seal(Ipc__ByteSet *set)
{
    CLEANUP(free) struct entry *entries = NULL;
    CLEANUP(free) uint8_t *pool = NULL;
    size_t count = 0, used = 0;

    if (byte_set_count(set) == 0)
        return 0;
    entries = calloc(set->n_ends, sizeof(*entries));
    pool = malloc(capacity_of(set->pool.len));
    if (!entries || !pool)
        return -ENOMEM;
    for (size_t i = 0; i < set->n_ends; i++)
        entries[i] = entry_at(set, i);
    qsort(entries, set->n_ends, sizeof(*entries), compare_entries);
    for (size_t i = 0; i < set->n_ends; i++) {
        if (i > 0 && compare(entries[i - 1], entries[i]) == 0)
            continue;
        if (entries[i].n > 0)
            memcpy(pool + used, entries[i].bytes, entries[i].n);
        used += entries[i].n;
        set->ends[count++] = (uint32_t)used;
    }
    free(set->pool.data);
    set->pool.data = STEAL(pool);
    set->pool.len = used;
    set->n_ends = count;
    return 0;
}

bool byte_set_has(const Ipc__ByteSet *set, const void *bytes, size_t n)
{
    struct entry wanted = { bytes, n };
    size_t low = 0, high = byte_set_count(set);

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = compare(wanted, entry_at(set, middle));

        if (order == 0)
            return true;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return false;
}

bool byte_set_is_sealed(const Ipc__ByteSet *set)
{
    uint32_t before = 0;

    for (size_t i = 0; i < byte_set_count(set); i++) {
        if (set->ends[i] < before || set->ends[i] > set->pool.len)
            return false;
        before = set->ends[i];
        if (i > 0 && compare(entry_at(set, i - 1), entry_at(set, i)) >= 0)
            return false;
    }
    return true;
}

void byte_set_free(Ipc__ByteSet *set)
{
    if (set)
        ipc__byte_set__free_unpacked(set, NULL);
}
