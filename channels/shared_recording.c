/* See shared_recording.h. */
#include "channels/shared_recording.h"

#include <stdlib.h>

#include "channels/recording.h"

struct shared_recording {
    struct shared_recording *next;
    struct gate *gate;
    const Ipc__Target *target;
    uint32_t request;          /* to the ledger, until it has answered */
    struct recorder *recorder; /* from then on */
    size_t users;
    bool closed;
    struct timer *idle;
};

static void drop(struct shared_recording *shared, const char *reason)
{
    struct shared_recording **at = &shared->gate->shared_recordings;
    while (*at != shared)
        at = &(*at)->next;
    *at = shared->next;
    if (shared->recorder)
        recording_finish(shared->gate, shared->recorder, 0, reason);
    timer_free(shared->idle);
    free(shared);
}

static void is_idle(void *owner)
{
    drop(owner, "closed");
}

static struct shared_recording *add(struct channel *channel)
{
    struct gate *gate = channel->gate;
    struct shared_recording *shared = calloc(1, sizeof *shared);
    if (!shared)
        return NULL;
    *shared =
        (struct shared_recording){ .next = gate->shared_recordings, .gate = gate, .target = channel->target };
    const struct recording_about about = {
        .kind = "forward", .target = channel->target, .login = channel->target->login, .command = ""
    };
    if (timer_new(gate->loop, is_idle, shared, &shared->idle)) {
        free(shared);
        return NULL;
    }
    gate->shared_recordings = shared;
    shared->request = recording_ask(gate, &about);
    if (shared->request == 0) {
        drop(shared, "");
        return NULL;
    }
    return shared;
}

static struct shared_recording *find(const struct gate *gate, const Ipc__Target *target)
{
    struct shared_recording *shared = gate->shared_recordings;
    while (shared && (shared->target != target || shared->closed ||
                      (shared->recorder && recorder_failed(shared->recorder))))
        shared = shared->next;
    return shared;
}

void channel_record_shared(struct channel *channel, channel_recorded *recorded)
{
    struct shared_recording *shared = find(channel->gate, channel->target);
    if (!shared)
        shared = add(channel);
    if (!shared) {
        channel_refuse(channel, &(struct refusal){ .code = "recording_unavailable",
                                                   .reason = "no recording could be started" });
        return;
    }
    shared->users++;
    timer_stop(shared->idle);
    channel->shared = shared;
    channel->recorder = shared->recorder;
    if (shared->recorder)
        recorded(channel);
    else
        channel->recorded = recorded;
}

bool shared_recording_answered(struct gate *gate, Ipc__AnswerRecording *answer, int *fds, size_t n_fds)
{
    struct shared_recording *shared = gate->shared_recordings;
    while (shared && (shared->request != answer->request || answer->request == 0))
        shared = shared->next;
    if (!shared)
        return false;
    struct refusal why;
    shared->request = 0;
    shared->recorder = recording_begin(gate, answer, fds, n_fds, &why);
    shared->users++; /* it stays while those that wait are told */
    for (struct channel *channel = gate->channels, *next; channel; channel = next) {
        next = channel->next;
        if (channel->shared != shared)
            continue;
        channel_recorded *recorded = STEAL(channel->recorded);
        channel->recorder = shared->recorder;
        if (shared->recorder)
            recorded(channel);
        else
            channel_refuse(channel, &why);
    }
    shared->closed = shared->closed || !shared->recorder;
    if (--shared->users == 0 && shared->closed)
        drop(shared, "closed");
    else if (shared->users == 0)
        timer_set(shared->idle, SHARED_RECORDING_IDLE_MS);
    return true;
}

void shared_recording_leave(struct channel *channel)
{
    struct shared_recording *shared = channel->shared;
    if (!shared)
        return;
    channel->shared = NULL;
    channel->recorder = NULL;
    if (--shared->users > 0)
        return;
    if (shared->closed || (shared->recorder && recorder_failed(shared->recorder)))
        drop(shared, "closed");
    else
        timer_set(shared->idle, SHARED_RECORDING_IDLE_MS);
}

void shared_recording_close(struct channel *channel)
{
    if (channel->shared)
        channel->shared->closed = true;
}

void shared_recordings_end(struct gate *gate)
{
    while (gate->shared_recordings)
        drop(gate->shared_recordings, "connection closed");
}
