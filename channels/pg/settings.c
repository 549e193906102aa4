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
    static const char *const guarded[] = { "client_encoding", "standard_conforming_strings", "names", NULL };
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

enum { WORDS_MAX = 5, WORD_MAX = 48 };

/* Splits into words; quotes around a word and a final semicolon are dropped. False for anything else than
 * words, '=' and white space, or when there are too many. */
static bool split_words(const char *sql, size_t n, char words[WORDS_MAX][WORD_MAX], size_t *ret_n)
{
    static const char blanks[] = " \t\r\n\f\v";
    size_t count = 0, at = 0;
    while (n > 0 && (strchr(blanks, sql[n - 1]) || sql[n - 1] == ';'))
        n--;
    while (at < n) {
        if (strchr(blanks, sql[at])) {
            at++;
            continue;
        }
        char quote = sql[at] == '\'' || sql[at] == '"' ? sql[at++] : 0;
        size_t used = 0;
        if (count == WORDS_MAX)
            return false;
        if (!quote && sql[at] == '=')
            words[count][used++] = sql[at++];
        else
            while (at < n && (isalnum((unsigned char)sql[at]) || sql[at] == '_' || sql[at] == '-') &&
                   used + 1 < WORD_MAX)
                words[count][used++] = sql[at++];
        words[count++][used] = 0;
        if (used == 0 || (quote && (at >= n || sql[at++] != quote)))
            return false;
    }
    *ret_n = count;
    return true;
}

static bool is_word(const char *word, const char *a, const char *b)
{
    return strcasecmp(word, a) == 0 || strcasecmp(word, b) == 0;
}

bool setting_statement_is_harmless(const char *sql, size_t n)
{
    char words[WORDS_MAX][WORD_MAX];
    size_t count = 0;
    if (!split_words(sql, n, words, &count) || count < 2)
        return false;
    if (is_word(words[0], "show", "reset"))
        return count == 2;
    size_t name = is_word(words[1], "session", "local") ? 2 : 1;
    if (!is_word(words[0], "set", "set"))
        return false;
    if (count == name + 2 && is_word(words[name], "names", "names"))
        return setting_encoding(words[name + 1]) == TEXT_UTF8;
    if (count != name + 3 || !is_word(words[name + 1], "to", "="))
        return false;
    if (is_word(words[name], "client_encoding", "client_encoding"))
        return setting_encoding(words[name + 2]) == TEXT_UTF8;
    return is_word(words[name], "standard_conforming_strings", "standard_conforming_strings") &&
           setting_is_on(words[name + 2]);
}
