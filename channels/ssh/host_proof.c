/* See host_proof.h. Whoever waits for it has a limit of its own. */
#include "channels/ssh/host_proof.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"

enum { CHUNK = 16 * 1024 };

struct host_proof {
    const struct host_proof_calls *calls;
    void *owner;
    int fd;
    struct source *source;
    struct host_offer offer;
};

void host_proof_free(struct host_proof *proof)
{
    if (!proof)
        return;
    source_free(proof->source);
    fd_close(proof->fd);
    host_offer_clear(&proof->offer);
    free(proof);
}
DEFINE_CLEANUP(struct host_proof *, host_proof_free)

/* 0: it goes on. */
static int move(struct host_proof *proof)
{
    struct host_offer *offer = &proof->offer;
    size_t n = 0;
    int r = buffer_read(&offer->in, proof->fd, CHUNK, &n);
    if (r == -EAGAIN || r == -EINTR)
        r = 0;
    else if (r == 0 && n == 0)
        r = detail_fail(&offer->why, HOST_OFFER_PROTOCOL, "the host closed the connection");
    r = r ? r : host_offer_run(offer);
    if (r == 0 && buffer_size(&offer->out) > 0)
        r = buffer_write(&offer->out, proof->fd);
    return r == -EAGAIN ? 0 : r;
}

static void ready(void *owner, uint32_t events)
{
    struct host_proof *proof = owner;
    struct host_offer *offer = &proof->offer;
    (void)events;
    int r = move(proof);
    source_interest(proof->source, LOOP_READ | (buffer_size(&offer->out) > 0 ? LOOP_WRITE : 0));
    if (r)
        proof->calls->failed(proof->owner, r == HOST_OFFER_NONE, r > 0 ? offer->why.text : strerror(-r));
    else if (offer->state == OFFER_DONE)
        proof->calls->shown(proof->owner, buffer_head(&offer->certificate), buffer_size(&offer->certificate));
}

int host_proof_new(struct loop *loop, int fd, const struct host_proof_calls *calls, void *owner,
                   struct host_proof **ret)
{
    CLEANUP(host_proof_free) struct host_proof *proof = calloc(1, sizeof *proof);
    if (!proof) {
        fd_close(fd);
        return -ENOMEM;
    }
    proof->calls = calls;
    proof->owner = owner;
    proof->fd = fd;
    int r = host_offer_init(&proof->offer);
    r = r ? r : fd_nonblock(fd, true);
    r = r ? r : source_new(loop, fd, LOOP_READ | LOOP_WRITE, ready, proof, &proof->source);
    if (r == 0)
        *ret = STEAL(proof);
    return r;
}
