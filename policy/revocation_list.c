/* Building lists: bounded while they are read, put in order once at the end. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/io.h"
#include "policy/byte_set.h"
#include "policy/revocation_parts.h"

enum { REVOCATION_CAS_MAX = 1024 }; /* CAs of one list */

struct range {
    uint64_t first, last;
};

static int count_entry(struct reading *reading)
{
    if (reading->entries >= REVOCATION_ENTRIES_MAX)
        return detail_fail(reading->detail, -EINVAL, "there are more than %d entries",
                           REVOCATION_ENTRIES_MAX);
    reading->entries++;
    return 0;
}

int reading_ca(struct reading *reading, struct span ca, Ipc__RevokedCertificates **ret)
{
    Ipc__RevocationList *list = &reading->list;
    Ipc__RevokedCertificates **longer, *part;

    for (size_t i = 0; i < list->n_certificates; i++) {
        part = list->certificates[i];
        if (part->ca.len == ca.n && (ca.n == 0 || memcmp(part->ca.data, ca.bytes, ca.n) == 0)) {
            *ret = part;
            return 0;
        }
    }
    if (list->n_certificates == REVOCATION_CAS_MAX)
        return detail_fail(reading->detail, -EINVAL, "there are more than %d CAs", REVOCATION_CAS_MAX);
    longer = realloc(list->certificates, (list->n_certificates + 1) * sizeof(*longer));
    if (!longer)
        return -ENOMEM;
    list->certificates = longer;
    part = malloc(sizeof(*part));
    if (!part)
        return -ENOMEM;
    ipc__revoked_certificates__init(part);
    longer[list->n_certificates++] = part;
    if (ca.n > 0) {
        part->ca.data = malloc(ca.n);
        if (!part->ca.data)
            return -ENOMEM;
        memcpy(part->ca.data, ca.bytes, ca.n);
        part->ca.len = ca.n;
    }
    *ret = part;
    return 0;
}

/* Room for one more serial, doubling whenever the count has become a power of two. */
static int grow(uint64_t **serials, size_t count)
{
    enum { LEAST = 16 };
    size_t capacity = count < LEAST ? LEAST : 2 * count;
    uint64_t *longer;

    if (*serials && (count < LEAST || (count & (count - 1)) != 0))
        return 0;
    longer = realloc(*serials, capacity * sizeof(**serials));
    if (!longer)
        return -ENOMEM;
    *serials = longer;
    return 0;
}

int reading_add_serials(struct reading *reading, Ipc__RevokedCertificates *part, uint64_t first,
                        uint64_t last)
{
    int r;

    if (first == 0)
        return detail_fail(reading->detail, -EINVAL,
                           "serial 0 can't be revoked: it means that there is none");
    r = count_entry(reading);
    if (!r)
        r = grow(&part->first, part->n_first);
    if (!r)
        r = grow(&part->last, part->n_last);
    if (r)
        return r;
    part->first[part->n_first++] = first;
    part->last[part->n_last++] = last;
    return 0;
}

int reading_add(struct reading *reading, Ipc__ByteSet **set, struct span bytes)
{
    int r = count_entry(reading);

    return r ? r : byte_set_add(set, bytes.bytes, bytes.n);
}

/* ---- order ---- */

static int compare_ranges(const void *a, const void *b)
{
    const struct range *x = a, *y = b;

    return x->first < y->first ? -1 : x->first > y->first;
}

static int seal_serials(Ipc__RevokedCertificates *part)
{
    CLEANUP(free) struct range *ranges = NULL;
    size_t count = 0;

    if (part->n_first == 0)
        return 0;
    ranges = calloc(part->n_first, sizeof(*ranges));
    if (!ranges)
        return -ENOMEM;
    for (size_t i = 0; i < part->n_first; i++)
        ranges[i] = (struct range){ part->first[i], part->last[i] };
    qsort(ranges, part->n_first, sizeof(*ranges), compare_ranges);
    for (size_t i = 0; i < part->n_first; i++) {
        /* Those that overlap or touch become one. last + 1 can't wrap here: nothing begins behind the end. */
        if (count > 0 &&
            (ranges[i].first <= part->last[count - 1] || ranges[i].first == part->last[count - 1] + 1)) {
            if (ranges[i].last > part->last[count - 1])
                part->last[count - 1] = ranges[i].last;
            continue;
        }
        part->first[count] = ranges[i].first;
        part->last[count++] = ranges[i].last;
    }
    part->n_first = part->n_last = count;
    return 0;
}

int revocation_seal(Ipc__RevocationList *list)
{
    int r = byte_set_seal(list->keys);

    if (!r)
        r = byte_set_seal(list->key_sha1);
    if (!r)
        r = byte_set_seal(list->key_sha256);
    for (size_t i = 0; !r && i < list->n_certificates; i++) {
        r = seal_serials(list->certificates[i]);
        if (!r)
            r = byte_set_seal(list->certificates[i]->key_ids);
    }
    return r;
}

void revocation_free(Ipc__RevocationList *list)
{
    for (size_t i = 0; i < list->n_certificates; i++)
        ipc__revoked_certificates__free_unpacked(list->certificates[i], NULL);
    free(list->certificates);
    byte_set_free(list->keys);
    byte_set_free(list->key_sha1);
    byte_set_free(list->key_sha256);
    ipc__revocation_list__init(list);
}

int revocation_pack(const Ipc__RevocationList *list, int *ret_fd)
{
    CLEANUP(free) uint8_t *packed = NULL;
    size_t n = ipc__revocation_list__get_packed_size(list);

    if (n > REVOCATION_LIST_MAX)
        return -E2BIG;
    packed = malloc(n + 1);
    if (!packed)
        return -ENOMEM;
    (void)ipc__revocation_list__pack(list, packed);
    return fd_of_bytes("revoked", packed, n, ret_fd);
}
