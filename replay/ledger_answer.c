/* Who may see which recording: one's own, by the identity's name; all of them with `may: [replay]`; that of a
 * session with a request that one may decide, unless nothing came of it. What is not there and what may not
 * be seen look the same.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/json.h"
#include "base/text.h"
#include "policy/identity.h"
#include "replay/entries.h"
#include "replay/ledger.h"
#include "replay/ledger_approval.h"

static bool sees_all(const Ipc__Identity *who)
{
    return identity_may(who, "replay");
}

/* ---- sessions ---- */

static const char *or_null(const char *text)
{
    return text[0] ? text : NULL;
}

static void json_time(struct json *j, const char *key, uint64_t unix_ms)
{
    char text[32];
    json_text(j, key, unix_ms ? text_time(text, unix_ms) : NULL);
}

static int write_session(void *owner, const struct store_session *s)
{
    struct json j = json_to(owner);
    json_open_object(&j, NULL);
    json_text(&j, "id", s->id);
    json_time(&j, "started", s->started_ms);
    json_time(&j, "ended", s->ended_ms);
    json_text(&j, "state", s->state);
    json_text(&j, "identity", s->identity);
    json_text(&j, "actor", or_null(s->actor));
    json_text(&j, "authorized_party", or_null(s->party));
    json_text(&j, "source", s->source);
    json_text(&j, "target", s->target);
    json_text(&j, "target_kind", s->target_kind);
    json_text(&j, "kind", s->kind);
    json_text(&j, "login", s->login);
    json_text(&j, "command", s->command);
    json_u64(&j, "requests", s->requests);
    json_u64(&j, "denied", s->denied);
    json_u64(&j, "bytes", s->bytes);
    json_u64(&j, "status", s->status);
    json_close_object(&j);
    return json_line(&j) ? 0 : -ENOBUFS;
}

/* A row for people. What others have chosen (identity, command) is escaped, and cut to its column. */
static int write_row(void *owner, const struct store_session *s)
{
    char started[32], who[256], identity[80], command[160];
    (void)text_time(started, s->started_ms);
    started[19] = 0; /* seconds are enough */
    (void)snprintf(who, sizeof who, s->actor[0] ? "%s for %s" : "%s%s", s->actor, s->identity);
    (void)text_escape(identity, sizeof identity, who, strlen(who), false);
    const char *what = s->command[0] ? s->command : s->kind;
    (void)text_escape(command, sizeof command, what, strlen(what), false);
    return buffer_printf(owner, "%-12s  %s  %-11s  %-20s  %-12s  %5llu  %6llu  %s\n", s->id, started,
                         s->state, identity, s->target, (unsigned long long)s->requests,
                         (unsigned long long)s->denied, command);
}

static const char heading[] =
    "ID            STARTED (UTC)        STATE        IDENTITY              TARGET        "
    "REQS   DENIED  WHAT\n";

int ledger_sessions(struct ledger *ledger, const Ipc__Identity *who, const Ipc__AskSessions *ask, int *ret_fd)
{
    struct store_query query = {
        .identity = or_null(ask->identity),
        .target = or_null(ask->target),
        .grep = or_null(ask->grep),
        .since_ms = ask->since_ms,
    };
    struct buffer lines;
    buffer_init(&lines, LEDGER_SESSIONS_MAX);
    bool nothing = !sees_all(who) && query.identity && strcmp(query.identity, who->name) != 0;
    if (!sees_all(who))
        query.identity = who->name;
    int r = ask->json ? 0 : buffer_append(&lines, heading, sizeof heading - 1);
    if (r == 0 && !nothing)
        r = store_search(ledger->store, &query, ask->json ? write_session : write_row, &lines, NULL);
    if (r == 0)
        r = fd_of_bytes("sessions", buffer_head(&lines), buffer_size(&lines), ret_fd);
    buffer_free(&lines);
    return r;
}

/* ---- replay ---- */

/* Whose it is stands in the first entry, which only a ledger with the master key can have written. */
static int check_owner(struct ledger *ledger, int fd, const char *id, const Ipc__Identity *who)
{
    CLEANUP(entries_free) struct entries *entries = NULL;
    struct chain_entry entry;
    struct chain chain;
    uint8_t key[CHAIN_KEY];
    int r = entries_new(fd, magic_recording, &entries, NULL);
    if (r == 0)
        r = entries_next(entries, &entry);
    if (r)
        return -ENOENT;
    keys_recording(ledger->keys, id, key);
    chain_start(&chain, entries_version(entries), key);
    keys_wipe(key);
    r = chain_check(&chain, &entry);
    chain_wipe(&chain);
    if (r)
        return -ENOENT;
    CLEANUP(event_free) Ipc__Event *event = entry_event(&entry);
    if (!event || event->what_case != IPC__EVENT__WHAT_HEADER || !event->header->identity)
        return -ENOENT;
    return strcmp(event->header->identity->name, who->name) == 0 ? 0 : -ENOENT;
}

static bool is_of_theirs(const Ipc__Approval *about, const Ipc__Identity *who, const char *recording)
{
    return strcmp(about->recording, recording) == 0 &&
           approval_is_asked(about->approve->by, about->approve->n_by, who);
}

/* Whoever has to decide on a request may see what led to it, and what came of it once it was approved. */
static bool decides_on_it(struct ledger *ledger, const Ipc__Identity *who, const Ipc__AskReplay *ask)
{
    char id[APPROVAL_ID + 1];
    Ipc__Approval *over = NULL;
    if (!approval_read_id(ask->approval, id))
        return false;
    const struct request *live = approvals_find(ledger->approvals, id);
    if (live)
        return is_of_theirs(live->about, who, ask->id);
    if (approval_store_get(ledger->approvals->store, id, &over))
        return false;
    bool theirs = over->state == IPC__APPROVAL_STATE__APPROVAL_CONSUMED && is_of_theirs(over, who, ask->id);
    ipc__approval__free_unpacked(over, NULL);
    return theirs;
}

static int enter_replay(struct ledger *ledger, const Ipc__Identity *who, const Ipc__AskReplay *ask)
{
    Ipc__Variable request = lent_variable("request", ask->approval), *fields[] = { &request };
    Ipc__AuditEvent event = ledger_event(ask->watch ? "watch" : "replay", who);
    event.recording = ask->id;
    event.fields = fields;
    event.n_fields = ask->approval[0] ? 1 : 0;
    return ledger_enter(ledger, &event);
}

static bool may_watch(struct ledger *ledger, const Ipc__Identity *who, const Ipc__AskReplay *ask)
{
    return ask->watch && identity_may(who, "watch") && gate_by_recording(ledger, ask->id);
}

int ledger_replay(struct ledger *ledger, const Ipc__Identity *who, const Ipc__AskReplay *ask, int *ret_fd)
{
    char place[RECORDING_PLACE + 1];
    if (!recording_id_valid(ask->id))
        return -ENOENT;
    CLEANUP(fd_close)
    int fd =
        openat(ledger->recordings_fd, recording_place(place, ask->id), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return errno == ELOOP ? -ENOENT : -errno;
    /* A broken recording of theirs stays visible to those who see all. */
    int r = sees_all(who) || may_watch(ledger, who, ask) || decides_on_it(ledger, who, ask)
                ? 0
                : check_owner(ledger, fd, ask->id, who);
    if (r == 0)
        r = enter_replay(ledger, who, ask);
    if (r == 0)
        *ret_fd = STEAL_FD(fd);
    return r;
}
