/* See sshsig_form.h. */
#include "policy/sshsig_form.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"

enum { LINE = 70 }; /* as ssh-keygen breaks them */

static const char head[] = "-----BEGIN SSH SIGNATURE-----", tail[] = "-----END SSH SIGNATURE-----";

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void trim(const char **at, const char **end)
{
    while (*at < *end && is_blank(**at))
        ++*at;
    while (*end > *at && is_blank((*end)[-1]))
        --*end;
}

static bool begins(const char *at, const char *end, const char *text)
{
    return (size_t)(end - at) >= strlen(text) && memcmp(at, text, strlen(text)) == 0;
}

int sshsig_from_armour(const void *text, size_t n, uint8_t **ret, size_t *ret_n)
{
    const char *at = text, *end = at + n;
    CLEANUP(free) char *base64 = NULL;
    CLEANUP(free) uint8_t *blob = NULL;
    size_t digits = 0, size = 0;
    if (n > SSHSIG_ARMOUR_MAX)
        return -EFBIG;
    trim(&at, &end);
    if (!begins(at, end, head))
        return -EBADMSG;
    at += sizeof head - 1;
    if ((size_t)(end - at) < sizeof tail - 1 || memcmp(end - (sizeof tail - 1), tail, sizeof tail - 1) != 0)
        return -EBADMSG;
    end -= sizeof tail - 1;
    if (at == end || !is_blank(*at) || !is_blank(end[-1]))
        return -EBADMSG;
    base64 = malloc(n);
    blob = malloc(n);
    if (!base64 || !blob)
        return -ENOMEM;
    for (; at < end; at++)
        if (!is_blank(*at))
            base64[digits++] = *at;
    if (digits == 0 || !text_from_base64(base64, digits, blob, n, &size))
        return -EBADMSG;
    if (size > SSHSIG_MAX)
        return -EFBIG;
    *ret = STEAL(blob);
    *ret_n = size;
    return 0;
}

char *sshsig_armour(const void *blob, size_t n)
{
    if (n > SSHSIG_MAX)
        return NULL;
    size_t digits = 4 * ((n + 2) / 3), at = 0;
    CLEANUP(free) char *base64 = malloc(digits + 1);
    char *out = malloc(sizeof head + sizeof tail + digits + digits / LINE + 4);
    if (!base64 || !out) {
        free(out);
        return NULL;
    }
    (void)text_base64(base64, blob, n);
    memcpy(out, head, sizeof head - 1);
    at += sizeof head - 1;
    for (size_t i = 0; i < digits; i++) {
        if (i % LINE == 0)
            out[at++] = '\n';
        out[at++] = base64[i];
    }
    out[at++] = '\n';
    memcpy(out + at, tail, sizeof tail - 1);
    at += sizeof tail - 1;
    out[at++] = '\n';
    out[at] = 0;
    return out;
}
