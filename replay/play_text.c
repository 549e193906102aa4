/* A recording as plain text: who and when, then what was asked, decided and answered, without escape
 * sequences. */
#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "replay/filter.h"
#include "replay/pgvalue.h"
#include "replay/play.h"

struct counts {
    uint64_t requests, denied;
};

static int put(struct buffer *out, const char *label, const char *value)
{
    int r = buffer_append(out, label, strlen(label));
    return r ? r : print_escaped(value, strlen(value), false, out);
}

static int print_header(const Ipc__Header *h, struct buffer *out)
{
    char time[32];
    const Ipc__Identity *who = h->identity;
    int r = put(out, "# recording ", h->id);
    if (r == 0)
        r = buffer_printf(out, "\n# started   %s\n", text_time(time, h->started_ms));
    if (r == 0)
        r = put(out, "# identity  ", who ? who->name : "");
    if (r == 0 && who && who->claims && who->claims->actor[0])
        r = put(out, "\n# actor     ", who->claims->actor);
    if (r == 0 && who && who->claims && who->claims->authorized_party[0])
        r = put(out, "\n# program   ", who->claims->authorized_party);
    for (size_t i = 0; who && i < who->n_roles && r == 0; i++)
        r = put(out, i ? ", " : "\n# roles     ", who->roles[i]);
    if (r == 0)
        r = put(out, "\n# source    ", who ? who->source_address : "");
    if (r == 0)
        r = put(out, "\n# target    ", h->target);
    if (r == 0)
        r = put(out, "\n# channel   ", h->kind);
    if (r == 0 && h->command[0])
        r = put(out, "\n# command   ", h->command);
    return r ? r : buffer_append(out, "\n\n", 2);
}

static int print_end(const Ipc__End *end, const struct counts *counts, struct buffer *out)
{
    int r = buffer_printf(out, "\n# ended     status %u, %llu requests, %llu denied", end->status,
                          (unsigned long long)counts->requests, (unsigned long long)counts->denied);
    if (r == 0 && end->reason[0])
        r = put(out, ": ", end->reason);
    return r ? r : buffer_append(out, "\n", 1);
}

static void count(struct counts *counts, const Ipc__Event *event)
{
    if (event->what_case != IPC__EVENT__WHAT_REQUEST)
        return;
    counts->requests++;
    counts->denied += strcmp(event->request->verdict, "deny") == 0;
}

static int play_one(struct play *play, struct scene *scene, struct filter *filter, const Ipc__Event *event,
                    const struct counts *counts, struct buffer *out)
{
    struct buffer shown;
    buffer_init(&shown, SCENE_OUT_MAX);
    int r = scene_event(scene, event, play->entry.body, play->entry.body_n, &shown);
    if (r == 0)
        r = filter_run(filter, buffer_head(&shown), buffer_size(&shown), out);
    buffer_free(&shown);
    if (r == 0 && event->what_case == IPC__EVENT__WHAT_HEADER)
        r = print_header(event->header, out);
    if (r == 0 && event->what_case == IPC__EVENT__WHAT_END)
        r = print_end(event->end, counts, out);
    return r;
}

static int play_all(struct play *play, struct scene *scene, struct buffer *out, int out_fd)
{
    struct filter filter;
    struct counts counts = { 0 };
    Ipc__Event *event;
    int r = 0, failed = 0;
    filter_init(&filter, true);
    while (r == 0 && (event = play_next(play, &failed))) {
        count(&counts, event);
        r = play_one(play, scene, &filter, event, &counts, out);
        event_free(event);
        if (r == 0)
            r = play_write(out_fd, out);
    }
    if (r == 0)
        r = failed;
    if (r == 0)
        r = scene_end(scene, out);
    if (r == 0 && play->ending)
        r = buffer_printf(out, "\n# %s\n", play->ending);
    return r ? r : play_write(out_fd, out);
}

int play_text(struct play *play, int out_fd)
{
    CLEANUP(scene_free) struct scene *scene = NULL;
    struct buffer out;
    buffer_init(&out, 4 * (size_t)SCENE_OUT_MAX);
    int r = scene_new(&play->outline, false, &scene);
    if (r == 0)
        r = play_all(play, scene, &out, out_fd);
    buffer_free(&out);
    return r;
}
