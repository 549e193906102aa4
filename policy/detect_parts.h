/* Shared by the files of detect: what recognisers see and say. */
#pragma once
#include "policy/detect.h"

enum detect_builtin {
    BUILTIN_EMAIL,
    BUILTIN_CREDIT_CARD,
    BUILTIN_US_SSN,
    BUILTIN_IBAN,
    BUILTIN_JWT,
    BUILTIN_AWS_KEY,
    BUILTIN_GCP_KEY,
    BUILTIN_GITHUB_TOKEN,
    BUILTIN_SLACK_TOKEN,
    BUILTIN_STRIPE_KEY,
    BUILTIN_PRIVATE_KEY,
    BUILTIN_URL_PASSWORD,
    BUILTIN_BEARER_TOKEN,
    BUILTIN_COUNT,
};

/* -1: there is none of that name. */
int detect_builtin_find(const char *name);

enum {
    DETECT_BACK_MAX = 64,     /* bytes that a match may begin before the place that points at it */
    DETECT_BEHIND_MAX = 256,  /* bytes before a match that a recogniser may look at */
    DETECT_DIGITS_AHEAD = 64, /* bytes that decide whether digits may begin a number */
    DETECT_PIECE = 16 * 1024, /* bytes that are searched in one go */
    DETECT_LITERAL_MAX = 32,
};

/* A window of the bytes. What is behind it may still come, unless it has ended. */
struct detect_view {
    const uint8_t *bytes;
    size_t n;
    bool ended;
    bool starved; /* somebody asked for what has not come yet: the answer does not count */
};

/* The byte at i; -1 behind the last one. */
static inline int view_at(struct detect_view *v, size_t i)
{
    if (i < v->n)
        return v->bytes[i];
    v->starved = v->starved || !v->ended;
    return -1;
}

/* The byte `back` before i; -1 before the first one. */
static inline int view_before(const struct detect_view *v, size_t i, size_t back)
{
    return i >= back ? v->bytes[i - back] : -1;
}

/* A match that goes on for as long as bytes of its kind follow, without an end to wait for. */
enum detect_tail {
    TAIL_NONE,
    TAIL_TOKEN,     /* letters, digits, _ and - */
    TAIL_DOTTED,    /* and dots between them: JWT, bearer tokens, with + / = ~ */
    TAIL_KEY_BLOCK, /* up to the END line, see detect_key.c */
};

struct detect_span {
    size_t start, end; /* of a tail: so far */
    uint16_t detector;
    enum detect_tail tail;
    size_t at; /* the place that pointed at it: before, in, or behind its beginning */
};

/* Sees what is at `at` and says whether it is a match: fills start, end and tail. Looks no further back than
 * DETECT_BEHIND_MAX, and in sum no further ahead than DETECT_HOLD_MAX allows. */
typedef bool detect_recognise(struct detect_view *v, size_t at, struct detect_span *ret);

/* Bytes that point at a match. */
struct detect_anchor {
    const char *literal;
    bool caseless;
    enum detect_builtin builtin;
    detect_recognise *recognise;
};
extern const struct detect_anchor detect_anchors[];
extern const size_t detect_anchors_count;

/* A place that may hold a match. */
struct detect_found {
    size_t at;
    size_t end; /* of a pattern's match; or 0 */
    uint16_t detector;
    uint16_t form; /* order among those of one place */
    detect_recognise *recognise;
    bool reaches_back; /* begins up to DETECT_BACK_MAX before `at` */
};

/* Sets of bytes. */
struct byte_set {
    uint64_t bits[4];
};
static inline bool byte_set_has(const struct byte_set *set, uint8_t c)
{
    return set->bits[c >> 6] >> (c & 63) & 1;
}
static inline void byte_set_add(struct byte_set *set, uint8_t c)
{
    set->bits[c >> 6] |= (uint64_t)1 << (c & 63);
}

/* Classes of bytes, as bits of detect_class[]. */
enum {
    CLASS_DIGIT = 1,
    CLASS_UPPER = 2,
    CLASS_LOWER = 4,
    CLASS_LOCAL = 8,   /* may be part of what stands before the @ of an address */
    CLASS_NUMBER = 16, /* digits, capitals, blanks and hyphens: what card numbers, SSN and IBAN are made of */
    CLASS_TOKEN = 32,  /* letters, digits, _ and - */
    CLASS_DOTTED = 64, /* and . + / = ~ */
    CLASS_BASE64 = 128,
    CLASS_ALNUM = CLASS_DIGIT | CLASS_UPPER | CLASS_LOWER,
};
extern const uint8_t detect_class[256];
static inline bool class_has(int c, unsigned class)
{
    return c >= 0 && (detect_class[c] & class) != 0;
}

/* Recognisers, by the file that holds them. */
detect_recognise recognise_email, recognise_url_password;                            /* detect_address.c */
detect_recognise recognise_card, recognise_ssn, recognise_ssn_named, recognise_iban; /* detect_number.c */
/* Whatever stands before and behind. */
detect_recognise recognise_iban_inside;
detect_recognise recognise_aws_id, recognise_aws_secret, recognise_aws_pair; /* detect_cloud.c */
detect_recognise recognise_gcp_api, recognise_gcp_oauth, recognise_gcp_secret, recognise_gcp_key_id;
detect_recognise recognise_github_classic, recognise_github_fine, recognise_slack, recognise_slack_hook,
    recognise_stripe, recognise_stripe_hook;      /* detect_service.c */
detect_recognise recognise_jwt, recognise_bearer; /* detect_bearer.c */
detect_recognise recognise_private_key;           /* detect_key.c */

size_t email_origin(const struct detect_view *v, size_t at); /* where the part before the @ begins */

/* Validators. */
bool number_is_luhn(const uint8_t *bytes, size_t n); /* digits; others are skipped */
bool number_is_iban(const uint8_t *bytes, size_t n); /* blanks are skipped */
bool number_is_ssn(const uint8_t *bytes, size_t n);
/* Whether one begins right here, whatever stands before and behind it; a card's digits end with the run, or
 * DETECT_FRAME bytes before its end. */
bool number_holds_card(const uint8_t *bytes, size_t n);
bool number_holds_ssn(const uint8_t *bytes, size_t n, bool named);
typedef bool detect_validator(const uint8_t *bytes, size_t n);
bool detect_validator_find(const char *name, detect_validator **ret); /* *ret is NULL for "none" */

/* Runs of digits that may be a number of the kinds (bits by enum detect_builtin): calls put for each, in
 * order. Loose (from 0): whatever stands before and behind, and behind DETECT_FRAME digits more. Stops when
 * put returns false. */
struct detectors;
typedef bool digits_put(struct detectors *d, enum detect_builtin kind, size_t at);
void digits_search(const uint8_t *bytes, size_t from, size_t n, unsigned kinds, bool loose, digits_put *put,
                   struct detectors *d);

/* The state of an open match, and how it ends. */
struct detect_open {
    enum detect_tail tail;
    size_t idle, run; /* of TAIL_KEY_BLOCK */
};
/* The first byte at or behind `at` that does not belong to it any more, or that can't be told yet (starved).
 */
size_t tail_end(struct detect_view *v, size_t at, struct detect_open *open, bool *ret_over);

/* A detector of the configuration, read. */
struct detect_user {
    struct byte_set alphabet; /* every byte that a match can hold, and maybe others */
    /* The pattern without \b, ^, $ …: what stands beside a match does not matter to it. NULL when it can't be
     * had: then nothing is surely clean. */
    char *loose;
    unsigned width;
    detect_validator *validator;
};
/* loose is the caller's to free. */
int detect_user_read(const struct detect_pattern *pattern, struct detect_user *ret, struct detail *why,
                     size_t *ret_at);
