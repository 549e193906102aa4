/* Detectors come from three sources, which detect_search.c brings into one order:
 * - anchors: literals that the engine finds at memory speed; a recogniser written in C looks at what is
 * around;
 * - numbers: shapes of digits (detect_digits.c), then a recogniser;
 * - patterns of the configuration, which the engine matches as they are.
 * A recogniser sees a window of the bytes and is told when it asked for a byte that has not come yet. So the
 * answer is the same for every split, without a state of its own for each stream. */
#include "policy/detect_search.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

const struct detect_anchor detect_anchors[] = {
    { "@", false, BUILTIN_EMAIL, recognise_email },
    { "://", false, BUILTIN_URL_PASSWORD, recognise_url_password },
    { "ssn", true, BUILTIN_US_SSN, recognise_ssn_named },
    { "social security", true, BUILTIN_US_SSN, recognise_ssn_named },
    { "social_security", true, BUILTIN_US_SSN, recognise_ssn_named },
    { "eyJ", false, BUILTIN_JWT, recognise_jwt },
    { "bearer ", true, BUILTIN_BEARER_TOKEN, recognise_bearer },
    { "AKIA", false, BUILTIN_AWS_KEY, recognise_aws_id },
    { "AKIA", false, BUILTIN_AWS_KEY, recognise_aws_pair },
    { "ASIA", false, BUILTIN_AWS_KEY, recognise_aws_id },
    { "ASIA", false, BUILTIN_AWS_KEY, recognise_aws_pair },
    { "ABIA", false, BUILTIN_AWS_KEY, recognise_aws_id },
    { "ACCA", false, BUILTIN_AWS_KEY, recognise_aws_id },
    { "aws_secret", true, BUILTIN_AWS_KEY, recognise_aws_secret },
    { "secret_access_key", true, BUILTIN_AWS_KEY, recognise_aws_secret },
    { "secret-access-key", true, BUILTIN_AWS_KEY, recognise_aws_secret },
    { "secretaccesskey", true, BUILTIN_AWS_KEY, recognise_aws_secret },
    { "secret access key", true, BUILTIN_AWS_KEY, recognise_aws_secret },
    { "AIza", false, BUILTIN_GCP_KEY, recognise_gcp_api },
    { "GOCSPX-", false, BUILTIN_GCP_KEY, recognise_gcp_secret },
    { "ya29.", false, BUILTIN_GCP_KEY, recognise_gcp_oauth },
    { "private_key_id", false, BUILTIN_GCP_KEY, recognise_gcp_key_id },
    { "ghp_", false, BUILTIN_GITHUB_TOKEN, recognise_github_classic },
    { "gho_", false, BUILTIN_GITHUB_TOKEN, recognise_github_classic },
    { "ghu_", false, BUILTIN_GITHUB_TOKEN, recognise_github_classic },
    { "ghs_", false, BUILTIN_GITHUB_TOKEN, recognise_github_classic },
    { "ghr_", false, BUILTIN_GITHUB_TOKEN, recognise_github_classic },
    { "github_pat_", false, BUILTIN_GITHUB_TOKEN, recognise_github_fine },
    { "xoxa-", false, BUILTIN_SLACK_TOKEN, recognise_slack },
    { "xoxb-", false, BUILTIN_SLACK_TOKEN, recognise_slack },
    { "xoxc-", false, BUILTIN_SLACK_TOKEN, recognise_slack },
    { "xoxd-", false, BUILTIN_SLACK_TOKEN, recognise_slack },
    { "xoxe-", false, BUILTIN_SLACK_TOKEN, recognise_slack },
    { "xoxe.", false, BUILTIN_SLACK_TOKEN, recognise_slack },
    { "xoxo-", false, BUILTIN_SLACK_TOKEN, recognise_slack },
    { "xoxp-", false, BUILTIN_SLACK_TOKEN, recognise_slack },
    { "xoxr-", false, BUILTIN_SLACK_TOKEN, recognise_slack },
    { "xoxs-", false, BUILTIN_SLACK_TOKEN, recognise_slack },
    { "xapp-", false, BUILTIN_SLACK_TOKEN, recognise_slack },
    { "hooks.slack.com/services/", false, BUILTIN_SLACK_TOKEN, recognise_slack_hook },
    { "sk_live_", false, BUILTIN_STRIPE_KEY, recognise_stripe },
    { "sk_test_", false, BUILTIN_STRIPE_KEY, recognise_stripe },
    { "rk_live_", false, BUILTIN_STRIPE_KEY, recognise_stripe },
    { "rk_test_", false, BUILTIN_STRIPE_KEY, recognise_stripe },
    { "whsec_", false, BUILTIN_STRIPE_KEY, recognise_stripe_hook },
    { "-----BEGIN ", false, BUILTIN_PRIVATE_KEY, recognise_private_key },
    { "---- BEGIN ", false, BUILTIN_PRIVATE_KEY, recognise_private_key },
};
const size_t detect_anchors_count = sizeof detect_anchors / sizeof *detect_anchors;

static int add_builtin(struct detectors *d, const char *name, struct detail *why)
{
    int builtin = detect_builtin_find(name);

    if (builtin < 0)
        return detail_fail(why, -EINVAL, "there is no detector \"%.64s\"", name);
    if (d->index[builtin] >= 0)
        return detail_fail(why, -EINVAL, "the detector \"%s\" is named twice", name);
    if (d->count == DETECTORS_MAX)
        return detail_fail(why, -EINVAL, "there can be %d detectors", DETECTORS_MAX);
    d->index[builtin] = (int)d->count;
    struct detector *detector = &d->list[d->count++];
    detector->builtin = builtin;
    snprintf(detector->name, sizeof detector->name, "%s", name);
    return 0;
}

static int add_pattern(struct detectors *d, const struct detect_pattern *pattern, struct detail *why)
{
    struct detect_user user;
    struct detail about;
    size_t at = 0;

    for (size_t i = 0; i < d->count; i++)
        if (strcmp(d->list[i].name, pattern->name) == 0)
            return detail_fail(why, -EINVAL, "the detector \"%s\" is named twice", pattern->name);
    if (d->count == DETECTORS_MAX)
        return detail_fail(why, -EINVAL, "there can be %d detectors", DETECTORS_MAX);
    int r = detect_user_read(pattern, &user, &about, &at);
    if (r)
        return detail_fail(why, r, "%.64s: %.400s", pattern->name, about.text);
    d->width = user.width > d->width ? user.width : d->width;
    struct detector *detector = &d->list[d->count++];
    detector->builtin = -1;
    detector->user = user;
    snprintf(detector->name, sizeof detector->name, "%s", pattern->name);
    return 0;
}

enum { ESCAPED_MAX = 4 * DETECT_LITERAL_MAX + 1 };

/* A literal as a pattern: \x40 for each byte. */
static void escape(const char *literal, char out[ESCAPED_MAX])
{
    out[0] = '\0';
    for (size_t i = 0; literal[i] && i < DETECT_LITERAL_MAX; i++)
        snprintf(out + 4 * i, 5, "\\x%02x", (unsigned char)literal[i]);
}

struct compilation {
    struct engine_pattern *patterns;
    char (*literals)[ESCAPED_MAX];
};

static void compilation_clear(struct compilation *c)
{
    free(c->patterns);
    free(c->literals);
}

static void add_triggers(struct detectors *d, const struct detect_pattern *patterns, struct compilation *c)
{
    size_t n = 0, users = 0;

    for (size_t i = 0; i < detect_anchors_count; i++) {
        const struct detect_anchor *anchor = &detect_anchors[i];
        if (d->index[anchor->builtin] < 0)
            continue;
        escape(anchor->literal, c->literals[n]);
        c->patterns[n] = (struct engine_pattern){ .text = c->literals[n], .caseless = anchor->caseless };
        d->triggers[n++] = (struct detect_trigger){ .anchor = anchor,
                                                    .length = strlen(anchor->literal),
                                                    .detector = (uint16_t)d->index[anchor->builtin] };
    }
    for (size_t i = 0; i < d->count; i++)
        if (d->list[i].builtin < 0) {
            c->patterns[n] = (struct engine_pattern){ .text = patterns[users++].pattern, .with_start = true };
            d->triggers[n++] = (struct detect_trigger){ .detector = (uint16_t)i };
        }
    d->n_triggers = n;
}

/* For the search that asks only whether anything may be there. */
static void loosen(const struct detectors *d, struct compilation *c)
{
    for (size_t i = 0; i < d->n_triggers; i++) {
        const char *loose = d->list[d->triggers[i].detector].user.loose;
        c->patterns[i].with_start = false;
        if (!d->triggers[i].anchor && loose)
            c->patterns[i].text = loose;
    }
}

static int compile(struct detectors *d, const struct detect_pattern *patterns, struct detail *why)
{
    size_t most = detect_anchors_count + d->count, bad = 0;
    __attribute__((cleanup(compilation_clear))) struct compilation c = {
        .patterns = calloc(most, sizeof *c.patterns),
        .literals = calloc(most, sizeof *c.literals),
    };
    struct detail about;

    d->triggers = calloc(most, sizeof *d->triggers);
    if (!c.patterns || !c.literals || !d->triggers)
        return -ENOMEM;
    add_triggers(d, patterns, &c);
    if (d->n_triggers == 0)
        return 0;
    int r = engine_new(c.patterns, d->n_triggers, &d->engine, &bad, &about);
    if (r == 0 && d->width > 0) {
        loosen(d, &c);
        r = engine_new(c.patterns, d->n_triggers, &d->loose, &bad, &about);
    }
    return r == -EINVAL
               ? detail_fail(why, r, "%s: %.400s", d->list[d->triggers[bad].detector].name, about.text)
               : r;
}

int detectors_new(const char *const *names, size_t n_names, const struct detect_pattern *patterns,
                  size_t n_patterns, struct detectors **ret, struct detail *why)
{
    CLEANUP(detectors_free) struct detectors *d = calloc(1, sizeof *d);
    int r = 0;

    if (!d)
        return -ENOMEM;
    for (size_t i = 0; i < BUILTIN_COUNT; i++)
        d->index[i] = -1;
    for (size_t i = 0; i < n_names && r == 0; i++)
        r = add_builtin(d, names[i], why);
    for (size_t i = 0; i < n_patterns && r == 0; i++)
        r = add_pattern(d, &patterns[i], why);
    r = r ? r : compile(d, patterns, why);
    if (r)
        return r;
    *ret = STEAL(d);
    return 0;
}

void detectors_free(struct detectors *detectors)
{
    if (!detectors)
        return;
    for (size_t i = 0; i < detectors->count; i++)
        free(detectors->list[i].user.loose);
    engine_free(detectors->engine);
    engine_free(detectors->loose);
    free(detectors->triggers);
    free(detectors->search.found);
    free(detectors->spans);
    free(detectors);
}

struct detect_effort detect_effort(const struct detectors *detectors)
{
    return detectors->effort;
}

size_t detectors_count(const struct detectors *detectors)
{
    return detectors->count;
}

const char *detectors_name(const struct detectors *detectors, size_t index)
{
    return index < detectors->count ? detectors->list[index].name : NULL;
}
