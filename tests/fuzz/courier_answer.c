/* Whatever a server sends as header lines, and whatever is asked to be fetched: what may be fetched is https
 * on the one host that is configured, as a plain reading of the URL sees it. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "server/courier_header.h"
#include "server/courier_place.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void try_header(const char *bytes, size_t n)
{
    struct header header = { 0 };
    while (n > 0) {
        const char *end = memchr(bytes, '\n', n);
        size_t line = end ? (size_t)(end - bytes) + 1 : n;
        header_line(&header, bytes, line);
        bytes += line;
        n -= line;
    }
    must(header_fresh_s(&header) <= HEADER_AGE_MAX_S);
    must(strnlen(header.content_type, HEADER_TYPE_MAX) < HEADER_TYPE_MAX);
}

/* Without curl: what stands before the first of / ? # \ is the host, and it may not have a user before it. */
static void try_url(const char *url)
{
    Ipc__Issuer issuer = IPC__ISSUER__INIT;
    CURLU *place = NULL;
    issuer.name = (char *)"corp";
    issuer.issuer = (char *)"https://idp.example.com/tenant";
    if (place_judge(&issuer, url, &place, NULL))
        return;
    must(place && strncasecmp(url, "https:", 6) == 0);
    const char *host = url + 6 + strspn(url + 6, "/");
    size_t n = strcspn(host, "/?#\\");
    must(!memchr(host, '@', n) && n >= 15 && strncasecmp(host, "idp.example.com", 15) == 0);
    must(n == 15 || host[15] == ':');
    curl_url_cleanup(place);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    char *text = malloc(n + 1);
    if (!text)
        return 0;
    memcpy(text, bytes, n);
    text[n] = 0;
    try_header(text, n);
    try_url(text);
    free(text);
    return 0;
}
