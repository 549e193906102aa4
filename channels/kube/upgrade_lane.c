/* What each stream is, whichever protocol carries it: who may say what on it, and what becomes of it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_object.h"
#include "base/text.h"
#include "channels/kube/upgrade_parts.h"

void upgrade_lane_free(struct lane *lane)
{
    if (!lane)
        return;
    buffer_free(&lane->text);
    free(lane);
}

static bool is_output(const struct lane *lane)
{
    return lane->seen.kind == KUBE_STDOUT || lane->seen.kind == KUBE_STDERR;
}

/* ---- which there are ---- */

struct lane *upgrade_open(struct kube_upgrade *u, enum kube_lane_kind kind, uint32_t id, uint32_t port)
{
    struct lane **wider = reallocarray(u->lanes, u->n_lanes + 1, sizeof(struct lane *));
    if (!wider)
        return NULL;
    u->lanes = wider;
    struct lane *lane = u->n_lanes < KUBE_LANES_MAX ? calloc(1, sizeof *lane) : NULL;
    if (!lane)
        return NULL;
    lane->seen = (struct kube_lane){ .kind = kind, .id = id, .port = port };
    buffer_init(&lane->text, kind == KUBE_RESIZE ? KUBE_RESIZE_MAX : KUBE_ERROR_MAX);
    u->lanes[u->n_lanes++] = lane;
    return lane;
}

struct lane *upgrade_lane(const struct kube_upgrade *u, uint32_t id)
{
    for (size_t i = 0; i < u->n_lanes; i++)
        if (u->lanes[i]->seen.id == id)
            return u->lanes[i];
    return NULL;
}

struct lane *upgrade_lane_of(const struct kube_upgrade *u, enum kube_lane_kind kind)
{
    for (size_t i = 0; i < u->n_lanes; i++)
        if (u->lanes[i]->seen.kind == kind)
            return u->lanes[i];
    return NULL;
}

int upgrade_drop(struct kube_upgrade *u, struct lane *lane)
{
    bool tells = lane->seen.kind == KUBE_PORT && u->calls->closed;
    int r = tells ? u->calls->closed(u->owner, &lane->seen) : 0;
    for (size_t i = 0; i < u->n_lanes; i++) {
        if (u->lanes[i] != lane)
            continue;
        u->lanes[i] = u->lanes[--u->n_lanes];
        break;
    }
    for (size_t i = 0; i < 2; i++)
        if (u->ends[i].lane == lane)
            u->ends[i].lane = NULL;
    upgrade_lane_free(lane);
    return r;
}

/* ---- output ---- */

static int give(struct kube_upgrade *u, const struct lane *lane, const uint8_t *bytes, size_t n)
{
    int r = 0;
    for (size_t at = 0, part; r == 0 && at < n; at += part) {
        part = n - at < KUBE_UPGRADE_STEP_MAX ? n - at : KUBE_UPGRADE_STEP_MAX;
        r = upgrade_put(u, KUBE_CLIENT, lane, bytes + at, part);
    }
    return r;
}

static int show(struct kube_upgrade *u, const struct lane *lane)
{
    int r = give(u, lane, buffer_head(&u->shown), buffer_size(&u->shown));
    buffer_consume(&u->shown, buffer_size(&u->shown));
    return r;
}

static int end_output(struct kube_upgrade *u, const struct lane *lane)
{
    int r = u->calls->output_ended(u->owner, &lane->seen, &u->shown);
    return r ? r : show(u, lane);
}

int upgrade_flush(struct kube_upgrade *u)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < u->n_lanes; i++)
        if (is_output(u->lanes[i]))
            r = end_output(u, u->lanes[i]);
    return r;
}

int kube_upgrade_show(struct kube_upgrade *u, const void *bytes, size_t n)
{
    const struct lane *lane = upgrade_lane_of(u, KUBE_STDOUT);
    int r = lane && !u->over ? give(u, lane, bytes, n) : 0;
    return r ? r : upgrade_wrap(u);
}

static int from_output(struct kube_upgrade *u, struct lane *lane, const uint8_t *bytes, size_t n)
{
    lane->seen.out += n;
    if (n == 0)
        return upgrade_put(u, KUBE_CLIENT, lane, NULL, 0);
    int r = u->calls->output(u->owner, &lane->seen, bytes, n, &u->shown);
    return r ? r : show(u, lane);
}

/* ---- how it ended, or a port failed ---- */

/* All output comes before it, also what was held. */
static int finish_error(struct kube_upgrade *u, struct lane *lane)
{
    struct kube_exit exit;
    const uint8_t *text = buffer_head(&lane->text);
    size_t n = buffer_size(&lane->text);
    int r = 0;
    if (!u->forwards && n > 0) {
        r = upgrade_flush(u);
        r = r ? r : kube_exit_read(text, n, u->says_status, &exit);
        if (r == 0 && u->calls->exited)
            r = u->calls->exited(u->owner, &exit);
    }
    if (r == 0 && u->forwards && n > 0 && u->calls->answered)
        r = u->calls->answered(u->owner, &lane->seen, text, n);
    r = r ? r : upgrade_put(u, KUBE_CLIENT, lane, text, n);
    buffer_consume(&lane->text, n);
    return r;
}

static int from_error(struct kube_upgrade *u, struct lane *lane, const uint8_t *bytes, size_t n, bool whole,
                      struct detail *detail)
{
    int r = n ? buffer_append(&lane->text, bytes, n) : 0;
    if (r == -ENOBUFS)
        return detail_fail(detail, KUBE_UPGRADE_ENDED, "the server says more than 64 KiB of an error");
    lane->seen.out += n;
    return r || !whole ? r : finish_error(u, lane);
}

/* ---- a terminal's size ---- */

static bool read_side(const struct json_object *object, const char *name, uint64_t *ret)
{
    const struct json_member *member = json_object_find(object, name);
    return member && member->kind == JSON_NUMBER && text_to_u64(member->value, UINT16_MAX, ret);
}

static int resize(struct kube_upgrade *u, const struct lane *lane, const uint8_t *text, size_t n,
                  struct detail *detail)
{
    CLEANUP(json_object_free) struct json_object object = { .n = 0 };
    uint64_t columns = 0, rows = 0;
    struct buffer anew;
    if (json_object_read(text, n, &object, NULL) || !read_side(&object, "Width", &columns) ||
        !read_side(&object, "Height", &rows))
        return detail_fail(detail, KUBE_UPGRADE_ENDED, "that is no size of a terminal");
    buffer_init(&anew, KUBE_RESIZE_MAX);
    int r = u->calls->resized ? u->calls->resized(u->owner, (unsigned)columns, (unsigned)rows) : 0;
    r = r ? r : buffer_printf(&anew, "{\"Width\":%u,\"Height\":%u}\n", (unsigned)columns, (unsigned)rows);
    r = r ? r : upgrade_put(u, KUBE_SERVER, lane, buffer_head(&anew), buffer_size(&anew));
    buffer_free(&anew);
    return r;
}

/* Objects, one after the other. */
static int from_resize(struct kube_upgrade *u, struct lane *lane, const uint8_t *bytes, size_t n,
                       struct detail *detail)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < n; i++) {
        if (buffer_size(&lane->text) == 0 && strchr(" \t\r\n", bytes[i]) && bytes[i])
            continue;
        r = buffer_put_u8(&lane->text, bytes[i]);
        if (r == -ENOBUFS)
            return detail_fail(detail, KUBE_UPGRADE_ENDED, "that is no size of a terminal");
        if (r || bytes[i] != '}')
            continue;
        r = resize(u, lane, buffer_head(&lane->text), buffer_size(&lane->text), detail);
        buffer_consume(&lane->text, buffer_size(&lane->text));
    }
    return r;
}

/* ---- the rest ---- */

static int from_input(struct kube_upgrade *u, struct lane *lane, const uint8_t *bytes, size_t n,
                      struct detail *detail)
{
    if (n > 0 && !u->takes_input)
        return detail_fail(detail, KUBE_UPGRADE_ENDED, "standard input was not asked for");
    lane->seen.in += n;
    int r = n > 0 && u->calls->input ? u->calls->input(u->owner, bytes, n) : 0;
    return r ? r : upgrade_put(u, KUBE_SERVER, lane, bytes, n);
}

static int from_port(struct kube_upgrade *u, enum kube_side from, struct lane *lane, const uint8_t *bytes,
                     size_t n)
{
    *(from == KUBE_CLIENT ? &lane->seen.in : &lane->seen.out) += n;
    return upgrade_put(u, kube_other(from), lane, bytes, n);
}

static bool may_say(enum kube_side from, enum kube_lane_kind kind)
{
    switch (kind) {
    case KUBE_STDIN:
    case KUBE_RESIZE:
        return from == KUBE_CLIENT;
    case KUBE_STDOUT:
    case KUBE_STDERR:
    case KUBE_ERROR:
        return from == KUBE_SERVER;
    case KUBE_PORT:
        break;
    }
    return true;
}

int upgrade_bytes(struct kube_upgrade *u, enum kube_side from, struct lane *lane, const uint8_t *bytes,
                  size_t n, bool whole, struct detail *detail)
{
    if (!may_say(from, lane->seen.kind) && n == 0)
        return 0; /* which is nothing */
    if (!may_say(from, lane->seen.kind))
        return detail_fail(detail, KUBE_UPGRADE_ENDED, "data on a stream of the other direction");
    if (lane->ended[from] && n > 0)
        return detail_fail(detail, KUBE_UPGRADE_ENDED, "data after the end of its stream");
    switch (lane->seen.kind) {
    case KUBE_STDIN:
        return from_input(u, lane, bytes, n, detail);
    case KUBE_STDOUT:
    case KUBE_STDERR:
        return from_output(u, lane, bytes, n);
    case KUBE_ERROR:
        return from_error(u, lane, bytes, n, whole, detail);
    case KUBE_RESIZE:
        return from_resize(u, lane, bytes, n, detail);
    case KUBE_PORT:
        break;
    }
    return from_port(u, from, lane, bytes, n);
}

int upgrade_end_lane(struct kube_upgrade *u, enum kube_side from, struct lane *lane)
{
    int r = 0;
    if (lane->ended[from])
        return 0;
    lane->ended[from] = true;
    if (from == KUBE_SERVER && is_output(lane))
        r = end_output(u, lane);
    else if (from == KUBE_SERVER && lane->seen.kind == KUBE_ERROR && buffer_size(&lane->text) > 0)
        r = finish_error(u, lane);
    else if (from == KUBE_CLIENT && lane->seen.kind == KUBE_STDIN && u->calls->input_ended)
        r = u->calls->input_ended(u->owner);
    else if (from == KUBE_SERVER && lane->seen.kind == KUBE_PORT && !lane->reset && u->calls->answered)
        r = u->calls->answered(u->owner, &lane->seen, NULL, 0);
    r = r ? r : upgrade_put_end(u, kube_other(from), lane);
    return r || !lane->ended[kube_other(from)] ? r : upgrade_drop(u, lane);
}

int upgrade_finish(struct kube_upgrade *u)
{
    int r = upgrade_flush(u);
    for (size_t i = 0; r == 0 && i < u->n_lanes; i++) {
        struct lane *lane = u->lanes[i];
        if (lane->seen.kind != KUBE_ERROR || buffer_size(&lane->text) == 0)
            continue;
        r = upgrade_end_lane(u, KUBE_SERVER, lane);
        i = SIZE_MAX; /* it may have gone: from the first one again */
    }
    return r;
}

int kube_upgrade_forget(struct kube_upgrade *u)
{
    int r = 0;
    while (r == 0 && u->n_lanes > 0)
        r = upgrade_drop(u, u->lanes[u->n_lanes - 1]);
    u->over = true;
    return r;
}
