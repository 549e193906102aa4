/* See certificate_craft.h. */
#include <stdlib.h>
#include <string.h>
#include "certificate_craft.h"
#include "check.h"
#include "policy/certificate.h"
#include "policy/certificate_signer.h"

static const uint8_t good_key[36] = { 0, 0, 0, 32, 0x58, 0x66, 0x66, 0x66 };
static const struct bytes defaults[] = {
    [CRAFT_TYPE] = BYTES("ssh-ed25519-cert-v01@openssh.com"),
    [CRAFT_KEY] = { good_key, sizeof(good_key) },
    [CRAFT_KEY_ID] = BYTES("corp/anna"),
    [CRAFT_RESERVED] = BYTES(""),
};

static void put(struct buffer *out, struct bytes bytes, enum craft_field field)
{
    struct bytes value = bytes.at ? bytes : defaults[field];

    if (field == CRAFT_KEY)
        assert_int_equal(buffer_append(out, value.at, value.n), 0);
    else
        assert_int_equal(buffer_put_string(out, value.at, value.n), 0);
}

static void put_list(struct buffer *out, const struct buffer *list)
{
    assert_int_equal(buffer_put_string(out, buffer_head(list), buffer_size(list)), 0);
}

static void put_principals(struct buffer *out, const struct craft *craft)
{
    CLEANUP(free) char *copy = strdup(craft->principals ? craft->principals : "agent");
    char *next = *copy ? copy : NULL, *name;
    struct buffer list;

    buffer_init(&list, (size_t)2 * CERTIFICATE_MAX);
    while ((name = strsep(&next, ",")))
        assert_int_equal(buffer_put_string(&list, name, strlen(name)), 0);
    put_list(out, &list);
    buffer_free(&list);
}

static void put_option(struct buffer *out, char *item)
{
    size_t n = strcspn(item, "=~");
    char kind = item[n];
    const char *value = kind ? item + n + 1 : item + n;
    size_t value_n = strlen(value);

    assert_int_equal(buffer_put_string(out, item, n), 0);
    assert_int_equal(buffer_put_u32(out, (uint32_t)(value_n + (kind == '=' ? 4 : 0))), 0);
    if (kind == '=')
        assert_int_equal(buffer_put_u32(out, (uint32_t)value_n), 0);
    assert_int_equal(buffer_append(out, value, value_n), 0);
}

void craft_options(struct buffer *out, const char *text)
{
    CLEANUP(free) char *copy = strdup(text);
    char *next = *copy ? copy : NULL, *item;

    while ((item = strsep(&next, "|")))
        put_option(out, item);
}

static void put_options(struct buffer *out, const char *text)
{
    struct buffer list;

    buffer_init(&list, (size_t)2 * CERTIFICATE_MAX);
    craft_options(&list, text);
    put_list(out, &list);
    buffer_free(&list);
}

static uint64_t number(uint64_t value, uint64_t usual)
{
    if (value == CRAFT_ZERO)
        return 0;
    return value ? value : usual;
}

static void put_field(struct buffer *out, const struct craft *craft, const struct certificate_signer *signer,
                      enum craft_field field)
{
    static const uint8_t nonce[32];
    struct bytes ca = craft->ca;

    switch (field) {
    case CRAFT_TYPE:
        put(out, craft->type, field);
        break;
    case CRAFT_NONCE:
        assert_int_equal(buffer_put_string(out, nonce, sizeof(nonce)), 0);
        break;
    case CRAFT_KEY:
        put(out, craft->key, field);
        break;
    case CRAFT_SERIAL:
        assert_int_equal(buffer_put_u64(out, number(craft->serial, 5)), 0);
        break;
    case CRAFT_KIND:
        assert_int_equal(buffer_put_u32(out, (uint32_t)number(craft->kind, 1)), 0);
        break;
    case CRAFT_KEY_ID:
        put(out, craft->key_id, field);
        break;
    case CRAFT_PRINCIPALS:
        if (craft->raw_principals.at)
            put(out, craft->raw_principals, field);
        else
            put_principals(out, craft);
        break;
    case CRAFT_AFTER:
        assert_int_equal(buffer_put_u64(out, number(craft->after, 0)), 0);
        break;
    case CRAFT_BEFORE:
        assert_int_equal(buffer_put_u64(out, number(craft->before, UINT64_MAX)), 0);
        break;
    case CRAFT_CRITICAL:
        if (craft->raw_critical.at)
            put(out, craft->raw_critical, field);
        else
            put_options(out, craft->critical ? craft->critical : "");
        break;
    case CRAFT_EXTENSIONS:
        if (craft->raw_extensions.at)
            put(out, craft->raw_extensions, field);
        else
            put_options(out, craft->extensions ? craft->extensions : "permit-pty");
        break;
    case CRAFT_RESERVED:
        put(out, craft->reserved, field);
        break;
    case CRAFT_CA:
        if (!ca.at)
            ca.at = signer_public(signer, &ca.n);
        assert_int_equal(buffer_put_string(out, ca.at, ca.n), 0);
        break;
    case CRAFT_SIGNATURE:
        if (craft->signature.at)
            put(out, craft->signature, field);
        else
            assert_int_equal(signer_sign(signer, NULL, buffer_head(out), buffer_size(out), out), 0);
        break;
    }
}

uint8_t *craft_make(const struct craft *craft, const struct certificate_signer *signer, size_t *ret_n)
{
    uint8_t *copy;
    struct buffer made;

    buffer_init(&made, (size_t)4 * CERTIFICATE_MAX);
    for (enum craft_field field = CRAFT_TYPE; field <= CRAFT_SIGNATURE; field++) {
        put_field(&made, craft, signer, field);
        if (field == craft->cut)
            break;
    }
    if (craft->trailing.at)
        assert_int_equal(buffer_append(&made, craft->trailing.at, craft->trailing.n), 0);
    *ret_n = buffer_size(&made) - (craft->cut ? 1 : 0);
    copy = malloc(*ret_n + 1);
    assert_non_null(copy);
    memcpy(copy, buffer_head(&made), *ret_n);
    buffer_free(&made);
    return copy;
}
