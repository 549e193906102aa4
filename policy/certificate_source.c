/* The critical option source-address: a list of CIDR networks (RFC 4632, RFC 4291 §2.3) that a login must
 * come from. As in OpenSSH, an entry with bits set behind its prefix, or anything else that is not a network,
 * refuses everybody: whoever wrote it meant something that we do not know. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/text.h"
#include "policy/certificate_parts.h"

enum { MAPPED_PREFIX = 96 }; /* ::ffff:0:0/96, RFC 4291 §2.5.5.2 */

struct network {
    bool v6;
    unsigned prefix;
    uint8_t bytes[16];
};

static void unmap(struct network *network)
{
    static const uint8_t mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

    if (!network->v6 || network->prefix < MAPPED_PREFIX ||
        memcmp(network->bytes, mapped, sizeof(mapped)) != 0)
        return;
    network->v6 = false;
    network->prefix -= MAPPED_PREFIX;
    memmove(network->bytes, network->bytes + sizeof(mapped), 4);
    memset(network->bytes + 4, 0, 12);
}

static bool address_parse(const char *text, struct network *ret)
{
    struct network network = { .v6 = strchr(text, ':') != NULL };

    if (inet_pton(network.v6 ? AF_INET6 : AF_INET, text, network.bytes) != 1)
        return false;
    network.prefix = network.v6 ? 128 : 32;
    *ret = network;
    return true;
}

static bool host_bits_are_clear(const struct network *network)
{
    unsigned bits = network->v6 ? 128 : 32;

    for (unsigned i = network->prefix; i < bits; i++)
        if (network->bytes[i / 8] & (0x80 >> (i % 8)))
            return false;
    return true;
}

/* text is one entry of the list; it is changed. */
static bool network_parse(char *text, struct network *ret)
{
    char *slash = strchr(text, '/');
    struct network network;
    uint64_t prefix;

    if (slash)
        *slash = '\0';
    if (!address_parse(text, &network))
        return false;
    if (slash) {
        if (!text_to_u64(slash + 1, network.prefix, &prefix))
            return false;
        network.prefix = (unsigned)prefix;
    }
    if (!host_bits_are_clear(&network))
        return false;
    unmap(&network);
    *ret = network;
    return true;
}

static bool network_holds(const struct network *network, const struct network *address)
{
    unsigned whole = network->prefix / 8, rest = network->prefix % 8;

    if (network->v6 != address->v6 || memcmp(network->bytes, address->bytes, whole) != 0)
        return false;
    return rest == 0 || ((network->bytes[whole] ^ address->bytes[whole]) >> (8 - rest)) == 0;
}

int source_match(const char *list, const char *address, struct detail *detail)
{
    CLEANUP(free) char *copy = strdup(list);
    struct network from, network;
    char *next = copy, *entry;
    bool found = false;
    size_t count = 0;

    if (!copy)
        return -ENOMEM;
    if (!address || !address_parse(address, &from))
        return detail_fail(detail, CERTIFICATE_WRONG_SOURCE,
                           "your certificate is bound to source addresses, and yours is not known");
    unmap(&from);
    while ((entry = strsep(&next, ","))) {
        if (++count > CERTIFICATE_SOURCES_MAX || !network_parse(entry, &network))
            return detail_fail(detail, CERTIFICATE_MALFORMED,
                               "your certificate's source-address is not a list of networks");
        found |= network_holds(&network, &from);
    }
    if (!found)
        return detail_fail(detail, CERTIFICATE_WRONG_SOURCE, "your certificate may not be used from %s",
                           address);
    return 0;
}

bool certificate_source_is_valid(const char *list)
{
    int r = source_match(list, "192.0.2.1", NULL); /* whether this one is in it does not matter */

    return r == 0 || r == CERTIFICATE_WRONG_SOURCE;
}
