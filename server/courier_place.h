/* Where the courier may go: for each issuer its own host and port, and those of `hosts`; each webhook's URL.
 * Nowhere else. */
#pragma once
#include <curl/curl.h>
#include "base/ipc.h"

enum { PLACE_URL_MAX = 2048 }; /* bytes of a URL */

/* Takes the URL apart and judges it. *ret is what was judged, for curl to go to: free it with
 * curl_url_cleanup(). -EACCES or -EINVAL: detail says what is wrong; the URL is escaped in it. */
MUST_USE int place_judge(const Ipc__Issuer *issuer, const char *url, CURLU **ret, struct detail *detail);
/* The configured issuer of that name, or NULL. */
const Ipc__Issuer *place_issuer(const Ipc__Config *config, const char *name);
/* The webhook with exactly this URL. As place_judge(); what is returned is borrowed from the configuration.
 */
MUST_USE int place_webhook(const Ipc__Config *config, const char *url, const Ipc__Notify **ret_webhook,
                           CURLU **ret, struct detail *detail);
