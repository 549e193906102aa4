/* See config_address.h. No name is looked up here: that is the connector's, at the time of use. */
#include "policy/config_address.h"
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include "base/text.h"

static bool is_host_name(const char *host)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";

    return host[strspn(host, allowed)] == '\0' && host[0] != '.' && host[0] != '-' && !strstr(host, "..");
}

/* Splits at the last colon outside of brackets. NULL or what is wrong. */
static const char *split(const char *text, const char **ret_host, size_t *ret_host_n, const char **ret_port)
{
    const char *bracket = strchr(text, ']');
    const char *colon = strrchr(text, ':');

    if (strstr(text, "://"))
        return "it is a URL; write HOST:PORT";
    if (text[0] == '[') {
        if (!bracket)
            return "the bracket is not closed";
        if (bracket[1] != ':')
            return "there is no port";
        *ret_host = text + 1;
        *ret_host_n = (size_t)(bracket - text) - 1;
        *ret_port = bracket + 2;
        return NULL;
    }
    if (!colon)
        return "there is no port";
    if (strchr(text, ':') != colon)
        return "an IPv6 address needs brackets, as in [::1]:PORT";
    *ret_host = text;
    *ret_host_n = (size_t)(colon - text);
    *ret_port = colon + 1;
    return NULL;
}

static bool read_port(const char *text, uint16_t *ret)
{
    uint64_t port = 0;

    if (!text_to_u64(text, UINT16_MAX, &port) || port == 0)
        return false;
    *ret = (uint16_t)port;
    return true;
}

const char *config_address_parse(const char *text, struct config_address *ret)
{
    struct config_address address = { .port = 0 };
    const char *host = NULL, *port = NULL;
    unsigned char binary[16];
    size_t n = 0;

    const char *wrong = split(text, &host, &n, &port);
    if (wrong)
        return wrong;
    if (n == 0)
        return "there is no host";
    if (n > CONFIG_HOST_MAX)
        return "the host name is too long";
    memcpy(address.host, host, n);
    if (!read_port(port, &address.port))
        return "the port is no number from 1 to 65535";
    if (text[0] == '[') {
        if (inet_pton(AF_INET6, address.host, binary) != 1)
            return "the brackets hold no IPv6 address";
        address.numeric = true;
    } else if (address.host[strspn(address.host, "0123456789.")] == '\0') {
        if (inet_pton(AF_INET, address.host, binary) != 1)
            return "it is no IPv4 address";
        address.numeric = true;
    } else if (!is_host_name(address.host)) {
        return "it is no host name";
    }
    *ret = address;
    return NULL;
}

const char *config_host_parse(const char *text, uint16_t port, struct config_address *ret)
{
    char whole[CONFIG_HOST_MAX + sizeof "[]:65535"];
    size_t n = strlen(text);
    bool has_port = text[0] == '[' ? !n || text[n - 1] != ']' : strchr(text, ':') != NULL;

    if (has_port)
        return config_address_parse(text, ret);
    if ((size_t)snprintf(whole, sizeof whole, "%s:%u", text, (unsigned)port) >= sizeof whole)
        return "the host name is too long";
    return config_address_parse(whole, ret);
}

bool config_address_socket_port(const char *path, uint16_t *ret_port)
{
    static const char name[] = "/.s.PGSQL.";
    const char *slash = strrchr(path, '/');

    return slash && !strncmp(slash, name, sizeof name - 1) && read_port(slash + sizeof name - 1, ret_port);
}
