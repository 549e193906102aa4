/* Every event as one JSON object per line, for programs. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "replay/play.h"
#include "replay/play_approval.h"

static void put_base64(struct json *j, const char *key, const uint8_t *bytes, size_t n)
{
    CLEANUP(free) char *text = malloc(4 * ((n + 2) / 3) + 1);
    if (!text)
        j->failed = true;
    else
        json_text(j, key, text_base64(text, bytes, n));
}

static void put_strings(struct json *j, const char *key, char **items, size_t n)
{
    json_open_array(j, key);
    for (size_t i = 0; i < n; i++)
        json_text(j, NULL, items[i]);
    json_close_array(j);
}

static void put_identity(struct json *j, const Ipc__Identity *who)
{
    json_open_object(j, "identity");
    json_text(j, "name", who->name);
    if (who->claims && who->claims->actor[0])
        json_text(j, "actor", who->claims->actor);
    if (who->claims && who->claims->authorized_party[0])
        json_text(j, "authorized_party", who->claims->authorized_party);
    put_strings(j, "roles", who->roles, who->n_roles);
    json_text(j, "key", who->fingerprint);
    json_u64(j, "serial", who->serial);
    json_text(j, "ca", who->ca_fingerprint);
    json_text(j, "source", who->source_address);
    json_u64(j, "source_port", who->source_port);
    json_u64(j, "connection", who->connection);
    json_close_object(j);
}

static void put_header(struct json *j, const Ipc__Header *h)
{
    json_u64(j, "version", h->version);
    json_text(j, "id", h->id);
    if (h->identity)
        put_identity(j, h->identity);
    json_text(j, "kind", h->kind);
    json_text(j, "target", h->target);
    json_text(j, "target_kind", h->target_kind);
    json_text(j, "login", h->login);
    json_text(j, "command", h->command);
    json_text(j, "node", h->node);
    if (h->pty) {
        json_open_object(j, "pty");
        json_text(j, "term", h->pty->term);
        json_u64(j, "columns", h->pty->columns);
        json_u64(j, "rows", h->pty->rows);
        json_close_object(j);
    }
}

/* Bound parameters: text as strings, binary as {"base64": …}, NULL as null. */
static void put_values(struct json *j, const Ipc__Request *r)
{
    json_open_array(j, "values");
    for (size_t i = 0; i < r->n_values; i++) {
        const ProtobufCBinaryData *v = &r->values[i];
        if (i < r->n_nulls && r->nulls[i]) {
            json_text(j, NULL, NULL);
        } else if (i < r->n_formats && r->formats[i] == 1) {
            json_open_object(j, NULL);
            put_base64(j, "base64", v->data, v->len);
            json_close_object(j);
        } else {
            json_bytes(j, NULL, v->data, v->len);
        }
    }
    json_close_array(j);
}

static void put_request(struct json *j, const Ipc__Request *r, const struct chain_entry *entry)
{
    json_u64(j, "number", r->number);
    json_text(j, "what", r->what);
    json_u64(j, "stream", r->stream);
    json_text(j, "verdict", r->verdict);
    json_text(j, "rule", r->rule);
    json_text(j, "reason", r->reason);
    if (r->code[0])
        json_text(j, "code", r->code);
    if (r->of)
        json_u64(j, "of", r->of);
    put_strings(j, "effects", r->effects, r->n_effects);
    json_bytes(j, "text", entry->body, entry->body_n);
    if (r->omitted)
        json_u64(j, "omitted", r->omitted);
    if (r->n_values)
        put_values(j, r);
    if (r->values_omitted)
        json_u64(j, "values_omitted", r->values_omitted);
}

/* Bytes of a protocol are base64, those of a terminal text. */
static void put_bytes(struct json *j, uint32_t stream, const char *form, const struct chain_entry *entry)
{
    json_u64(j, "stream", stream);
    json_text(j, "form", form);
    json_u64(j, "bytes", entry->body_n);
    if (strcmp(form, "postgres") == 0)
        put_base64(j, "base64", entry->body, entry->body_n);
    else
        json_bytes(j, "text", entry->body, entry->body_n);
}

static void put_sha256(struct json *j, const Ipc__Transfer *t)
{
    enum { SHA256 = 32 };
    char hex[2 * SHA256 + 1] = "";
    for (size_t i = 0; i < t->sha256.len && i < SHA256; i++)
        (void)snprintf(hex + 2 * i, 3, "%02x", t->sha256.data[i]);
    json_text(j, "sha256", hex);
    json_u64(j, "first", t->first);
    json_u64(j, "length", t->length);
    json_bool(j, "whole", t->whole);
}

static void put_transfer(struct json *j, const Ipc__Transfer *t)
{
    if (t->of)
        json_u64(j, "of", t->of);
    json_text(j, "program", t->program);
    json_text(j, "direction", t->direction);
    json_bytes(j, "path", t->path.data, t->path.len);
    if (t->resolved.len)
        json_bytes(j, "resolved", t->resolved.data, t->resolved.len);
    json_u64(j, "bytes", t->bytes);
    if (t->has_size)
        json_u64(j, "size", t->size);
    if (t->sha256.len)
        put_sha256(j, t);
    json_u64(j, "duration_us", t->duration_us);
    json_text(j, "state", t->state);
    if (t->note[0])
        json_text(j, "note", t->note);
}

static void put_end(struct json *j, const Ipc__End *end)
{
    json_u64(j, "status", end->status);
    json_text(j, "reason", end->reason);
    json_u64(j, "bytes_in", end->bytes_in);
    json_u64(j, "bytes_out", end->bytes_out);
}

static const char *name_of(const Ipc__Event *event)
{
    switch (event->what_case) {
    case IPC__EVENT__WHAT_HEADER:
        return "header";
    case IPC__EVENT__WHAT_REQUEST:
        return "request";
    case IPC__EVENT__WHAT_OUTPUT:
        return "output";
    case IPC__EVENT__WHAT_INPUT:
        return "input";
    case IPC__EVENT__WHAT_RESIZE:
        return "resize";
    case IPC__EVENT__WHAT_OMITTED:
        return "omitted";
    case IPC__EVENT__WHAT_NOTE:
        return "note";
    case IPC__EVENT__WHAT_TRANSFER:
        return "transfer";
    case IPC__EVENT__WHAT_APPROVAL:
        return "approval";
    case IPC__EVENT__WHAT_END:
        return "end";
    default:
        return "unknown";
    }
}

static void put_what(struct json *j, const Ipc__Event *event, const struct chain_entry *entry)
{
    switch (event->what_case) {
    case IPC__EVENT__WHAT_HEADER:
        put_header(j, event->header);
        return;
    case IPC__EVENT__WHAT_REQUEST:
        put_request(j, event->request, entry);
        return;
    case IPC__EVENT__WHAT_OUTPUT:
        put_bytes(j, event->output->stream, event->output->form, entry);
        return;
    case IPC__EVENT__WHAT_INPUT:
        put_bytes(j, event->input->stream, event->input->form, entry);
        return;
    case IPC__EVENT__WHAT_RESIZE:
        json_u64(j, "columns", event->resize->columns);
        json_u64(j, "rows", event->resize->rows);
        return;
    case IPC__EVENT__WHAT_OMITTED:
        json_u64(j, "bytes", event->omitted->bytes);
        json_text(j, "why", event->omitted->why);
        return;
    case IPC__EVENT__WHAT_NOTE:
        json_text(j, "text", event->note->text);
        return;
    case IPC__EVENT__WHAT_TRANSFER:
        put_transfer(j, event->transfer);
        return;
    case IPC__EVENT__WHAT_APPROVAL:
        play_approval_json(j, event->approval);
        return;
    case IPC__EVENT__WHAT_END:
        put_end(j, event->end);
        return;
    default:
        return;
    }
}

static int write_event(const struct play *play, const Ipc__Event *event, struct buffer *out)
{
    char time[32];
    uint64_t us = event->at_us < (uint64_t)INT64_MAX / 2 ? event->at_us : 0;
    struct json j = json_to(out);
    json_open_object(&j, NULL);
    json_u64(&j, "n", play->number);
    json_u64(&j, "at_us", us);
    json_text(&j, "time", text_time(time, play->started_ms + us / 1000));
    json_text(&j, "event", name_of(event));
    put_what(&j, event, &play->entry);
    json_close_object(&j);
    return json_line(&j) ? 0 : -ENOBUFS;
}

int play_events(struct play *play, int out_fd)
{
    struct buffer out;
    Ipc__Event *event;
    int r = 0, failed = 0;
    buffer_init(&out, SCENE_OUT_MAX);
    while (r == 0 && (event = play_next(play, &failed))) {
        r = write_event(play, event, &out);
        event_free(event);
        if (r == 0)
            r = play_write(out_fd, &out);
    }
    if (r == 0)
        r = failed;
    if (r == 0 && play->ending) {
        struct json j = json_to(&out);
        json_open_object(&j, NULL);
        json_text(&j, "event", "cut");
        json_text(&j, "text", play->ending);
        json_close_object(&j);
        r = json_line(&j) ? play_write(out_fd, &out) : -ENOBUFS;
    }
    buffer_free(&out);
    return r;
}
