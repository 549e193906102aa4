/* Where connections stand: in a table by their number, and in the queue of their phase, oldest first. */
#include "server/listener.h"

void queue_add(struct queue *queue, struct connection *c, bool of_logins)
{
    struct connection *last = queue->last;
    *(of_logins ? &c->login_earlier : &c->earlier) = last;
    *(of_logins ? &c->login_later : &c->later) = NULL;
    if (last)
        *(of_logins ? &last->login_later : &last->later) = c;
    else
        queue->first = c;
    queue->last = c;
    queue->n++;
}

void queue_remove(struct queue *queue, struct connection *c, bool of_logins)
{
    struct connection *earlier = of_logins ? c->login_earlier : c->earlier;
    struct connection *later = of_logins ? c->login_later : c->later;
    if (earlier)
        *(of_logins ? &earlier->login_later : &earlier->later) = later;
    else
        queue->first = later;
    if (later)
        *(of_logins ? &later->login_earlier : &later->earlier) = earlier;
    else
        queue->last = earlier;
    queue->n--;
}

struct connection *connection_by_id(struct listener *l, uint64_t id)
{
    struct connection *c = l->table[id % LISTENER_BUCKETS];
    while (c && c->id != id)
        c = c->next;
    return c;
}

void table_add(struct connection *c)
{
    struct connection **slot = &c->listener->table[c->id % LISTENER_BUCKETS];
    c->next = *slot;
    c->slot = slot;
    if (c->next)
        c->next->slot = &c->next;
    *slot = c;
}

void table_remove(struct connection *c)
{
    *c->slot = c->next;
    if (c->next)
        c->next->slot = c->slot;
}
