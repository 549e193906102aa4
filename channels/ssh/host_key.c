/* See host_key.h. libssh's client knows no host certificates, so only plain keys are asked for. */
#include "channels/ssh/host_key.h"

#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "policy/certificate.h"

/* Key types (RFC 4253 section 6.6, RFC 5656, RFC 8332, RFC 8709) and what they sign by, best first. */
static const struct {
    const char *type, *algorithms;
} forms[] = {
    { "ssh-ed25519", "ssh-ed25519" },
    { "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256" },
    { "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp384" },
    { "ecdsa-sha2-nistp521", "ecdsa-sha2-nistp521" },
    { "ssh-rsa", "rsa-sha2-512,rsa-sha2-256" },
};

static bool is_of_type(const ProtobufCBinaryData *key, const char *type)
{
    struct reader reader = reader_of(key->data, key->len), name;
    return reader_string(&reader, &name) && reader_left(&name) == strlen(type) &&
           memcmp(name.next, type, strlen(type)) == 0;
}

void host_key_algorithms(const Ipc__Target *target, char ret[HOST_KEY_ALGORITHMS_MAX])
{
    size_t used = 0;
    ret[0] = '\0';
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        bool pinned = false;
        for (size_t k = 0; k < target->n_host_keys; k++)
            pinned = pinned || is_of_type(&target->host_keys[k], forms[i].type);
        if (pinned)
            used += (size_t)snprintf(ret + used, HOST_KEY_ALGORITHMS_MAX - used, "%s%s", used ? "," : "",
                                     forms[i].algorithms);
    }
}

bool host_key_is_pinned(const Ipc__Target *target, const uint8_t *key, size_t n)
{
    for (size_t i = 0; i < target->n_host_keys; i++) {
        if (target->host_keys[i].len == n && memcmp(target->host_keys[i].data, key, n) == 0)
            return true;
    }
    return false;
}

static const char *type_of(const ProtobufCBinaryData *key)
{
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        if (is_of_type(key, forms[i].type))
            return forms[i].type;
    }
    return "unknown";
}

void host_key_words(const ProtobufCBinaryData *keys, size_t n, char ret[HOST_KEY_WORDS_MAX])
{
    size_t used = 0;
    ret[0] = '\0';
    for (size_t i = 0; i < n && used < HOST_KEY_WORDS_MAX; i++) {
        char fingerprint[64] = "?";
        if (public_key_fingerprint(keys[i].data, keys[i].len, fingerprint, sizeof fingerprint))
            continue;
        used += (size_t)snprintf(ret + used, HOST_KEY_WORDS_MAX - used, "%s%s %s", used ? ", " : "",
                                 type_of(&keys[i]), fingerprint);
    }
}
