/* The real gatehouse-courier, and a provider (courier_server.py) with certificates of a CA of its own. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "base/ipc.h"

enum { FETCH_LIMIT_MS = 30000 };

/* What came for one Fetch. */
struct fetched {
    uint32_t request, status;
    uint64_t max_age_s;
    char error[512], type[128];
    uint8_t *body; /* NUL-terminated; NULL: none came */
    size_t n;
};

int courier_start(void **state);
/* Reads a file of the provider's directory, malloc'ed and NUL-terminated; NULL: there is none. And removes
 * it. */
char *courier_take_file(const char *name, size_t *ret_n);
/* The webhook of the configuration with this path; the port in it is of that name. */
enum { COURIER_URL_MAX = 256 };
char *courier_hook(char out[COURIER_URL_MAX], const char *path, const char *port);
int courier_stop(void **state);

/* "good", "six", "expired", "misnamed", "old", "plain", "closed": ports of the provider. */
unsigned courier_port(const char *name);
/* Sends the courier a configuration; with `changed` the issuer "corp" has its host elsewhere. */
void courier_reload(bool changed);
void courier_send_config(int fd);
/* A new link; the caller's. */
int courier_link(const char *process);
extern int courier; /* the link that the tests use */
/* True when it is there, and no other than the one that was started. */
bool courier_lives(void);
/* How many it has open; 0 when that can't be seen. */
size_t courier_descriptors(void);

void ask(int link, uint32_t request, const char *issuer, const char *url, uint32_t timeout_ms);
void ask_form(int link, uint32_t request, const char *issuer, const char *url, Ipc__Variable **form,
              size_t n_form);
struct fetched wait_fetched(int link);
/* Both; the @ in the URL stands for the port of that name. */
struct fetched fetch(const char *issuer, const char *url, const char *port);
void fetched_free(struct fetched *fetched);
