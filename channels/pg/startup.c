/* The startup packet is the only part of a connection that a peer may fill with anything before the protocol
 * is even known, so every byte is doubted: what is obviously another protocol is named in the log, a length
 * is believed up to the server's own limit. User and database are the target's, never the client's; every
 * other word of the client is a setting from a fixed list, or refused by its name: what is not passed on must
 * not be dropped silently. */
#include "channels/pg/startup.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "base/text.h"
#include "channels/pg/settings.h"

enum {
    CODE_CANCEL = 1234 << 16 | 5678,
    CODE_SSL = 1234 << 16 | 5679,
    CODE_GSS = 1234 << 16 | 5680,
    WORD = 4,
};

/* What else people tunnel; by the first bytes. NULL when it may still be PostgreSQL. */
static const char *foreign_name(const uint8_t *bytes, size_t n)
{
    static const struct {
        const char *prefix;
        size_t n;
        const char *name;
    } known[] = {
        { "\x16\x03", 2, "TLS" },   { "SSH-", 4, "SSH" },       { "GET ", 4, "HTTP" },
        { "POST", 4, "HTTP" },      { "HEAD", 4, "HTTP" },      { "PUT ", 4, "HTTP" },
        { "CONN", 4, "HTTP" },      { "OPTI", 4, "HTTP" },      { "DELE", 4, "HTTP" },
        { "PRI ", 4, "HTTP/2" },    { "\x05\x01", 2, "SOCKS" }, { "\x05\x02", 2, "SOCKS" },
        { "\x04\x01", 2, "SOCKS" },
    };
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (n >= known[i].n && memcmp(bytes, known[i].prefix, known[i].n) == 0)
            return known[i].name;
    }
    return NULL;
}

static int refuse(struct detail *detail, const char *what, const char *name)
{
    char shown[128];
    text_escape(shown, sizeof(shown), name, strlen(name), false);
    return detail_fail(detail, STARTUP_REFUSED, "%s: %s", what, shown);
}

static int put_option(struct startup *s, char *name, char *value, struct detail *detail)
{
    if (!setting_may_start(name))
        return refuse(detail, "this setting can't be brought along at connection start", name);
    if (!text_is_utf8(value, strlen(value)))
        return refuse(detail, "the value of this setting is not valid UTF-8", name);
    if (strcasecmp(name, "client_encoding") == 0 && setting_encoding(value) == TEXT_UNSAFE)
        return refuse(detail, "statements can't be inspected in this client_encoding, use UTF8", value);
    if (strcasecmp(name, "standard_conforming_strings") == 0 && !setting_is_on(value))
        return refuse(detail, "this setting has to stay on", name);
    size_t at = 0;
    while (at < s->n_options && strcasecmp(s->items[at].name, name) != 0)
        at++;
    if (at == STARTUP_OPTIONS_MAX)
        return detail_fail(detail, STARTUP_REFUSED, "too many settings at connection start (limit %d)",
                           STARTUP_OPTIONS_MAX);
    ipc__variable__init(&s->items[at]);
    s->items[at].name = name;
    s->items[at].value = value;
    s->options[at] = &s->items[at];
    if (at == s->n_options)
        s->n_options++;
    return 0;
}

/* The next word of an `options` string, unescaped in place as the server does it (pg_split_opts); NULL at the
 * end. */
static char *next_word(char **at)
{
    static const char blanks[] = " \t\n\r\f\v";
    char *in = *at + strspn(*at, blanks), *word = in, *out = in;
    if (!*in)
        return NULL;
    while (*in && !strchr(blanks, *in)) {
        if (*in == '\\' && in[1])
            in++;
        *out++ = *in++;
    }
    *at = *in ? in + 1 : in;
    *out = 0;
    return word;
}

/* -c name=value, -cname=value, --name=value; '-' in a name means '_'. */
static int read_options(struct startup *s, const char *text, struct detail *detail)
{
    if (s->unescaped)
        return detail_fail(detail, STARTUP_REFUSED, "options may be given only once");
    s->unescaped = strdup(text);
    if (!s->unescaped)
        return -ENOMEM;
    char *at = s->unescaped, *word = NULL;
    int r = 0;
    while (r == 0 && (word = next_word(&at))) {
        char *setting = NULL;
        if (strcmp(word, "-c") == 0)
            setting = next_word(&at);
        else if (strncmp(word, "-c", 2) == 0 || strncmp(word, "--", 2) == 0)
            setting = word + 2;
        char *value = setting ? strchr(setting, '=') : NULL;
        if (!value)
            return refuse(detail, "only -c NAME=VALUE is understood in options", word);
        *value++ = 0;
        for (char *c = setting; *c; c++)
            *c = (char)(*c == '-' ? '_' : *c);
        r = put_option(s, setting, value, detail);
    }
    return r;
}

static bool is_off(const char *value)
{
    return strcasecmp(value, "off") == 0 || strcasecmp(value, "false") == 0 || strcasecmp(value, "no") == 0 ||
           strcmp(value, "0") == 0;
}

static int read_parameter(struct startup *s, char *name, char *value, struct detail *detail)
{
    if (strncmp(name, "_pq_.", 5) == 0) {
        if (s->n_unknown == STARTUP_OPTIONS_MAX)
            return detail_fail(detail, STARTUP_REFUSED, "too many protocol extensions (limit %d)",
                               STARTUP_OPTIONS_MAX);
        s->unknown[s->n_unknown++] = name;
        s->negotiate = true;
        return 0;
    }
    if (strcmp(name, "user") == 0 || strcmp(name, "database") == 0 || strcmp(name, "options") == 0)
        return 0;
    if (strcmp(name, "replication") == 0)
        return is_off(value) ? 0 : refuse(detail, "replication connections can't be inspected", value);
    return put_option(s, name, value, detail);
}

/* Calls for each name and value; `options` first, since the server lets the others win. */
static int read_parameters(struct startup *s, struct reader body, struct detail *detail)
{
    struct reader again = body;
    const char *name = NULL, *value = NULL;
    bool user = false;
    int r = 0;
    while (r == 0 && reader_cstring(&again, &name) && *name && reader_cstring(&again, &value)) {
        user = user || (strcmp(name, "user") == 0 && *value);
        if (strcmp(name, "options") == 0)
            r = read_options(s, value, detail);
    }
    if (r)
        return r;
    if (again.failed || !name || *name || !reader_done(&again))
        return detail_fail(detail, STARTUP_REFUSED, "invalid startup packet layout");
    if (!user)
        return detail_fail(detail, STARTUP_REFUSED, "no PostgreSQL user name specified in startup packet");
    while (r == 0 && reader_cstring(&body, &name) && *name && reader_cstring(&body, &value))
        r = read_parameter(s, (char *)(uintptr_t)name, (char *)(uintptr_t)value, detail);
    return r;
}

static int read_session(struct startup *s, uint32_t version, struct reader body, struct detail *detail)
{
    static char scs[] = "standard_conforming_strings", on[] = "on";
    s->kind = STARTUP_SESSION;
    if (version >> 16 != 3)
        return detail_fail(detail, STARTUP_REFUSED,
                           "unsupported frontend protocol %u.%u: only 3.0 is spoken here", version >> 16,
                           version & 0xffff);
    s->negotiate = (version & 0xffff) > 0;
    size_t n = reader_left(&body);
    s->packet = malloc(n + 1);
    if (!s->packet)
        return -ENOMEM;
    memcpy(s->packet, body.next, n);
    int r = read_parameters(s, reader_of(s->packet, n), detail);
    return r ? r : put_option(s, scs, on, detail);
}

static int read_packet(struct startup *s, uint32_t code, struct reader body, struct detail *detail)
{
    const uint8_t *key = NULL;
    if (code == CODE_SSL || code == CODE_GSS) {
        s->kind = STARTUP_ENCRYPTION;
        return reader_done(&body)
                   ? 0
                   : detail_fail(detail, STARTUP_FOREIGN, "encryption request of a wrong length");
    }
    if (code != CODE_CANCEL)
        return read_session(s, code, body, detail);
    s->kind = STARTUP_CANCEL;
    if (!reader_u32(&body, &s->cancel_pid) || reader_left(&body) == 0 || reader_left(&body) > PG_KEY_MAX)
        return detail_fail(detail, STARTUP_FOREIGN, "cancel request of a wrong length");
    s->cancel_key_n = reader_left(&body);
    if (!reader_bytes(&body, s->cancel_key_n, &key))
        return -EINVAL;
    memcpy(s->cancel_key, key, s->cancel_key_n);
    return 0;
}

int startup_read(const uint8_t *bytes, size_t n, struct startup *ret, struct detail *detail)
{
    struct reader r = reader_of(bytes, n);
    uint32_t size = 0, code = 0;
    const uint8_t *body = NULL;
    const char *foreign = foreign_name(bytes, n);
    if (foreign)
        return detail_fail(detail, STARTUP_FOREIGN, "the stream is %s, not PostgreSQL", foreign);
    if (!reader_u32(&r, &size))
        return STARTUP_SHORT;
    if (size < 2 * WORD || size > STARTUP_PACKET_MAX)
        return detail_fail(detail, STARTUP_FOREIGN,
                           "the stream is not PostgreSQL: its startup packet claims %u bytes", size);
    if (!reader_u32(&r, &code) || !reader_bytes(&r, size - 2 * WORD, &body))
        return STARTUP_SHORT;
    struct startup startup = { .size = size };
    int result = read_packet(&startup, code, reader_of(body, size - 2 * WORD), detail);
    if (result) {
        startup_free(&startup);
        return result;
    }
    *ret = startup;
    for (size_t i = 0; i < ret->n_options; i++)
        ret->options[i] = &ret->items[i];
    return 0;
}

void startup_free(struct startup *s)
{
    free(s->packet);
    free(s->unescaped);
    s->packet = s->unescaped = NULL;
}
