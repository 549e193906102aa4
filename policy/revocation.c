/* Who is on a revocation list. What is looked at is what sshd looks at (OpenSSH ssh_krl_check_key): the key
 * that was certified, the certificate's key id and serial under its own CA and under any, and the CA's key.
 * Serial 0 means that the CA gave none and is never on a list.
 *
 * Lookups are binary searches in a list that revocation_seal() has put in order (revocation_read.c); a
 * process keeps one unpacked list, and shares it with the children that it forks. */
#include "policy/revocation.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/evp.h>
#include "base/io.h"
#include "base/text.h"
#include "policy/byte_set.h"
#include "policy/certificate_parts.h"

enum { NAME_SHOWN = 160 }; /* bytes of a key id in a message */

static bool serial_is_in(const Ipc__RevokedCertificates *revoked, uint64_t serial)
{
    size_t low = 0, high = revoked->n_first;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (serial < revoked->first[middle])
            high = middle;
        else if (serial > revoked->last[middle])
            low = middle + 1;
        else
            return true;
    }
    return false;
}

static bool is_for_ca(const Ipc__RevokedCertificates *revoked, struct span ca)
{
    return revoked->ca.len == 0 || (revoked->ca.len == ca.n && memcmp(revoked->ca.data, ca.bytes, ca.n) == 0);
}

static bool hash_is_in(const Ipc__ByteSet *set, const EVP_MD *digest, struct span key)
{
    uint8_t hash[EVP_MAX_MD_SIZE];
    unsigned n = 0;

    if (byte_set_count(set) == 0)
        return false;
    start_openssl();
    /* Without memory for a hash nothing can be said: then it counts as revoked. */
    return EVP_Digest(key.bytes, key.n, hash, &n, digest, NULL) != 1 || byte_set_has(set, hash, n);
}

static bool key_is_in(const Ipc__RevocationList *list, struct span key)
{
    return byte_set_has(list->keys, key.bytes, key.n) || hash_is_in(list->key_sha256, EVP_sha256(), key) ||
           hash_is_in(list->key_sha1, EVP_sha1(), key);
}

static bool key_id_is_in(const Ipc__RevocationList *list, struct span ca, const char *key_id)
{
    for (size_t i = 0; i < list->n_certificates; i++)
        if (is_for_ca(list->certificates[i], ca) &&
            byte_set_has(list->certificates[i]->key_ids, key_id, strlen(key_id)))
            return true;
    return false;
}

static bool serial_is_revoked(const Ipc__RevocationList *list, struct span ca, uint64_t serial)
{
    if (serial == 0)
        return false;
    for (size_t i = 0; i < list->n_certificates; i++)
        if (is_for_ca(list->certificates[i], ca) && serial_is_in(list->certificates[i], serial))
            return true;
    return false;
}

static void tell_key_id(struct detail *detail, const char *key_id)
{
    char shown[NAME_SHOWN];

    text_escape(shown, sizeof(shown), key_id, strlen(key_id), false);
    detail_set(detail, "the identity \"%s\" has been revoked; ask whoever runs this bastion", shown);
}

static bool plain_key_hits(const Ipc__RevocationList *list, const struct certificate *certificate,
                           struct detail *detail)
{
    struct buffer plain;
    int r;
    bool hit;

    buffer_init(&plain, CERTIFICATE_MAX);
    r = key_plain(certificate, &plain);
    hit = r || key_is_in(list, (struct span){ buffer_head(&plain), buffer_size(&plain) });
    buffer_free(&plain);
    if (hit)
        detail_set(detail, "your key has been revoked: make a new one, and have that one certified");
    return hit;
}

bool revocation_hits(const Ipc__RevocationList *list, const struct certificate *certificate,
                     struct detail *detail)
{
    if (!list)
        return false;
    if (plain_key_hits(list, certificate, detail))
        return true;
    if (key_is_in(list, certificate->ca)) {
        detail_set(detail, "the CA that signed your certificate has been revoked");
        return true;
    }
    if (key_id_is_in(list, certificate->ca, certificate->key_id)) {
        tell_key_id(detail, certificate->key_id);
        return true;
    }
    if (serial_is_revoked(list, certificate->ca, certificate->serial)) {
        detail_set(detail, "your certificate has been revoked (serial %" PRIu64 "); get a new one",
                   certificate->serial);
        return true;
    }
    return false;
}

bool revocation_hits_identity(const Ipc__RevocationList *list, const Ipc__Config *config, const char *key_id,
                              const uint8_t *key, size_t n, struct detail *detail)
{
    const Ipc__Ca *ca = config->user_ca_public;
    struct span ca_blob = { ca ? ca->blob.data : NULL, ca ? ca->blob.len : 0 };

    if (!list)
        return false;
    if (key_is_in(list, (struct span){ key, n })) {
        detail_set(detail, "your key has been revoked: make a new one, and have that one certified");
        return true;
    }
    if (!key_id_is_in(list, ca_blob, key_id))
        return false;
    tell_key_id(detail, key_id);
    return true;
}

/* ---- as it travels ---- */

/* Ranges in order, with gaps between them. */
static bool certificates_are_sealed(const Ipc__RevokedCertificates *revoked)
{
    if (revoked->n_first != revoked->n_last)
        return false;
    for (size_t i = 0; i < revoked->n_first; i++)
        if (revoked->first[i] > revoked->last[i] || (i > 0 && revoked->first[i] <= revoked->last[i - 1]))
            return false;
    return byte_set_is_sealed(revoked->key_ids);
}

static bool list_is_sealed(const Ipc__RevocationList *list)
{
    for (size_t i = 0; i < list->n_certificates; i++)
        if (!certificates_are_sealed(list->certificates[i]))
            return false;
    return byte_set_is_sealed(list->keys) && byte_set_is_sealed(list->key_sha1) &&
           byte_set_is_sealed(list->key_sha256);
}

int revocation_unpack(int fd, Ipc__RevocationList **ret)
{
    CLEANUP(free) uint8_t *bytes = NULL;
    Ipc__RevocationList *list;
    size_t n = 0;
    int r = fd_contents(fd, REVOCATION_LIST_MAX, &bytes, &n);

    if (r)
        return r;
    list = ipc__revocation_list__unpack(NULL, n, bytes);
    if (!list)
        return -EBADMSG;
    if (!list_is_sealed(list)) {
        ipc__revocation_list__free_unpacked(list, NULL);
        return -EBADMSG;
    }
    *ret = list;
    return 0;
}
