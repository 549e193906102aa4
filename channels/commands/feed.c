/* See feed.h. */
#include "channels/commands/feed.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/approval_form.h"

void feed_item_free(struct feed_item *item)
{
    if (!item)
        return;
    free(item->grant);
    free(item);
}

static bool waits(const struct feed *feed, const char *id)
{
    for (const struct feed_item *item = feed->first; item; item = item->next)
        if (!item->grant && strcmp(item->id, id) == 0)
            return true;
    return false;
}

static char *grant_line(const Ipc__Grant *grant)
{
    struct buffer line;
    char *text = NULL;
    buffer_init(&line, FEED_GRANT_MAX);
    if (approval_grant_json(&line, grant) == 0)
        text = strndup((const char *)buffer_head(&line), buffer_size(&line));
    buffer_free(&line);
    return text;
}

int feed_add(struct feed *feed, const Ipc__ApprovalNews *news)
{
    if (!news->grant && (!news->approval || waits(feed, news->id)))
        return 0;
    if (feed->n >= FEED_MAX)
        return -ENOBUFS;
    CLEANUP(feed_item_free) struct feed_item *item = calloc(1, sizeof *item);
    if (!item)
        return -ENOMEM;
    (void)snprintf(item->id, sizeof item->id, "%s", news->id);
    if (news->grant && !(item->grant = grant_line(news->grant)))
        return -ENOMEM;
    if (feed->last)
        feed->last->next = item;
    else
        feed->first = item;
    feed->last = STEAL(item);
    feed->n++;
    return 0;
}

struct feed_item *feed_take(struct feed *feed)
{
    struct feed_item *item = feed->first;
    if (!item)
        return NULL;
    feed->first = item->next;
    if (!feed->first)
        feed->last = NULL;
    feed->n--;
    item->next = NULL;
    return item;
}

void feed_free(struct feed *feed)
{
    for (struct feed_item *item; (item = feed_take(feed));)
        feed_item_free(item);
}
