/* The parser and the server must read the same bytes: with standard_conforming_strings=off, or in an encoding
 * whose second byte may be a backslash (SJIS, BIG5, GBK, GB18030, UHC, JOHAB), a statement can hide in what
 * the parser takes for a string. So these two are fixed at login, watched in ParameterStatus, and no
 * statement may change them to anything that is not known to be harmless: a statement pipelined behind it
 * would be read by the old rules. */
#include "channels/pg/settings.h"
#include <ctype.h>
#include <string.h>
#include <strings.h>

static bool is_listed(const char *name, const char *const *list)
{
    for (; *list; list++) {
        if (strcasecmp(name, *list) == 0)
            return true;
    }
    return false;
}

bool setting_may_start(const char *name)
{
    static const char *const allowed[] = {
        "application_name",
        "client_encoding",
        "DateStyle",
        "TimeZone",
        "IntervalStyle",
        "search_path",
        "statement_timeout",
        "lock_timeout",
        "idle_in_transaction_session_timeout",
        "idle_session_timeout",
        "extra_float_digits",
        "bytea_output",
        "geqo",
        "jit",
        "client_min_messages",
        "default_transaction_isolation",
        "default_transaction_read_only",
        "standard_conforming_strings",
        NULL,
    };
    return is_listed(name, allowed);
}

bool setting_is_guarded(const char *name)
{
    static const char *const guarded[] = { "client_encoding", "standard_conforming_strings",
                                           "backslash_quote", NULL };
    return is_listed(name, guarded);
}

/* As the server does it (clean_encoding_name): letters and digits only, in lower case. */
static void clean_name(char *out, size_t size, const char *name, size_t n)
{
    size_t used = 0;
    for (size_t i = 0; i < n && used + 1 < size; i++) {
        if (isalnum((unsigned char)name[i]))
            out[used++] = (char)tolower((unsigned char)name[i]);
    }
    out[used] = 0;
}

enum text_kind setting_encoding(const char *client_encoding)
{
    static const char *const utf8[] = { "utf8", "unicode", "sqlascii", NULL };
    static const char *const single_byte[] = {
        "latin1",      "latin2",      "latin3",      "latin4",      "latin5",      "latin6",
        "latin7",      "latin8",      "latin9",      "latin10",     "iso88591",    "iso88592",
        "iso88593",    "iso88594",    "iso88595",    "iso88596",    "iso88597",    "iso88598",
        "iso88599",    "iso885910",   "iso885913",   "iso885914",   "iso885915",   "iso885916",
        "koi8",        "koi8r",       "koi8u",       "win866",      "win874",      "win1250",
        "win1251",     "win1252",     "win1253",     "win1254",     "win1255",     "win1256",
        "win1257",     "win1258",     "windows866",  "windows874",  "windows1250", "windows1251",
        "windows1252", "windows1253", "windows1254", "windows1255", "windows1256", "windows1257",
        "windows1258", NULL,
    };
    char name[32];
    clean_name(name, sizeof(name), client_encoding, strlen(client_encoding));
    if (is_listed(name, utf8))
        return TEXT_UTF8;
    return is_listed(name, single_byte) ? TEXT_ASCII : TEXT_UNSAFE;
}

bool setting_is_on(const char *value)
{
    static const char *const on[] = { "on", "true", "yes", "1", "t", "y", NULL };
    return is_listed(value, on);
}
