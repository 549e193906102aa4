/* E-mail addresses, and passwords in URLs: both begin before the bytes that point at them. */
#include <string.h>
#include "base/text.h"
#include "policy/detect_parts.h"

enum {
    DOMAIN_MAX = 255, /* RFC 1035 §2.3.4 */
    LABEL_MAX = 63,
    TLD_MAX = 24,
    USER_MAX = 128, /* of a URL */
    PASSWORD_MAX = 256,
};

/* RFC 5321 has 64 bytes at most before the @; of a longer run the last 64 are taken. An apostrophe counts
 * between letters (o'brien), not as a quotation mark. */
size_t email_origin(const struct detect_view *v, size_t at)
{
    size_t start = at;

    while (start > 0 && at - start < DETECT_BACK_MAX) {
        uint8_t c = v->bytes[start - 1];
        bool inside = start < at && class_has(v->bytes[start], CLASS_UPPER | CLASS_LOWER);
        if (!class_has(c, CLASS_LOCAL) &&
            !(c == '\'' && inside && class_has(view_before(v, start, 2), CLASS_UPPER | CLASS_LOWER)))
            break;
        start--;
    }
    return start;
}

/* Ends of file names and of systemd's units, which are no top-level domains: logo@2x.png, getty@tty1.service.
 */
static bool is_file_ending(const uint8_t *label, size_t n)
{
    static const char *const endings[] = { "png",   "jpg",    "jpeg",  "gif",     "webp",   "svg",
                                           "ico",   "tgz",    "gz",    "bz2",     "xz",     "js",
                                           "mjs",   "json",   "yaml",  "yml",     "txt",    "log",
                                           "html",  "css",    "whl",   "jar",     "war",    "deb",
                                           "rpm",   "exe",    "dll",   "service", "tar",    "mount",
                                           "timer", "target", "slice", "scope",   "socket", "device" };

    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
        if (strlen(endings[i]) == n && strncasecmp((const char *)label, endings[i], n) == 0)
            return true;
    return false;
}

static bool is_top_level(const uint8_t *label, size_t n)
{
    if (n > 4 && strncasecmp((const char *)label, "xn--", 4) == 0)
        return true;
    if (n < 2 || n > TLD_MAX || is_file_ending(label, n))
        return false;
    for (size_t i = 0; i < n; i++)
        if (!class_has(label[i], CLASS_UPPER | CLASS_LOWER) && label[i] < 0x80)
            return false;
    return true;
}

/* A label of a host name; its length, or 0. Bytes from 0x80 on only when international. */
static size_t label_length(struct detect_view *v, size_t at, bool international)
{
    size_t n = 0;

    for (; n <= LABEL_MAX; n++) {
        int c = view_at(v, at + n);
        if (!class_has(c, CLASS_ALNUM) && c != '-' && !(international && c >= 0x80))
            break;
    }
    while (n > 0 && n <= LABEL_MAX && v->bytes[at + n - 1] == '-')
        n--;
    return n <= LABEL_MAX && n > 0 && v->bytes[at] != '-' ? n : 0;
}

/* Where the domain ends, or 0: at least two labels, the last one a top-level domain; two labels of digits
 * before it are a version (4.17.21.zip). */
static size_t domain_end(struct detect_view *v, size_t at, bool international)
{
    size_t end = 0, labels = 0, versions = 0;

    for (size_t next = at; next - at < DOMAIN_MAX;) {
        size_t n = label_length(v, next, international);
        if (n == 0)
            break;
        size_t digits = 0;
        while (digits < n && class_has(v->bytes[next + digits], CLASS_DIGIT))
            digits++;
        if (labels > 0 && versions < 2 && next + n <= v->n && is_top_level(v->bytes + next, n))
            end = next + n;
        versions += digits == n;
        labels++;
        if (view_at(v, next + n) != '.')
            break;
        next += n + 1;
    }
    return end;
}

/* What stands before an @ is not the name of a mailbox but of a URL's user, or git's. */
static bool is_user_of_url(struct detect_view *v, size_t start, size_t at, size_t end)
{
    int behind;

    if (view_before(v, start, 1) == '/' && view_before(v, start, 2) == '/')
        return true;
    if (view_before(v, start, 1) == ':')
        for (size_t i = 2; i < USER_MAX; i++) {
            int c = view_before(v, start, i);
            if (c == '/' && view_before(v, start, i + 1) == '/' && view_before(v, start, i + 2) == ':')
                return true;
            if (c <= ' ' || c == '/' || c == '"' || c == '\'' || c == '@')
                break;
        }
    if (at - start != 3 || memcmp(v->bytes + start, "git", 3) != 0)
        return false;
    behind = view_at(v, end);
    return behind == ':' || behind == '/';
}

/* Text without blanks between words (CJK, U+0800 and up) is not part of an address that is written in ASCII
 * or in an alphabet of two-byte characters. */
static size_t behind_other_script(const struct detect_view *v, size_t start, size_t at)
{
    for (size_t i = at; i > start && class_has(v->bytes[at - 1], CLASS_ALNUM); i--) {
        size_t first = i - 1;
        while (first > start && (v->bytes[first] & 0xc0) == 0x80)
            first--;
        if (v->bytes[first] >= 0xe0 || (v->bytes[first] & 0xc0) == 0x80)
            return i;
        i = first + 1;
    }
    return start;
}

/* `at` is the @. */
bool recognise_email(struct detect_view *v, size_t at, struct detect_span *ret)
{
    size_t start = behind_other_script(v, email_origin(v, at), at);

    while (start < at && !class_has(v->bytes[start], CLASS_ALNUM) && v->bytes[start] != '_' &&
           (v->bytes[start] & 0xc0) != 0xc0)
        start++; /* dots and the like at the beginning, half a character of UTF-8 */
    if (!text_is_utf8(v->bytes + start, at - start))
        for (size_t i = start; i < at; i++)
            if (v->bytes[i] >= 0x80)
                start = i + 1; /* Latin-1, or no text at all: what is ASCII counts */
    if (start == at || v->bytes[at - 1] == '.')
        return false;
    size_t end = domain_end(v, at + 1, false);
    if (end == 0) {
        end = domain_end(v, at + 1, true);
        if (end > 0 && !text_is_utf8(v->bytes + at + 1, end - at - 1))
            end = 0;
    }
    if (end == 0 || v->starved || is_user_of_url(v, start, at, end))
        return false;
    ret->start = start;
    ret->end = end;
    return true;
}

static bool is_url_break(int c)
{
    return c <= ' ' || c == '/' || c == '"' || c == '<' || c == '>' || c == '`' || c == '\\' || c == 0x7f;
}

/* ${PASSWORD}, {{ password }}, %s, ***: somebody else has hidden it already. */
static bool is_placeholder(const uint8_t *password, size_t n)
{
    size_t stars = 0;

    while (stars < n && password[stars] == '*')
        stars++;
    if (stars == n)
        return true;
    return n > 1 &&
           ((password[0] == '$' && (password[1] == '{' || password[1] == '(')) ||
            (password[0] == '{' && password[1] == '{') || (n == 2 && memcmp(password, "%s", 2) == 0));
}

/* `at` is the "://"; user:password@ follows. Of several @ the last one before the path counts. */
bool recognise_url_password(struct detect_view *v, size_t at, struct detect_span *ret)
{
    size_t user = at + 3, colon = 0, end = 0, i;
    int c = 0;

    if (!class_has(view_before(v, at, 1), CLASS_ALNUM))
        return false;
    for (i = user; i <= user + USER_MAX; i++) {
        c = view_at(v, i);
        if (is_url_break(c) || c == '@' || c == '[')
            return false;
        if (c == ':')
            break;
    }
    if (c != ':')
        return false;
    colon = i;
    for (i = colon + 1; i <= colon + 1 + PASSWORD_MAX; i++) {
        c = view_at(v, i);
        if (c == '@')
            end = i;
        if (is_url_break(c) || (end && (c == ',' || c == '\'' || c == '?' || c == '#')))
            break;
        /* A port, and the next host of a list */
        if (c == ',' && end == 0 && i - colon <= 6) {
            size_t k = colon + 1;
            while (k < i && class_has(v->bytes[k], CLASS_DIGIT))
                k++;
            if (k == i)
                return false;
        }
    }
    int host = end ? view_at(v, end + 1) : -1;
    if (v->starved || end <= colon + 1 || is_placeholder(v->bytes + colon + 1, end - colon - 1))
        return false;
    if (!class_has(host, CLASS_ALNUM) && host != '[' && host != '/' && host != '%' && host != '$' &&
        host < 0x80)
        return false;
    ret->start = colon + 1;
    ret->end = end;
    return true;
}
