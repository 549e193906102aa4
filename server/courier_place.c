/* URL and configuration are read by the same parser, curl's own, and curl goes to what was judged, not to the
 * text again: two parsers that disagree about where the host ends are how such lists are passed by. */
#include "server/courier_place.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"

enum { SHOWN_MAX = 200, AUTHORITY_MAX = 600 }; /* bytes of a URL in a message; of a place written as a URL */

static void url_free(CURLU *url)
{
    curl_url_cleanup(url);
}
DEFINE_CLEANUP(CURLU *, url_free)

static void text_free(char *text)
{
    curl_free(text);
}
DEFINE_CLEANUP(char *, text_free)

/* NULL when there is no such part. */
static char *part(CURLU *url, CURLUPart which, unsigned flags)
{
    char *text = NULL;
    return curl_url_get(url, which, &text, flags) == CURLUE_OK ? text : NULL;
}

static CURLU *parse(const char *text)
{
    CLEANUP(url_free) CURLU *url = curl_url();
    if (!url || curl_url_set(url, CURLUPART_URL, text, CURLU_DISALLOW_USER) != CURLUE_OK)
        return NULL;
    return STEAL(url);
}

static bool is_https(CURLU *url)
{
    CLEANUP(text_free) char *scheme = part(url, CURLUPART_SCHEME, 0);
    return scheme && strcasecmp(scheme, "https") == 0;
}

static bool is_same_place(CURLU *a, CURLU *b)
{
    CLEANUP(text_free) char *host_a = part(a, CURLUPART_HOST, 0);
    CLEANUP(text_free) char *host_b = part(b, CURLUPART_HOST, 0);
    CLEANUP(text_free) char *port_a = part(a, CURLUPART_PORT, CURLU_DEFAULT_PORT);
    CLEANUP(text_free) char *port_b = part(b, CURLUPART_PORT, CURLU_DEFAULT_PORT);
    CLEANUP(text_free) char *zone_a = part(a, CURLUPART_ZONEID, 0);
    CLEANUP(text_free) char *zone_b = part(b, CURLUPART_ZONEID, 0);
    return host_a && host_b && port_a && port_b && !zone_a && !zone_b && strcasecmp(host_a, host_b) == 0 &&
           strcmp(port_a, port_b) == 0;
}

static bool is_place_of(CURLU *url, const char *text)
{
    CLEANUP(url_free) CURLU *place = parse(text);
    return place && is_https(place) && is_same_place(url, place);
}

static bool is_allowed(CURLU *url, const Ipc__Issuer *issuer)
{
    if (is_place_of(url, issuer->issuer))
        return true;
    for (size_t i = 0; i < issuer->n_hosts; i++) {
        char place[AUTHORITY_MAX];
        int n = snprintf(place, sizeof place, "https://%s/", issuer->hosts[i]);
        if (n > 0 && (size_t)n < sizeof place && is_place_of(url, place))
            return true;
    }
    return false;
}

/* Of printable ASCII without blanks: no other host than the one that is read is meant, and nothing has to be
 * converted. */
static bool is_plain(const char *text)
{
    size_t n = strlen(text);
    if (n == 0 || n > PLACE_URL_MAX)
        return false;
    for (; *text; text++)
        if (*text <= ' ' || *text > '~')
            return false;
    return true;
}

int place_judge(const Ipc__Issuer *issuer, const char *url, CURLU **ret, struct detail *detail)
{
    char shown[SHOWN_MAX];
    (void)text_escape(shown, sizeof shown, url, strlen(url), false);
    CLEANUP(url_free) CURLU *parsed = is_plain(url) ? parse(url) : NULL;
    if (!parsed)
        return detail_fail(detail, -EINVAL, "%s is no URL that can be used", shown);
    if (!is_https(parsed))
        return detail_fail(detail, -EACCES, "%s is not an https URL", shown);
    if (!is_allowed(parsed, issuer))
        return detail_fail(
            detail, -EACCES,
            "%s is on a host that the configuration does not name for issuer %s (add it to its "
            "`hosts`)",
            shown, issuer->name);
    (void)curl_url_set(parsed, CURLUPART_FRAGMENT, NULL, 0);
    *ret = STEAL(parsed);
    return 0;
}

const Ipc__Issuer *place_issuer(const Ipc__Config *config, const char *name)
{
    for (size_t i = 0; i < config->n_issuers; i++)
        if (strcmp(config->issuers[i]->name, name) == 0)
            return config->issuers[i];
    return NULL;
}

/* Its URL may be as good as a password: no message shows it. */
int place_webhook(const Ipc__Config *config, const char *url, const Ipc__Notify **ret_webhook, CURLU **ret,
                  struct detail *detail)
{
    for (size_t i = 0; i < config->n_notify; i++) {
        if (strcmp(config->notify[i]->webhook, url) != 0)
            continue;
        CLEANUP(url_free) CURLU *parsed = is_plain(url) ? parse(url) : NULL;
        if (!parsed || !is_https(parsed))
            return detail_fail(detail, -EINVAL, "the webhook has no URL that can be used");
        *ret_webhook = config->notify[i];
        *ret = STEAL(parsed);
        return 0;
    }
    return detail_fail(detail, -EACCES, "the courier's configuration has no such webhook");
}
