/* Names to addresses. libpq would resolve them itself, without any limit of ours and with whatever plug-ins
 * /etc/nsswitch.conf names; those can't be loaded inside the jail. */
#include <arpa/inet.h>
#include <netdb.h>
#include <nss.h>
#include <stdlib.h>
#include <string.h>
#include <errno.h>
#include "vault/connector.h"

void addresses_start(void)
{
#ifdef __GLIBC__
    (void)__nss_configure_lookup("hosts", "files dns"); /* both are inside libc: nothing is loaded */
#endif
    (void)setenv("RES_OPTIONS", "timeout:2 attempts:2", 1); /* resolv.conf(5) */
}

static void add(struct addresses *addresses, const struct sockaddr *address)
{
    const void *bytes = address->sa_family == AF_INET6
                            ? (const void *)&((const struct sockaddr_in6 *)(const void *)address)->sin6_addr
                            : (const void *)&((const struct sockaddr_in *)(const void *)address)->sin_addr;
    char *text = addresses->text[addresses->count];

    if (!inet_ntop(address->sa_family, bytes, text, sizeof(addresses->text[0])))
        return;
    for (size_t i = 0; i < addresses->count; i++)
        if (strcmp(addresses->text[i], text) == 0)
            return;
    addresses->count++;
}

static bool is_numeric(const char *host)
{
    struct in6_addr bytes;

    return inet_pton(AF_INET, host, &bytes) == 1 || inet_pton(AF_INET6, host, &bytes) == 1;
}

int addresses_of(const char *host, struct addresses *ret, struct detail *detail)
{
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_family = AF_UNSPEC }, *found = NULL;
    struct addresses addresses = { .count = 0 };
    int r;

    if (is_numeric(host) && strlen(host) < sizeof(ret->text[0])) {
        memcpy(addresses.text[0], host, strlen(host) + 1);
        addresses.count = 1;
        *ret = addresses;
        return 0;
    }
    r = getaddrinfo(host, NULL, &hints, &found);
    if (r)
        return detail_fail(detail, -EHOSTUNREACH, "the name %s can't be resolved: %s", host, gai_strerror(r));
    for (const struct addrinfo *i = found; i && addresses.count < CONNECTOR_ADDRESSES_MAX; i = i->ai_next)
        if (i->ai_family == AF_INET || i->ai_family == AF_INET6)
            add(&addresses, i->ai_addr);
    freeaddrinfo(found);
    if (addresses.count == 0)
        return detail_fail(detail, -EHOSTUNREACH, "the name %s has no address", host);
    *ret = addresses;
    return 0;
}
