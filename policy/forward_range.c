/* See forward_range.h. What asks is foreign: "127.1", "0x7f000001" and "2130706433" are addresses for the
 * getaddrinfo of whoever resolves them and names for inet_pton, so what looks like such a number is no name
 * and never listed. */
#include "policy/forward_range.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "base/text.h"

enum {
    FORWARD_HOST_MAX = 253, /* bytes, RFC 1035 §2.3.4 */
    V4_BYTES = 4,
    V6_BYTES = 16,
};

struct address {
    uint8_t bytes[V6_BYTES];
    size_t n;
};

/* IPv4-mapped IPv6 (RFC 4291 §2.5.5.2) is IPv4. */
static bool address_parse(const char *text, struct address *ret)
{
    static const uint8_t mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };
    struct address address = { .n = strchr(text, ':') ? V6_BYTES : V4_BYTES };

    if (inet_pton(address.n == V6_BYTES ? AF_INET6 : AF_INET, text, address.bytes) != 1)
        return false;
    if (address.n == V6_BYTES && memcmp(address.bytes, mapped, sizeof(mapped)) == 0) {
        memmove(address.bytes, address.bytes + sizeof(mapped), V4_BYTES);
        address.n = V4_BYTES;
    }
    *ret = address;
    return true;
}

static bool bits_differ(const uint8_t *a, const uint8_t *b, unsigned bits)
{
    unsigned whole = bits / 8, rest = bits % 8;

    return memcmp(a, b, whole) != 0 || (rest && ((a[whole] ^ b[whole]) >> (8 - rest)) != 0);
}

/* ---- reading ---- */

static const char *parse_ports(const char *text, Ipc__ForwardRange *range)
{
    static const char wrong[] = "the port is no number from 1 to 65535, range FIRST-LAST or *";
    char first[8] = "";
    const char *dash = strchr(text, '-');
    uint64_t low = 1, high = UINT16_MAX;

    if (strcmp(text, "*") != 0) {
        size_t n = dash ? (size_t)(dash - text) : strlen(text);

        if (n >= sizeof(first))
            return wrong;
        memcpy(first, text, n);
        if (!text_to_u64(first, UINT16_MAX, &low) || low == 0)
            return wrong;
        high = low;
        if (dash && (!text_to_u64(dash + 1, UINT16_MAX, &high) || high < low))
            return wrong;
    }
    range->first = (uint32_t)low;
    range->last = (uint32_t)high;
    return NULL;
}

/* host: the pattern's, without brackets; changed. */
static const char *parse_network(char *host, Ipc__ForwardRange *range)
{
    static const uint8_t none[V6_BYTES];
    char *slash = strchr(host, '/');
    struct address address;
    uint64_t bits = 0;

    if (slash)
        *slash++ = '\0';
    if (!address_parse(host, &address))
        return "it begins with no address";
    unsigned all = (unsigned)address.n * 8;
    if (slash && strchr(host, ':') && address.n == V4_BYTES)
        return "write a network of IPv4 addresses as one of IPv4";
    if (slash && !text_to_u64(slash, all, &bits))
        return "the prefix length is no number of that many bits";
    range->bits = slash ? (uint32_t)bits : all;
    for (unsigned i = range->bits; i < all; i++)
        if (address.bytes[i / 8] & (0x80 >> (i % 8)))
            return "the address has bits set behind its prefix";
    if (!(range->network.data = malloc(V6_BYTES)))
        return "out of memory";
    memcpy(range->network.data, none, V6_BYTES);
    memcpy(range->network.data, address.bytes, address.n);
    range->network.len = address.n;
    return NULL;
}

static const char *parse_host(const char *host, Ipc__ForwardRange *range)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789.-_*?";
    char *copy = strdup(host);

    if (!copy)
        return "out of memory";
    for (char *c = copy; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    if (copy[strspn(copy, allowed)] || copy[0] == '.' || copy[0] == '-') {
        free(copy);
        return "it is no network, and no name with or without * and ?";
    }
    range->host = copy;
    return NULL;
}

const char *forward_range_parse(const char *text, Ipc__ForwardRange *ret)
{
    char host[FORWARD_HOST_MAX + 1] = "";
    bool brackets = text[0] == '[';
    const char *begin = brackets ? text + 1 : text;
    const char *end = brackets ? strchr(text, ']') : strrchr(text, ':');
    Ipc__ForwardRange range = IPC__FORWARD_RANGE__INIT;

    if (!end || (brackets && end[1] != ':'))
        return "there is no port; write HOST:PORT";
    size_t n = (size_t)(end - begin);
    if (n == 0 || n > FORWARD_HOST_MAX)
        return n ? "the host is too long" : "there is no host";
    memcpy(host, begin, n);
    if (!brackets && strchr(host, ':'))
        return "an IPv6 address needs brackets, as in [fd00::/8]:PORT";
    if (brackets && !strchr(host, ':'))
        return "the brackets hold no IPv6 address";
    const char *wrong = parse_ports(end + (brackets ? 2 : 1), &range);
    if (!wrong)
        wrong = brackets || !host[strspn(host, "0123456789./")] ? parse_network(host, &range)
                                                                : parse_host(host, &range);
    if (!wrong)
        *ret = range;
    return wrong;
}

const char *forward_range_text(const Ipc__ForwardRange *range, char out[FORWARD_RANGE_TEXT_MAX])
{
    char address[INET6_ADDRSTRLEN] = "", prefix[8] = "", ports[16];
    bool v6 = range->network.len == V6_BYTES;

    if (range->network.len > 0)
        (void)inet_ntop(v6 ? AF_INET6 : AF_INET, range->network.data, address, sizeof(address));
    if (range->bits < 8 * range->network.len)
        snprintf(prefix, sizeof(prefix), "/%u", range->bits & 0xff);
    if (range->first == range->last)
        snprintf(ports, sizeof(ports), "%u", range->first & 0xffff);
    else if (range->first == 1 && range->last == UINT16_MAX)
        snprintf(ports, sizeof(ports), "*");
    else
        snprintf(ports, sizeof(ports), "%u-%u", range->first & 0xffff, range->last & 0xffff);
    snprintf(out, FORWARD_RANGE_TEXT_MAX, "%s%.253s%s%s:%s", v6 ? "[" : "",
             address[0] ? address : range->host, prefix, v6 ? "]" : "", ports);
    return out;
}

/* ---- asking ---- */

/* Whether getaddrinfo might take the name for a number (inet_aton(3)): its last label begins with a digit and
 * holds hexadecimal digits only. */
static bool is_number_in_disguise(const char *host)
{
    const char *last = strrchr(host, '.');

    last = last ? last + 1 : host;
    return !*last || (isdigit((unsigned char)*last) && !last[strspn(last, "0123456789abcdefABCDEFxX")]);
}

static bool host_matches(const Ipc__ForwardRange *range, const char *host)
{
    return range->host[0] && fnmatch(range->host, host, FNM_CASEFOLD) == 0;
}

static bool network_holds(const Ipc__ForwardRange *range, const struct address *address)
{
    return range->network.len == address->n && range->bits <= 8 * address->n &&
           !bits_differ(range->network.data, address->bytes, range->bits);
}

bool forward_is_listed(const Ipc__Target *target, const char *host, uint32_t port)
{
    struct address address;
    bool numeric = address_parse(host, &address);

    if (strlen(host) > FORWARD_HOST_MAX || (!numeric && is_number_in_disguise(host)))
        return false;
    for (size_t i = 0; i < target->n_forwards; i++) {
        const Ipc__ForwardRange *range = target->forwards[i];

        if (port >= range->first && port <= range->last &&
            (numeric ? network_holds(range, &address) : host_matches(range, host)))
            return true;
    }
    return false;
}

/* A name may end in the dot of the root (RFC 1034 §3.1). */
static bool names_are_same(const char *a, const char *b)
{
    size_t n = strlen(a), m = strlen(b);

    n -= n > 0 && a[n - 1] == '.';
    m -= m > 0 && b[m - 1] == '.';
    return n == m && strncasecmp(a, b, n) == 0;
}

bool forward_is_to(const Ipc__Target *target, const char *host, uint32_t port)
{
    struct address asked, declared;
    bool numeric = address_parse(host, &asked);

    if (!target->host[0] || target->port != port || numeric != address_parse(target->host, &declared))
        return false;
    if (numeric)
        return asked.n == declared.n && memcmp(asked.bytes, declared.bytes, asked.n) == 0;
    return names_are_same(host, target->host);
}

bool forward_is_loopback(const char *host)
{
    static const uint8_t v6[V6_BYTES] = { [V6_BYTES - 1] = 1 }, any[V6_BYTES];
    struct address address;

    if (!address_parse(host, &address))
        return names_are_same(host, "localhost");
    if (memcmp(address.bytes, any, address.n) == 0)
        return true; /* connect(2) takes the unspecified address for the own host */
    return address.n == V4_BYTES ? address.bytes[0] == 127 : memcmp(address.bytes, v6, V6_BYTES) == 0;
}
