/* `gatehouse vault …`. */
#include "vault/admin_parts.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"
#include "policy/certificate_issue.h"
#include "vault/bearer.h"
#include "vault/client_cert.h"
#include "vault/store.h"

enum { JSON_ENTRY_MAX = 1024 };

int vault_admin_init(const char *state, struct detail *detail)
{
    return store_create(state, detail);
}

static int open_locked(const char *state, struct store **ret, struct detail *detail)
{
    CLEANUP(store_free) struct store *store = NULL;
    int r = store_new(state, &store, detail);

    if (!r)
        r = store_lock(store, detail);
    if (!r)
        *ret = STEAL(store);
    return r;
}

/* ---- set ---- */

int admin_read(int fd, uint8_t *bytes, size_t size, size_t *ret_n)
{
    size_t n = 0;

    while (n < size) {
        ssize_t got = read(fd, bytes + n, size - n);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -errno;
        if (got == 0)
            break;
        n += (size_t)got;
    }
    *ret_n = n;
    return 0;
}

/* Text secrets are typed or piped by echo: one line end behind them is not meant. */
static size_t without_line_end(const uint8_t *bytes, size_t n)
{
    if (n > 0 && bytes[n - 1] == '\n')
        n--;
    if (n > 0 && bytes[n - 1] == '\r')
        n--;
    return n;
}

/* What is none would be found out at the first login, by an agent. */
static int check_key(const uint8_t *bytes, size_t n, struct detail *detail)
{
    CLEANUP(certificate_signer_free) struct certificate_signer *signer = NULL;

    return certificate_signer_new(bytes, n, &signer, detail);
}

static int check_certificate(const uint8_t *bytes, size_t n, struct detail *detail)
{
    CLEANUP(client_cert_free) struct client_cert *cert = NULL;

    return client_cert_read(bytes, n, &cert, detail);
}

static int check_token(const uint8_t *bytes, size_t n, struct detail *detail)
{
    if (bearer_is_one((const char *)bytes, n))
        return 0;
    return detail_fail(
        detail, -EINVAL,
        "this is no bearer token: it has 1 to %d visible ASCII characters, in one line, without "
        "blanks",
        BEARER_MAX);
}

static int check(enum sealed_type type, const uint8_t *bytes, size_t n, struct detail *detail)
{
    switch (type) {
    case SEALED_SSH_KEY:
        return check_key(bytes, n, detail);
    case SEALED_CLIENT_CERT:
        return check_certificate(bytes, n, detail);
    case SEALED_TOKEN:
        return check_token(bytes, n, detail);
    default:
        return memchr(bytes, '\0', n) ? detail_fail(detail, -EINVAL, "the secret contains a NUL byte") : 0;
    }
}

static int read_secret(int fd, enum sealed_type type, struct secret **ret, struct detail *detail)
{
    CLEANUP(secret_free) struct secret *input = NULL;
    bool is_text = type == SEALED_PASSWORD || type == SEALED_TOKEN;
    size_t n = 0;
    int r = secret_new(SEALED_SECRET_MAX + 3, &input);

    if (!r)
        r = admin_read(fd, secret_bytes(input), secret_size(input), &n);
    if (r)
        return detail_fail(detail, r, "the secret can't be read from standard input: %s", strerror(-r));
    if (is_text)
        n = without_line_end(secret_bytes(input), n);
    if (n == 0)
        return detail_fail(detail, -EINVAL, "no secret came on standard input");
    if (n > SEALED_SECRET_MAX)
        return detail_fail(detail, -EINVAL, "the secret is longer than %d bytes", SEALED_SECRET_MAX);
    r = check(type, secret_bytes(input), n, detail);
    if (r)
        return r;
    return secret_take(secret_bytes(input), n, ret);
}

int admin_check_name(const char *name, struct detail *detail)
{
    if (sealed_name_is_valid(name))
        return 0;
    return detail_fail(
        detail, -EINVAL,
        "a vault entry's name has 1 to %d letters, digits and . _ - + @ / and begins with one of "
        "the first two",
        SEALED_NAME_MAX);
}

int admin_put(const char *state, const char *name, enum sealed_type type, const struct secret *value,
              struct detail *detail)
{
    CLEANUP(store_free) struct store *store = NULL;
    int r = open_locked(state, &store, detail);

    if (r)
        return r;
    r = sealed_put(store_sealed(store), store_key(store), name, type, value, clock_unix_ms());
    if (r)
        return detail_fail(detail, r, "the entry can't be added: %s", strerror(-r));
    return store_save(store, detail);
}

int vault_admin_set(const char *state, const char *name, const char *type, int fd, struct detail *detail)
{
    CLEANUP(secret_free) struct secret *value = NULL;
    enum sealed_type kind;
    int r = admin_check_name(name, detail);

    if (r)
        return r;
    if (!sealed_type_of(type, &kind))
        return detail_fail(detail, -EINVAL,
                           "the type must be password, token, ssh-key, client-cert or kubeconfig");
    r = read_secret(fd, kind, &value, detail); /* before the lock: a person may be typing */
    return r ? r : admin_put(state, name, kind, value, detail);
}

/* ---- list ---- */

static uint64_t age_ms(uint64_t since, uint64_t now)
{
    return now > since ? now - since : 0;
}

/* In one unit: "90d", "12h", "15m", "30s". */
static const char *age_text(uint64_t ms, char out[24])
{
    uint64_t seconds = ms / 1000;

    if (seconds >= 2 * 86400)
        snprintf(out, 24, "%" PRIu64 "d", seconds / 86400);
    else if (seconds >= 2 * 3600)
        snprintf(out, 24, "%" PRIu64 "h", seconds / 3600);
    else if (seconds >= 2 * 60)
        snprintf(out, 24, "%" PRIu64 "m", seconds / 60);
    else
        snprintf(out, 24, "%" PRIu64 "s", seconds);
    return out;
}

static int print_json(FILE *out, const struct sealed_entry *entry)
{
    struct buffer line;
    struct json json;
    int r = 0;

    buffer_init(&line, JSON_ENTRY_MAX);
    json = json_to(&line);
    json_open_object(&json, NULL);
    json_text(&json, "name", entry->name);
    json_text(&json, "type", sealed_type_name(entry->type));
    json_text(&json, "created", text_time((char[32]){ 0 }, entry->created_ms));
    json_text(&json, "updated", text_time((char[32]){ 0 }, entry->updated_ms));
    json_close_object(&json);
    if (!json_line(&json))
        r = -ENOMEM;
    else if (fwrite(buffer_head(&line), buffer_size(&line), 1, out) != 1)
        r = -EIO;
    buffer_free(&line);
    return r;
}

static int print_table(FILE *out, const struct sealed *sealed)
{
    uint64_t now = clock_unix_ms();
    int width = 4;

    for (size_t i = 0; i < sealed->count; i++)
        if ((int)strlen(sealed->entries[i].name) > width)
            width = (int)strlen(sealed->entries[i].name);
    fprintf(out, "%-*s  %-11s  %-7s  %s\n", width, "NAME", "TYPE", "CREATED", "CHANGED");
    for (size_t i = 0; i < sealed->count; i++) {
        const struct sealed_entry *entry = &sealed->entries[i];
        char created[24], updated[24];

        fprintf(out, "%-*s  %-11s  %-7s  %s\n", width, entry->name, sealed_type_name(entry->type),
                age_text(age_ms(entry->created_ms, now), created),
                age_text(age_ms(entry->updated_ms, now), updated));
    }
    return ferror(out) ? -EIO : 0;
}

int vault_admin_list(const char *state, FILE *out, bool as_json, struct detail *detail)
{
    CLEANUP(store_free) struct store *store = NULL;
    const struct sealed *sealed;
    int r = store_new(state, &store, detail);

    if (!r)
        r = store_refresh(store, detail);
    if (r)
        return r;
    sealed = store_sealed(store);
    if (!as_json)
        return print_table(out, sealed);
    for (size_t i = 0; !r && i < sealed->count; i++)
        r = print_json(out, &sealed->entries[i]);
    return r;
}

/* ---- the rest ---- */

int vault_admin_remove(const char *state, const char *name, struct detail *detail)
{
    CLEANUP(store_free) struct store *store = NULL;
    int r = open_locked(state, &store, detail);

    if (r)
        return r;
    if (!sealed_remove(store_sealed(store), name))
        return detail_fail(detail, STORE_NO_ENTRY, "the vault has no entry \"%s\"", name);
    return store_save(store, detail);
}

int vault_admin_rekey(const char *state, struct detail *detail)
{
    CLEANUP(store_free) struct store *store = NULL;
    int r = open_locked(state, &store, detail);

    return r ? r : store_rekey(store, detail);
}
