/* See tls_pump.h. Back-pressure both ways: neither side is read while the other does not take what was read
 * before. */
#include "channels/tls_pump.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "channels/tls.h"

struct tls_pump {
    struct tls *tls;
    int client_fd, inner_fd;
    struct source *client, *inner;
    struct timer *timer;
    struct buffer in, out;          /* read from the client; read from the inner side */
    bool client_ended, inner_ended; /* nothing more comes from there */
    bool client_shut, inner_shut;   /* nothing more goes there */
    bool broken;                    /* the client's side: what is left is an alert */
    bool inside;
};

static void step(struct tls_pump *p);

static void pump_free(struct tls_pump *p)
{
    if (!p)
        return;
    source_free(p->client);
    source_free(p->inner);
    timer_free(p->timer);
    tls_free(p->tls);
    buffer_free(&p->in);
    buffer_free(&p->out);
    fd_close(p->client_fd);
    fd_close(p->inner_fd);
    free(p);
}
DEFINE_CLEANUP(struct tls_pump *, pump_free)

static void time_is_up(void *owner)
{
    pump_free(owner);
}

/* ---- bytes ---- */

static void break_off(struct tls_pump *p, const struct detail *detail)
{
    if (!p->broken)
        log_event(LOG_WARNING, "tls_failed", "detail", detail->text[0] ? detail->text : "out of memory",
                  NULL);
    p->broken = true;
    p->client_ended = p->inner_ended = true;
    buffer_consume(&p->in, buffer_size(&p->in));
    buffer_consume(&p->out, buffer_size(&p->out));
}

static void from_client(struct tls_pump *p)
{
    struct detail detail = { "" };
    size_t n = 0;
    if (!p->client_ended && buffer_size(&p->in) == 0) {
        int r = buffer_read(&p->in, p->client_fd, TLS_PART, &n);
        p->client_ended = r != -EAGAIN && (r || n == 0);
    }
    if (!p->broken &&
        buffer_room(tls_plain(p->tls)) >= TLS_PART) { /* also for what there was no room for before */
        int r = tls_take(p->tls, buffer_head(&p->in), buffer_size(&p->in), &detail);
        buffer_consume(&p->in, buffer_size(&p->in));
        if (r)
            break_off(p, &detail);
    }
    p->client_ended = p->client_ended || tls_peer_ended(p->tls);
}

static void to_inner(struct tls_pump *p)
{
    struct buffer *plain = tls_plain(p->tls);
    if (buffer_size(plain) > 0 && buffer_write(plain, p->inner_fd)) /* it wants no more */
        buffer_consume(plain, buffer_size(plain));
    if (p->client_ended && !p->inner_shut && buffer_size(plain) == 0 && buffer_size(&p->in) == 0) {
        p->inner_shut = true;
        (void)shutdown(p->inner_fd, SHUT_WR);
    }
}

static void from_inner(struct tls_pump *p)
{
    struct detail detail = { "" };
    size_t n = 0;
    if (!p->inner_ended && buffer_size(&p->out) == 0 && buffer_size(tls_cipher(p->tls)) < TLS_CIPHER_MAX) {
        int r = buffer_read(&p->out, p->inner_fd, TLS_PLAIN_MAX, &n);
        p->inner_ended = r != -EAGAIN && (r || n == 0);
    }
    if (buffer_size(&p->out) > 0) {
        int r = tls_give(p->tls, buffer_head(&p->out), buffer_size(&p->out), &n, &detail);
        if (r)
            break_off(p, &detail);
        else
            buffer_consume(&p->out, n);
    }
}

static void to_client(struct tls_pump *p)
{
    struct buffer *cipher = tls_cipher(p->tls);
    if (p->inner_ended && buffer_size(&p->out) == 0 && !p->client_shut) {
        p->client_shut = true;
        tls_close(p->tls);
        timer_set(p->timer, TLS_DRAIN_MS);
    }
    if (buffer_size(cipher) == 0)
        return;
    if (buffer_write(cipher, p->client_fd)) { /* it takes nothing any more */
        buffer_consume(cipher, buffer_size(cipher));
        p->client_ended = p->inner_ended = p->client_shut = true;
        buffer_consume(&p->out, buffer_size(&p->out));
    }
    if (p->client_shut && buffer_size(cipher) == 0) {
        (void)shutdown(p->client_fd, SHUT_WR);
        timer_set(p->timer, TLS_LINGER_MS);
    }
}

/* ---- the step ---- */

static void set_interest(struct tls_pump *p)
{
    bool take = !p->client_ended && buffer_size(&p->in) == 0;
    bool give =
        !p->inner_ended && buffer_size(&p->out) == 0 && buffer_size(tls_cipher(p->tls)) < TLS_CIPHER_MAX;
    source_interest(p->client,
                    (take ? LOOP_READ : 0) | (buffer_size(tls_cipher(p->tls)) > 0 ? LOOP_WRITE : 0));
    source_interest(p->inner, (give ? LOOP_READ : 0) | (buffer_size(tls_plain(p->tls)) > 0 ? LOOP_WRITE : 0));
    buffer_shrink(tls_cipher(p->tls), 0);
    buffer_shrink(tls_plain(p->tls), 0);
}

static bool is_over(struct tls_pump *p)
{
    return p->client_shut && p->client_ended && buffer_size(tls_cipher(p->tls)) == 0;
}

/* What was too much for the cipher's buffer, which has gone out whole meanwhile: nobody would wake us for it.
 */
static bool is_left_over(struct tls_pump *p)
{
    return tls_is_open(p->tls) && buffer_size(&p->out) > 0 && buffer_size(tls_cipher(p->tls)) == 0;
}

static void step(struct tls_pump *p)
{
    bool was_open = tls_is_open(p->tls);
    from_client(p);
    to_inner(p);
    from_client(p); /* what there was no room for */
    do {
        from_inner(p);
        to_client(p);
    } while (is_left_over(p));
    if (!was_open && tls_is_open(p->tls) && !p->client_shut)
        timer_stop(p->timer);
    if (is_over(p))
        pump_free(p);
    else
        set_interest(p);
}

static void ready(void *owner, uint32_t what)
{
    (void)what;
    step(owner);
}

int tls_pump_begin(struct loop *loop, struct tls_server *server, int client_fd, int inner_fd)
{
    CLEANUP(pump_free) struct tls_pump *p = calloc(1, sizeof *p);
    if (!p) {
        fd_close(client_fd);
        fd_close(inner_fd);
        return -ENOMEM;
    }
    p->client_fd = client_fd;
    p->inner_fd = inner_fd;
    buffer_init(&p->in, TLS_PART);
    buffer_init(&p->out, TLS_PLAIN_MAX);
    int r = tls_new(server, &p->tls);
    r = r ? r : fd_nonblock(client_fd, true);
    r = r ? r : fd_nonblock(inner_fd, true);
    r = r ? r : timer_new(loop, time_is_up, p, &p->timer);
    r = r ? r : source_new(loop, client_fd, LOOP_READ, ready, p, &p->client);
    r = r ? r : source_new(loop, inner_fd, LOOP_READ, ready, p, &p->inner);
    if (r)
        return r;
    timer_set(p->timer, TLS_HANDSHAKE_MS);
    (void)STEAL(p);
    return 0;
}
