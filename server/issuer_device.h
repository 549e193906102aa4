/* The device flow (RFC 8628): somebody reads a code off the terminal and logs in with a browser elsewhere,
 * while this asks the provider again and again for the ID token. */
#pragma once
#include "server/issuer_provider.h"

enum {
    DEVICE_LIFE_MAX_MS = 15 * 60 * 1000, /* however long the provider would wait */
    DEVICE_INTERVAL_S = 5,               /* RFC 8628 3.2 */
    DEVICE_SLOW_DOWN_S = 5,              /* RFC 8628 3.5 */
    DEVICE_INTERVAL_MAX_S = 300,
    DEVICE_BACKOFF_MAX_S = 60, /* between polls while the provider can't be reached */
};

struct device;

/* What becomes of one flow; all are called from the loop. Everything is borrowed until the handler returns.
 */
struct device_handlers {
    /* Once: show this to the person. */
    void (*code)(void *owner, const Ipc__DeviceCode *code);
    /* The last word, either of the two; the device may be freed inside. issuer: its name, which the token's
     * iss has to be. The token is wiped afterwards. */
    void (*token)(void *owner, const char *issuer, const char *id_token, size_t n);
    void (*failed)(void *owner, const char *code, const char *message); /* as in ipc.Refusal */
};

/* issuer: the name of one that has a client_id; empty: the only one that has. The handlers are never called
 * from inside of this. Not 0: detail tells the person what to do instead. */
MUST_USE int device_start(struct loop *loop, struct fetcher *fetcher, struct providers *providers,
                          const char *issuer, const struct device_handlers *handlers, void *owner,
                          struct device **ret, struct detail *detail);
/* The gate is gone, or it is over. NULL is taken. */
void device_free(struct device *device);
DEFINE_CLEANUP(struct device *, device_free)
