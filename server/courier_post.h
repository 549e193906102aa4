/* The headers of what is posted for others. */
#pragma once
#include <curl/curl.h>
#include "base/ipc.h"

enum {
    POST_HEADERS_MAX = 8,
    POST_NAME_MAX = 64,   /* bytes of a header's name */
    POST_VALUE_MAX = 512, /* bytes of its value */
};

/* Names that begin with "Gatehouse-", values of printable ASCII: nobody who asks can say where it goes or how
 * it is read. *ret is freed with curl_slist_free_all(); NULL when there are none. -EINVAL for others, with
 * detail. */
MUST_USE int post_headers(Ipc__Variable *const *headers, size_t n, struct curl_slist **ret,
                          struct detail *detail);
