/* See lifetime.h. The list of what is revoked comes from the listener each time that it changes. When one
 * can't be taken over the old one stays: it says less than it should, but what it says holds, and the vault
 * looks again at each use of a credential.
 *
 * Timers go by the monotonic clock, certificates by the wall clock, which may be set: hence the looks in
 * between. */
#include "channels/lifetime.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "channels/audit.h"
#include "channels/channel.h"
#include "policy/certificate.h"
#include "policy/revocation.h"

static const uint64_t FOR_EVER = UINT64_MAX;

static void end_session(struct gate *gate, const char *event, const char *code, const char *reason)
{
    char goodbye[DETAIL_MAX + 64];
    log_event(LOG_WARNING, event, "connection", U64(gate->connection), "identity", gate->identity->name,
              "serial", U64(gate->identity->serial), "reason", reason, NULL);
    gate_audit(gate, event, "serial", U64(gate->identity->serial), "reason", reason, NULL);
    (void)snprintf(goodbye, sizeof goodbye, "%s, so this connection ends (code %s)", reason, code);
    gate_end(gate, &(struct refusal){ .code = code, .reason = reason }, goodbye, LIFETIME_FAREWELL_MS,
             LIFETIME_DRAIN_MS);
}

static void look_at_clock(void *owner)
{
    struct gate *gate = owner;
    uint64_t until = gate->identity->valid_before, now_ms = clock_unix_ms();
    if (until == FOR_EVER || gate->config->keep_expired_sessions)
        return;
    if (now_ms / 1000 >= until) {
        end_session(gate, "session_expired", "certificate_expired", "your certificate has expired");
        return;
    }
    uint64_t left_ms =
        until - now_ms / 1000 > LIFETIME_CHECK_MS / 1000 ? LIFETIME_CHECK_MS : until * 1000 - now_ms;
    timer_set(gate->lifetime, left_ms);
}

int lifetime_begin(struct gate *gate)
{
    int r = timer_new(gate->loop, look_at_clock, gate, &gate->lifetime);
    if (r == 0)
        look_at_clock(gate);
    return r;
}

bool lifetime_is_revoked(const struct gate *gate, struct detail *detail)
{
    return gate->certificate && revocation_hits(gate->revocations, gate->certificate, detail);
}

/* The list may be large, and a session that it does not hit needs it no more: nobody's rights grow by a later
 * look at an older list. */
void lifetime_revocations(struct gate *gate, int fd)
{
    struct detail detail = { "your certificate has been revoked" };
    Ipc__RevocationList *list = NULL;
    int r = revocation_unpack(fd, &list);
    if (r) {
        log_event(LOG_ERROR, "revocations_not_taken", "connection", U64(gate->connection), "detail",
                  strerror(-r), NULL);
        return;
    }
    gate->revocations = list;
    if (gate->lifetime && !gate->ending && lifetime_is_revoked(gate, &detail))
        end_session(gate, "session_revoked", "certificate_revoked", detail.text);
    if (!gate->login) {
        ipc__revocation_list__free_unpacked(list, NULL);
        gate->revocations = NULL;
    }
}
