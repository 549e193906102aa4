/* libpq has keywords for application_name and client_encoding; the rest rides in `options`, which the server
 * splits at blanks, with backslash as escape (pg_split_opts).
 *
 * The gate decides what a client may set; here only what would change the login itself, or how the server
 * reads the gate's bytes, is refused. */
#include "vault/connector_options.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buffer.h"
#include "vault/connector.h"

static bool name_is_valid(const char *name)
{
    static const char first[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";
    static const char all[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789.";
    size_t n = strlen(name);

    return n > 0 && n < CONNECTOR_NAME_MAX && strspn(name, first) > 0 && strspn(name, all) == n;
}

/* What would make it another login. */
static bool is_refused(const char *name)
{
    static const char *const refused[] = { "user",        "database", "options",
                                           "replication", "role",     "session_authorization" };

    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
        if (strcasecmp(name, refused[i]) == 0)
            return true;
    return false;
}

/* UTF-8, and encodings in which every byte is a character: never one whose second byte may be a backslash.
 * The server compares letters and digits only (clean_encoding_name). */
static bool encoding_is_harmless(const char *name)
{
    static const char *const exact[] = { "utf8", "unicode", "sqlascii" };
    static const char *const families[] = { "latin", "iso8859", "koi8", "win8", "win125", "windows" };
    char clean[32];
    size_t n = 0;

    for (; *name && n < sizeof(clean) - 1; name++)
        if (isalnum((unsigned char)*name))
            clean[n++] = (char)tolower((unsigned char)*name);
    clean[n] = '\0';
    for (size_t i = 0; i < sizeof(exact) / sizeof(exact[0]); i++)
        if (strcmp(clean, exact[i]) == 0)
            return true;
    /* windows949 and the like are Asian: of Windows' own only 125x, 866 and 874 are single bytes. */
    if (strncmp(clean, "windows", 7) == 0)
        return strncmp(clean + 7, "125", 3) == 0 || strcmp(clean + 7, "866") == 0 ||
               strcmp(clean + 7, "874") == 0;
    if (strncmp(clean, "win", 3) == 0)
        return strncmp(clean + 3, "125", 3) == 0 || strcmp(clean + 3, "866") == 0 ||
               strcmp(clean + 3, "874") == 0;
    for (size_t i = 0; i < 3; i++)
        if (strncmp(clean, families[i], strlen(families[i])) == 0)
            return true;
    return false;
}

static bool is_on(const char *value)
{
    return strcasecmp(value, "on") == 0 || strcasecmp(value, "true") == 0 || strcasecmp(value, "yes") == 0 ||
           strcmp(value, "1") == 0;
}

static int fold_one(struct buffer *out, const char *name, const char *value)
{
    int r = buffer_printf(out, "%s-c %s=", buffer_size(out) ? " " : "", name);

    for (; !r && *value; value++) {
        if (isspace((unsigned char)*value) || *value == '\\')
            r = buffer_put_u8(out, '\\');
        if (!r)
            r = buffer_put_u8(out, (uint8_t)*value);
    }
    return r;
}

static int take(struct options *options, struct buffer *folded, const Ipc__Variable *setting,
                struct detail *detail)
{
    const char *name = setting->name, *value = setting->value;

    if (!name_is_valid(name) || is_refused(name))
        return detail_fail(detail, -EINVAL, "the setting \"%.64s\" may not be set at login", name);
    if (strlen(value) > OPTION_VALUE_MAX)
        return detail_fail(detail, -EINVAL, "the setting %s is longer than %d bytes", name, OPTION_VALUE_MAX);
    if (strcasecmp(name, "application_name") == 0) {
        options->application_name = value;
        return 0;
    }
    if (strcasecmp(name, "client_encoding") == 0) {
        if (!encoding_is_harmless(value))
            return detail_fail(detail, -EINVAL, "the client_encoding \"%.32s\" is not supported: use UTF8",
                               value);
        options->client_encoding = value;
        return 0;
    }
    if (strcasecmp(name, "standard_conforming_strings") == 0)
        return is_on(value) ? 0 : detail_fail(detail, -EINVAL, "standard_conforming_strings must be on");
    return fold_one(folded, name, value);
}

int options_fold(Ipc__Variable *const *settings, size_t n, struct options *ret, struct detail *detail)
{
    struct options options = { .client_encoding = "UTF8" };
    struct buffer folded;
    int r = 0;

    if (n > OPTIONS_MAX)
        return detail_fail(detail, -EINVAL, "more than %d settings at login", OPTIONS_MAX);
    buffer_init(&folded, OPTIONS_TEXT_MAX);
    for (size_t i = 0; !r && i < n; i++)
        r = take(&options, &folded, settings[i], detail);
    if (!r) /* last: the server lets the last one win */
        r = fold_one(&folded, "standard_conforming_strings", "on");
    if (!r)
        r = buffer_put_u8(&folded, '\0');
    if (r == -ENOBUFS)
        r = detail_fail(detail, -EINVAL, "the settings at login are longer than %d bytes", OPTIONS_TEXT_MAX);
    if (!r) {
        options.folded = strdup((const char *)buffer_head(&folded));
        r = options.folded ? 0 : -ENOMEM;
    }
    buffer_free(&folded);
    if (!r)
        *ret = options;
    return r;
}

void options_free(struct options *options)
{
    free(options->folded);
    options->folded = NULL;
}
