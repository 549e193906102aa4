/* Keys of AWS and Google Cloud. */
#include <string.h>
#include "policy/detect_parts.h"

enum {
    AWS_ID = 20,
    AWS_SECRET = 40,
    AWS_NAME_GAP = 64, /* bytes from the name of a secret key to its value */
    AWS_PAIR_GAP = 64, /* between the two of a pair */
    GCP_API = 39,
    GCP_SECRET = 35,
    GCP_OAUTH_MIN = 20,
    GCP_KEY_ID = 40,
    GCP_NAME_GAP = 8,
};

/* Bytes of one of these classes in a row, counted up to max + 1. */
static size_t run_at(struct detect_view *v, size_t at, unsigned class, size_t max)
{
    size_t n = 0;

    while (n <= max && class_has(view_at(v, at + n), class))
        n++;
    return n;
}

static bool accept(struct detect_view *v, size_t start, size_t end, struct detect_span *ret)
{
    ret->start = start;
    ret->end = end;
    return !v->starved;
}

/* AKIA (long-lived), ASIA (temporary), ABIA, ACCA: 20 capitals and digits in all. */
bool recognise_aws_id(struct detect_view *v, size_t at, struct detect_span *ret)
{
    int before = view_before(v, at, 1);

    if (class_has(before, CLASS_ALNUM) || run_at(v, at, CLASS_UPPER | CLASS_DIGIT, AWS_ID) != AWS_ID)
        return false;
    return !class_has(view_at(v, at + AWS_ID), CLASS_ALNUM) && accept(v, at, at + AWS_ID, ret);
}

/* 40 bytes of base64 that are no hash in hex, no path and no word: letters of both cases and a digit. */
static bool is_aws_secret(struct detect_view *v, size_t at)
{
    unsigned seen = 0;

    if (run_at(v, at, CLASS_BASE64, AWS_SECRET) != AWS_SECRET)
        return false;
    for (size_t i = 0; i < AWS_SECRET && at + i < v->n; i++)
        seen |= detect_class[v->bytes[at + i]];
    return (seen & CLASS_ALNUM) == CLASS_ALNUM;
}

/* The first secret that begins in bytes[at..limit). Whole runs of base64 are looked at, so that nothing is
 * taken out of the middle of a longer one; a = before the value (key=VALUE) is not part of it. */
static bool find_aws_secret(struct detect_view *v, size_t at, size_t limit, struct detect_span *ret)
{
    while (at < limit) {
        size_t n = run_at(v, at, CLASS_BASE64, AWS_SECRET), equals = 0;
        if (v->starved || (n == 0 && view_at(v, at) < 0))
            return false;
        if (n == AWS_SECRET && is_aws_secret(v, at))
            return accept(v, at, at + AWS_SECRET, ret);
        while (equals < n && v->bytes[at + equals] != '=')
            equals++;
        if (equals < n) {
            at += equals + 1;
            continue;
        }
        at += n ? n : 1;
        while (n > 0 && at < limit && class_has(view_at(v, at), CLASS_BASE64) && v->bytes[at] != '=')
            at++;
    }
    return false;
}

/* `at` is in the name of the key; the value follows behind blanks, =, : and quotation marks. */
bool recognise_aws_secret(struct detect_view *v, size_t at, struct detect_span *ret)
{
    return find_aws_secret(v, at, at + AWS_NAME_GAP, ret);
}

/* An access key id with its secret next to it, as in the CSV file that AWS lets people download; `at` is the
 * id. */
bool recognise_aws_pair(struct detect_view *v, size_t at, struct detect_span *ret)
{
    struct detect_span id = { 0 };

    return recognise_aws_id(v, at, &id) && find_aws_secret(v, id.end, id.end + AWS_PAIR_GAP, ret);
}

/* AIza and 35 more. */
bool recognise_gcp_api(struct detect_view *v, size_t at, struct detect_span *ret)
{
    if (class_has(view_before(v, at, 1), CLASS_TOKEN) || run_at(v, at, CLASS_TOKEN, GCP_API) != GCP_API)
        return false;
    return accept(v, at, at + GCP_API, ret);
}

/* GOCSPX- and 28 more: the secret of an OAuth client. */
bool recognise_gcp_secret(struct detect_view *v, size_t at, struct detect_span *ret)
{
    if (class_has(view_before(v, at, 1), CLASS_TOKEN) || run_at(v, at, CLASS_TOKEN, GCP_SECRET) != GCP_SECRET)
        return false;
    return accept(v, at, at + GCP_SECRET, ret);
}

/* ya29.…: an access token. */
bool recognise_gcp_oauth(struct detect_view *v, size_t at, struct detect_span *ret)
{
    size_t start = at + strlen("ya29.");

    if (class_has(view_before(v, at, 1), CLASS_TOKEN) ||
        run_at(v, start, CLASS_TOKEN, GCP_OAUTH_MIN - 1) != GCP_OAUTH_MIN)
        return false;
    ret->tail = TAIL_DOTTED;
    return accept(v, at, start + GCP_OAUTH_MIN, ret);
}

/* "private_key_id": "40 digits of hex" of a service account's file. Its private_key is found as such. */
bool recognise_gcp_key_id(struct detect_view *v, size_t at, struct detect_span *ret)
{
    size_t start = at + strlen("private_key_id"), limit = start + GCP_NAME_GAP, n = 0;
    int c;

    while (start < limit && (c = view_at(v, start)) >= 0 &&
           (c == '"' || c == ':' || c == '=' || c == ' ' || c == '\\'))
        start++;
    for (; n <= GCP_KEY_ID; n++) {
        c = view_at(v, start + n);
        if (!class_has(c, CLASS_DIGIT) && !(c >= 'a' && c <= 'f'))
            break;
    }
    return n == GCP_KEY_ID && accept(v, start, start + n, ret);
}
