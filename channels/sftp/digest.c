/* Clients send many requests at once, and hardly ever does one overtake another. So there is one run that
 * grows at its end; what lies ahead of it is kept for a while, and given up when it is too much: then the
 * digest is one of the run only, and says so. OpenSSL's SHA-256 uses the processor's instructions for it. */
#include "channels/sftp/digest.h"
#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include "base/cleanup.h"

struct piece {
    uint64_t offset;
    size_t n;
    uint8_t *bytes;
};

struct digest {
    EVP_MD_CTX *context; /* NULL until something came */
    uint64_t from, next; /* the run */
    uint64_t bytes;
    bool broken; /* something is not in the run */
    struct piece pieces[DIGEST_PIECES_MAX];
    size_t n_pieces, waiting;
};

int digest_new(struct digest **ret)
{
    struct digest *d = calloc(1, sizeof *d);
    if (!d)
        return -ENOMEM;
    *ret = d;
    return 0;
}

void digest_free(struct digest *d)
{
    if (!d)
        return;
    for (size_t i = 0; i < d->n_pieces; i++)
        free(d->pieces[i].bytes);
    EVP_MD_CTX_free(d->context);
    free(d);
}

static int begin(struct digest *d, uint64_t offset)
{
    d->context = EVP_MD_CTX_new();
    if (!d->context || EVP_DigestInit_ex(d->context, EVP_sha256(), NULL) != 1)
        return -ENOMEM;
    d->from = d->next = offset;
    return 0;
}

static int grow(struct digest *d, const void *bytes, size_t n)
{
    d->next += n;
    return EVP_DigestUpdate(d->context, bytes, n) == 1 ? 0 : -ENOMEM;
}

static int keep(struct digest *d, uint64_t offset, const void *bytes, size_t n)
{
    if (d->n_pieces == DIGEST_PIECES_MAX || d->waiting + n > DIGEST_WINDOW_MAX) {
        d->broken = true;
        return 0;
    }
    uint8_t *copy = malloc(n);
    if (!copy)
        return -ENOMEM;
    memcpy(copy, bytes, n);
    d->pieces[d->n_pieces++] = (struct piece){ offset, n, copy };
    d->waiting += n;
    return 0;
}

/* The run; or bytes of it once more, and what is new behind them. */
static int add_run(struct digest *d, uint64_t offset, const uint8_t *bytes, size_t n)
{
    uint64_t again = d->next - offset;
    if (again > 0)
        d->broken = true;
    return again < n ? grow(d, bytes + again, n - (size_t)again) : 0;
}

/* The kept piece that the run has come to; or NULL. */
static struct piece *due(struct digest *d)
{
    for (size_t i = 0; i < d->n_pieces; i++)
        if (d->pieces[i].offset <= d->next)
            return &d->pieces[i];
    return NULL;
}

static int add_kept(struct digest *d)
{
    struct piece *piece;
    int r = 0;
    while (r == 0 && (piece = due(d))) {
        struct piece taken = *piece;
        *piece = d->pieces[--d->n_pieces];
        d->waiting -= taken.n;
        r = add_run(d, taken.offset, taken.bytes, taken.n);
        free(taken.bytes);
    }
    return r;
}

int digest_add(struct digest *d, uint64_t offset, const void *bytes, size_t n)
{
    if (n == 0)
        return 0;
    int r = d->context ? 0 : begin(d, offset);
    if (r < 0)
        return r;
    d->bytes += n;
    if (n > UINT64_MAX - offset) {
        d->broken = true;
        return 0;
    }
    if (offset > d->next || offset < d->from) {
        if (offset < d->from)
            d->broken = true;
        return offset < d->from ? 0 : keep(d, offset, bytes, n);
    }
    r = add_run(d, offset, bytes, n);
    return r ? r : add_kept(d);
}

int digest_end(struct digest *d, struct digest_result *ret)
{
    struct digest_result result = { .from = d->from,
                                    .length = d->next - d->from,
                                    .bytes = d->bytes,
                                    .whole = !d->broken && d->n_pieces == 0 };
    if (d->context && EVP_DigestFinal_ex(d->context, result.sha256, NULL) != 1)
        return -ENOMEM;
    if (!d->context && (EVP_Digest("", 0, result.sha256, NULL, EVP_sha256(), NULL) != 1))
        return -ENOMEM;
    *ret = result;
    return 0;
}
