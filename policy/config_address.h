/* Addresses as the configuration writes them. Private to policy/config*. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

enum {
    CONFIG_HOST_MAX = 253,   /* bytes of a host name (RFC 1035 §2.3.4) */
    CONFIG_SOCKET_MAX = 107, /* bytes of a Unix socket's path: sun_path less its NUL */
};

struct config_address {
    char host[CONFIG_HOST_MAX + 1]; /* without brackets */
    uint16_t port;
    bool numeric;
};

/* "127.0.0.1:5432", "[::1]:5432", "db.example.com:5432". NULL, or what is wrong with it (static). */
const char *config_address_parse(const char *text, struct config_address *ret);
/* The same, where the port may be left out. */
const char *config_host_parse(const char *text, uint16_t port, struct config_address *ret);
/* The port that PostgreSQL's name for its socket ends in: ".../.s.PGSQL.5432". False for another name. */
bool config_address_socket_port(const char *path, uint16_t *ret_port);
