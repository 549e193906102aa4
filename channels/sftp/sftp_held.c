/* Requests that people decide on. They stand aside, so that whoever has several under way (sshfs, a mirror)
 * goes on with the others; answers come in any order in SFTP. Once decided a request is taken as if it had
 * just come: where its paths lead is asked again, and must be what was agreed to. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "channels/sftp/sftp_parts.h"

static void destroy(struct sftp_held *held)
{
    free(held->packet);
    free(held->text);
    free(held);
}

int sftp_hold(struct sftp *s, size_t size, const char *text, const struct file_verdict *verdict)
{
    struct sftp_held *held = calloc(1, sizeof *held), **end = &s->held;
    if (!held)
        return -ENOMEM;
    *held =
        (struct sftp_held){ .packet = malloc(size), .n = size, .text = strdup(text), .verdict = *verdict };
    if (!held->packet || !held->text) {
        destroy(held);
        return -ENOMEM;
    }
    memcpy(held->packet, buffer_head(&s->transfer.from_client), size);
    buffer_consume(&s->transfer.from_client, size);
    while (*end)
        end = &(*end)->next;
    *end = held;
    s->n_held++;
    return 0;
}

struct sftp_held *sftp_next_held(const struct sftp *s)
{
    struct sftp_held *held = s->held;
    while (held && !held->decided)
        held = held->next;
    return held;
}

void sftp_held_free(struct sftp *s, struct sftp_held *held)
{
    for (struct sftp_held **at = &s->held; *at; at = &(*at)->next) {
        if (*at == held) {
            *at = held->next;
            s->n_held--;
            break;
        }
    }
    destroy(held);
}

void sftp_decided(struct transfer *transfer, const struct file_verdict *verdict)
{
    for (struct sftp_held *held = sftp_of(transfer)->held; held; held = held->next) {
        if (held->verdict.number == verdict->number && !held->decided) {
            bool look = held->verdict.look;
            held->verdict = *verdict;
            held->verdict.look = look;
            held->decided = true;
            return;
        }
    }
}
