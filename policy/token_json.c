/* The two encodings of a token's parts, read more strictly than cjose does: what is signed is a text, and no
 * two readers may take it for different things (RFC 8725 §3.1, §2.6). */
#include "policy/token_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

static int value_of(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '-' ? 62 : c == '_' ? 63 : -1;
}

int token_from_base64url(const char *text, size_t n, uint8_t **ret, size_t *ret_n)
{
    CLEANUP(free) uint8_t *out = malloc(n / 4 * 3 + 4);
    size_t length = 0;
    uint32_t bits = 0;
    unsigned held = 0;

    if (!out)
        return -ENOMEM;
    if (n % 4 == 1)
        return -EBADMSG;
    for (size_t i = 0; i < n; i++) {
        int value = value_of(text[i]);

        if (value < 0)
            return -EBADMSG;
        bits = bits << 6 | (uint32_t)value;
        held += 6;
        if (held >= 8) {
            held -= 8;
            out[length++] = (uint8_t)(bits >> held);
            bits &= (1U << held) - 1;
        }
    }
    if (bits)
        return -EBADMSG; /* bits that stand for nothing */
    out[length] = '\0';
    *ret = STEAL(out);
    *ret_n = length;
    return 0;
}

/* jansson goes 2,048 levels deep, by recursion. */
static bool is_too_deep(const char *bytes, size_t n)
{
    size_t depth = 0;
    bool in_string = false;

    for (size_t i = 0; i < n; i++) {
        char c = bytes[i];

        if (in_string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{' || c == '[') {
            if (++depth > TOKEN_JSON_DEPTH_MAX)
                return true;
        } else if ((c == '}' || c == ']') && depth > 0) {
            depth--;
        }
    }
    return false;
}

/* jansson's own texts quote what they read. */
static const char *fault_text(const json_error_t *error)
{
    switch (json_error_code(error)) {
    case json_error_duplicate_key:
        return "has two members of the same name";
    case json_error_numeric_overflow:
        return "has a number that is too large";
    case json_error_invalid_utf8:
        return "is not UTF-8";
    default:
        return "is not JSON";
    }
}

int token_json(const char *bytes, size_t n, const char *what, json_t **ret, struct detail *detail)
{
    CLEANUP(json_decref) json_t *json = NULL;
    json_error_t error;

    if (is_too_deep(bytes, n))
        return detail_fail(detail, TOKEN_MALFORMED, "%s is nested too deeply", what);
    json = json_loadb(bytes, n, JSON_REJECT_DUPLICATES, &error);
    if (!json && json_error_code(&error) == json_error_out_of_memory)
        return -ENOMEM;
    if (!json)
        return detail_fail(detail, TOKEN_MALFORMED, "%s %s", what, fault_text(&error));
    if (!json_is_object(json))
        return detail_fail(detail, TOKEN_MALFORMED, "%s is not a JSON object", what);
    *ret = STEAL(json);
    return 0;
}

const char *token_shown(char out[TOKEN_SHOWN_MAX], const char *text)
{
    return text_escape(out, TOKEN_SHOWN_MAX, text, strlen(text), false);
}
