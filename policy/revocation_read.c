/* Revocation lists as files: a KRL, or lines (docs/identity.md):
 *
 *   # who may not come in any more
 *   serial:1234                    also "serial:1000-1999"; of certificates of every CA
 *   id:corp/anna@example.com       the key id, up to the end of the line or a comment; it may hold blanks
 *   key:SHA256:base64              the fingerprint of a key or of a CA's key, as ssh-keygen -l prints it
 *
 * A comment begins with a "#" at the start of a line or behind a blank, so that an id may have one inside. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/text.h"
#include "policy/byte_set.h"
#include "policy/revocation_parts.h"

enum { LINE_MAX_BYTES = 2048, FINGERPRINT_DIGITS = 43, FINGERPRINT_BYTES = 32, SHOWN_MAX = 60 };

static const char BLANK[] = " \t\r";

/* ---- one line ---- */

/* Lines are about certificates of every CA. */
static int every_ca(struct reading *reading, Ipc__RevokedCertificates **ret)
{
    return reading_ca(reading, (struct span){ NULL, 0 }, ret);
}

static int read_serials(struct reading *reading, char *text)
{
    char *dash = strchr(text, '-');
    Ipc__RevokedCertificates *part;
    uint64_t first, last;
    int r;

    if (dash)
        *dash++ = '\0';
    if (!text_to_u64(text, UINT64_MAX, &first) || (dash && !text_to_u64(dash, UINT64_MAX, &last)))
        return detail_fail(reading->detail, -EINVAL, "a serial is a decimal number, or two as in 10-19");
    if (!dash)
        last = first;
    if (last < first)
        return detail_fail(reading->detail, -EINVAL, "the range of serials ends before it begins");
    r = every_ca(reading, &part);
    return r ? r : reading_add_serials(reading, part, first, last);
}

static int read_key_id(struct reading *reading, const char *text)
{
    Ipc__RevokedCertificates *part;
    size_t n = strlen(text);
    int r;

    if (n > CERTIFICATE_KEY_ID_MAX)
        return detail_fail(reading->detail, -EINVAL, "a key id has at most %d bytes", CERTIFICATE_KEY_ID_MAX);
    r = every_ca(reading, &part);
    return r ? r : reading_add(reading, &part->key_ids, (struct span){ (const uint8_t *)text, n });
}

static int read_fingerprint(struct reading *reading, const char *text)
{
    static const char prefix[] = "SHA256:";
    char padded[FINGERPRINT_DIGITS + 2];
    uint8_t hash[FINGERPRINT_BYTES];
    size_t n;

    if (strncmp(text, prefix, sizeof(prefix) - 1) == 0 &&
        strlen(text) == sizeof(prefix) - 1 + FINGERPRINT_DIGITS) {
        snprintf(padded, sizeof(padded), "%s=", text + sizeof(prefix) - 1);
        if (text_from_base64(padded, FINGERPRINT_DIGITS + 1, hash, sizeof(hash), &n) && n == sizeof(hash))
            return reading_add(reading, &reading->list.key_sha256, (struct span){ hash, n });
    }
    return detail_fail(reading->detail, -EINVAL, "a key is written as its fingerprint, SHA256: and %d digits",
                       FINGERPRINT_DIGITS);
}

/* Cuts a comment and the blanks at both ends. */
static char *trim(char *line)
{
    size_t n;

    line += strspn(line, BLANK);
    for (char *p = line; *p; p++)
        if (*p == '#' && (p == line || strchr(BLANK, p[-1]))) {
            *p = '\0';
            break;
        }
    n = strlen(line);
    while (n > 0 && strchr(BLANK, line[n - 1]))
        line[--n] = '\0';
    return line;
}

/* The text behind a word such as "serial:", or NULL. */
static char *behind(char *line, const char *word)
{
    size_t n = strlen(word);

    if (strncmp(line, word, n) != 0)
        return NULL;
    line += n;
    return line + strspn(line, BLANK);
}

static int read_line(struct reading *reading, char *line)
{
    char shown[SHOWN_MAX], *value;

    line = trim(line);
    if (*line == '\0')
        return 0;
    if ((value = behind(line, "serial:")) && *value)
        return read_serials(reading, value);
    if ((value = behind(line, "id:")) && *value)
        return read_key_id(reading, value);
    if ((value = behind(line, "key:")) && *value)
        return read_fingerprint(reading, value);
    text_escape(shown, sizeof(shown), line, strlen(line), false);
    return detail_fail(reading->detail, -EINVAL, "\"%s\" is neither serial:N, nor id:NAME, nor key:SHA256:…",
                       shown);
}

/* ---- all of them ---- */

static int at_line(const struct reading *reading, size_t number, int fault)
{
    struct detail what;

    if (fault != -EINVAL || !reading->detail)
        return fault;
    what = *reading->detail;
    return detail_fail(reading->detail, fault, "line %zu: %s", number, what.text);
}

/* Copies the line out; the caller knows that it is text. */
static int read_line_of(struct reading *reading, const uint8_t *start, size_t n)
{
    char line[LINE_MAX_BYTES + 1];

    if (n > LINE_MAX_BYTES)
        return detail_fail(reading->detail, -EINVAL, "longer than %d bytes", LINE_MAX_BYTES);
    if (!text_is_utf8(start, n))
        return detail_fail(reading->detail, -EINVAL, "this is not text in UTF-8, nor is the file a KRL");
    memcpy(line, start, n);
    line[n] = '\0';
    return read_line(reading, line);
}

static int read_lines(struct span file, struct reading *reading)
{
    const uint8_t *next = file.bytes, *end = file.bytes + file.n;
    int fault = 0;

    for (size_t number = 1; !fault && next < end; number++) {
        const uint8_t *newline = memchr(next, '\n', (size_t)(end - next));
        const uint8_t *stop = newline ? newline : end;

        fault = at_line(reading, number, read_line_of(reading, next, (size_t)(stop - next)));
        next = newline ? newline + 1 : end;
    }
    return fault;
}

static size_t entries_of(const Ipc__RevocationList *list)
{
    size_t count =
        byte_set_count(list->keys) + byte_set_count(list->key_sha1) + byte_set_count(list->key_sha256);

    for (size_t i = 0; i < list->n_certificates; i++)
        count += list->certificates[i]->n_first + byte_set_count(list->certificates[i]->key_ids);
    return count;
}

static int add_set(struct reading *to, Ipc__ByteSet **into, const Ipc__ByteSet *from)
{
    int r = 0;

    for (size_t i = 0; !r && i < byte_set_count(from); i++) {
        size_t start = i ? from->ends[i - 1] : 0;

        r = reading_add(to, into, (struct span){ from->pool.data + start, from->ends[i] - start });
    }
    return r;
}

static int add_list(struct reading *to, const Ipc__RevocationList *from)
{
    int r = add_set(to, &to->list.keys, from->keys);

    if (!r)
        r = add_set(to, &to->list.key_sha1, from->key_sha1);
    if (!r)
        r = add_set(to, &to->list.key_sha256, from->key_sha256);
    for (size_t i = 0; !r && i < from->n_certificates; i++) {
        const Ipc__RevokedCertificates *part = from->certificates[i];
        Ipc__RevokedCertificates *same;

        r = reading_ca(to, (struct span){ part->ca.data, part->ca.len }, &same);
        for (size_t k = 0; !r && k < part->n_first; k++)
            r = reading_add_serials(to, same, part->first[k], part->last[k]);
        if (!r)
            r = add_set(to, &same->key_ids, part->key_ids);
    }
    return r;
}

int revocation_read(const uint8_t *bytes, size_t n, Ipc__RevocationList *list, struct detail *detail)
{
    struct reading reading = { .list = IPC__REVOCATION_LIST__INIT, .detail = detail };
    struct span file = { bytes ? bytes : (const uint8_t *)"", bytes ? n : 0 };
    int r;

    if (n > REVOCATION_FILE_MAX)
        return detail_fail(detail, -EINVAL, "the list is longer than %d bytes", REVOCATION_FILE_MAX);
    reading.entries = entries_of(list);
    r = krl_is(file) ? krl_read(file, &reading) : read_lines(file, &reading);
    if (!r) {
        /* Both fit together: the reading has counted the list's own entries already. */
        reading.entries = entries_of(&reading.list);
        r = add_list(&reading, list);
    }
    if (r) {
        revocation_free(&reading.list);
        return r;
    }
    revocation_free(list);
    *list = reading.list;
    return 0;
}

static bool is_one_line(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < ' ' || *text == 0x7f)
            return false;
    return true;
}

/* Whether all that the list holds is this key id. */
static bool holds_key_id(const Ipc__RevocationList *list, const char *key_id)
{
    const Ipc__ByteSet *set = list->n_certificates == 1 ? list->certificates[0]->key_ids : NULL;

    return entries_of(list) == 1 && set && set->pool.len == strlen(key_id) &&
           memcmp(set->pool.data, key_id, set->pool.len) == 0;
}

int revocation_line(const char *what, char **ret, struct detail *detail)
{
    static const char *const words[] = { "serial:", "id:", "key:" };
    struct reading reading = { .list = IPC__REVOCATION_LIST__INIT, .detail = detail };
    char line[LINE_MAX_BYTES + 1];
    bool bare = true, well;
    int r;

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        bare = bare && strncmp(what, words[i], strlen(words[i])) != 0;
    if (strlen(what) > LINE_MAX_BYTES - 3 || !is_one_line(what))
        return detail_fail(detail, -EINVAL, "what is to be revoked is too long, or has control characters");
    snprintf(line, sizeof(line), "%s%s", bare ? "id:" : "", what);
    r = read_line_of(&reading, (const uint8_t *)line, strlen(line));
    /* Read as a line, it must mean what was given: blanks at an end and comments would get lost. */
    well = bare ? holds_key_id(&reading.list, what) : reading.entries == 1;
    revocation_free(&reading.list);
    if (!r && !well)
        r = detail_fail(detail, -EINVAL, "this can't be written as a line of a list");
    if (r)
        return r;
    *ret = strdup(line);
    return *ret ? 0 : -ENOMEM;
}
