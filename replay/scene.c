/* See scene.h. Whatever came from the recording is escaped here, but for the output of terminals: that goes
 * on as it is, and whoever shows it on a terminal passes it through a filter (filter.h). */
#include "replay/scene.h"

#include <errno.h>
#include <string.h>

#include "replay/entries.h"
#include "replay/pgview.h"
#include "replay/pgvalue.h"
#include "replay/play_approval.h"

enum { REQUEST_SHOWN = 64 * 1024, VALUES_SHOWN = 64, VALUE_SHOWN = 1024 };

struct scene {
    struct scene_outline outline;
    bool crlf; /* lines that we write, and those of a session without a terminal */
    bool pty;  /* the terminal showed what was typed */
    bool after_cr;
    bool in_body; /* of an HTTP answer, which may end without a newline */
    char target[64];
    struct pgview *view;
    struct buffer text; /* one event's text before its line ends are set */
};

/* Not what a terminal got, but messages of a protocol. */
static bool is_protocol(const char *form)
{
    return strcmp(form, "postgres") == 0 || strcmp(form, "status") == 0 || strcmp(form, "body") == 0;
}

int scene_outline(int fd, struct scene_outline *ret, struct detail *detail)
{
    struct scene_outline outline = { 0 };
    CLEANUP(entries_free) struct entries *entries = NULL;
    struct chain_entry entry;
    int r = entries_new(fd, magic_recording, &entries, detail);
    while (r == 0 && !outline.terminal && (r = entries_next(entries, &entry)) == 0) {
        CLEANUP(event_free) Ipc__Event *event = entry_event(&entry);
        if (event && event->what_case == IPC__EVENT__WHAT_HEADER)
            outline.has_header = true;
        if (event && event->what_case == IPC__EVENT__WHAT_OUTPUT)
            outline.terminal = !is_protocol(event->output->form);
    }
    if (r < 0)
        return r;
    *ret = outline;
    return 0;
}

int scene_new(const struct scene_outline *outline, bool crlf, struct scene **ret)
{
    CLEANUP(scene_free) struct scene *scene = calloc(1, sizeof *scene);
    if (!scene)
        return -ENOMEM;
    scene->outline = *outline;
    scene->crlf = crlf;
    buffer_init(&scene->text, SCENE_OUT_MAX / 2);
    int r = pgview_new(&scene->view);
    if (r)
        return r;
    *ret = STEAL(scene);
    return 0;
}

void scene_free(struct scene *scene)
{
    if (!scene)
        return;
    pgview_free(scene->view);
    buffer_free(&scene->text);
    free(scene);
}

/* ---- line ends ---- */

static int put_lines(struct scene *scene, const uint8_t *bytes, size_t n, struct buffer *out)
{
    for (size_t at = 0; at < n;) {
        const uint8_t *newline = memchr(bytes + at, '\n', n - at);
        size_t run = newline ? (size_t)(newline - (bytes + at)) : n - at;
        int r = buffer_append(out, bytes + at, run);
        if (r)
            return r;
        if (run > 0)
            scene->after_cr = bytes[at + run - 1] == '\r';
        at += run;
        if (!newline)
            return 0;
        r = scene->after_cr ? buffer_append(out, "\n", 1) : buffer_append(out, "\r\n", 2);
        if (r)
            return r;
        scene->after_cr = false;
        at++;
    }
    return 0;
}

/* Hands on what was gathered in scene->text. */
static int flush(struct scene *scene, struct buffer *out)
{
    const uint8_t *bytes = buffer_head(&scene->text);
    size_t n = buffer_size(&scene->text);
    int r = n == 0 ? 0 : scene->crlf ? put_lines(scene, bytes, n, out) : buffer_append(out, bytes, n);
    buffer_consume(&scene->text, n);
    buffer_shrink(&scene->text, 1024 * 1024);
    return r;
}

/* ---- requests ---- */

static int put_escaped(struct buffer *text, const char *s)
{
    return print_escaped(s, strlen(s), false, text);
}

static int print_prompt(const struct scene *scene, bool first, struct buffer *text)
{
    int r = put_escaped(text, scene->target);
    return r ? r : buffer_append(text, first ? "=> " : "-> ", 3);
}

static int print_statement(const struct scene *scene, const uint8_t *bytes, size_t n, struct buffer *text)
{
    size_t shown = n < REQUEST_SHOWN ? n : REQUEST_SHOWN;
    bool first = true;
    int r = 0;
    while (shown > 0 && (bytes[shown - 1] == '\n' || bytes[shown - 1] == ' '))
        shown--;
    for (size_t at = 0; r == 0 && (at < shown || first); first = false) {
        const uint8_t *newline = at < shown ? memchr(bytes + at, '\n', shown - at) : NULL;
        size_t line = newline ? (size_t)(newline - (bytes + at)) : shown - at;
        r = print_prompt(scene, first, text);
        if (r == 0)
            r = print_escaped(bytes + at, line, true, text);
        if (r == 0)
            r = buffer_append(text, "\n", 1);
        at += line + 1;
    }
    if (r == 0 && n > REQUEST_SHOWN)
        r = buffer_printf(text, "-- %zu more bytes of it are not shown\n", n - REQUEST_SHOWN);
    return r;
}

static int print_values(const Ipc__Request *request, struct buffer *text)
{
    int r = 0;
    for (size_t i = 0; i < request->n_values && i < VALUES_SHOWN && r == 0; i++) {
        const ProtobufCBinaryData *value = &request->values[i];
        bool null = i < request->n_nulls && request->nulls[i];
        bool binary = i < request->n_formats && request->formats[i] == 1;
        r = buffer_printf(text, i ? ", $%zu = %s" : "-- $%zu = %s", i + 1, null ? "NULL" : binary ? "" : "'");
        if (r == 0 && !null)
            r = pgvalue_print(0, binary ? PGVALUE_BINARY : PGVALUE_TEXT, value->data,
                              value->len < VALUE_SHOWN ? value->len : VALUE_SHOWN, text);
        if (r == 0 && !null && !binary)
            r = buffer_append(text, "'", 1);
    }
    if (r == 0 && request->n_values > VALUES_SHOWN)
        r = buffer_printf(text, " …");
    return r || request->n_values == 0 ? r : buffer_append(text, "\n", 1);
}

static int print_verdict(const Ipc__Request *request, struct buffer *text)
{
    if (strcmp(request->verdict, "allow") == 0)
        return 0;
    int r =
        buffer_printf(text, "-- %s by rule \"", strcmp(request->verdict, "deny") == 0 ? "denied" : "held");
    if (r == 0)
        r = put_escaped(text, request->rule);
    if (r == 0)
        r = buffer_append(text, "\": ", 3);
    if (r == 0)
        r = put_escaped(text, request->reason);
    if (r == 0 && request->code[0])
        r = buffer_append(text, " (code ", 7);
    if (r == 0 && request->code[0])
        r = put_escaped(text, request->code);
    if (r == 0 && request->code[0])
        r = buffer_append(text, ")", 1);
    return r ? r : buffer_append(text, "\n", 1);
}

static int end_body(struct scene *scene)
{
    if (!scene->in_body)
        return 0;
    scene->in_body = false;
    return buffer_append(&scene->text, "\n", 1);
}

static int show_request(struct scene *scene, const Ipc__Request *request, const uint8_t *body, size_t n)
{
    int r = 0;
    if (scene->pty)
        return 0; /* it was on the screen, and so was the refusal */
    if (strcmp(request->what, "parse") == 0 && strcmp(request->verdict, "deny") != 0)
        return 0; /* it is shown when it runs */
    r = end_body(scene);
    if (r == 0 && n > 0)
        r = print_statement(scene, body, n, &scene->text);
    if (r == 0 && request->omitted > 0)
        r = buffer_printf(&scene->text,
                          request->of ? "-- %llu more bytes of it stand at request %llu\n"
                                      : "-- %llu more bytes of it are not in the recording\n",
                          (unsigned long long)request->omitted, (unsigned long long)request->of);
    if (r == 0)
        r = print_values(request, &scene->text);
    return r ? r : print_verdict(request, &scene->text);
}

/* ---- the other events ---- */

/* An HTTP answer: "< 200 application/json", then its body. */
static int show_answer(struct scene *scene, const char *form, const uint8_t *body, size_t n)
{
    if (n == 0 || scene->outline.terminal)
        return 0;
    if (strcmp(form, "body") == 0) {
        scene->in_body = body[n - 1] != '\n';
        return print_escaped(body, n, true, &scene->text);
    }
    int r = end_body(scene);
    r = r ? r : buffer_append(&scene->text, "< ", 2);
    r = r ? r : print_escaped(body, n, false, &scene->text);
    return r ? r : buffer_append(&scene->text, "\n", 1);
}

static int show_output(struct scene *scene, const Ipc__Output *output, const uint8_t *body, size_t n,
                       struct buffer *out)
{
    if (strcmp(output->form, "postgres") == 0)
        return scene->outline.terminal ? 0
                                       : pgview_output(scene->view, output->stream, body, n, &scene->text);
    if (is_protocol(output->form))
        return show_answer(scene, output->form, body, n);
    return scene->crlf && !scene->pty ? put_lines(scene, body, n, out) : buffer_append(out, body, n);
}

/* The gate says at once that something is left out, and at the end how much it was. */
static int show_omitted(struct scene *scene, const Ipc__Omitted *omitted)
{
    int r = pgview_end(scene->view, &scene->text);
    if (r == 0)
        r = omitted->bytes ? buffer_printf(&scene->text, "[%llu bytes of output are not in the recording: ",
                                           (unsigned long long)omitted->bytes)
                           : buffer_printf(&scene->text, "[from here on output is not in the recording: ");
    if (r == 0)
        r = put_escaped(&scene->text, omitted->why);
    return r ? r : buffer_append(&scene->text, "]\n", 2);
}

/* COPY data; what was typed into a terminal was echoed by it. */
static int show_input(struct scene *scene, const Ipc__Input *input, size_t n)
{
    if (strcmp(input->form, "body") == 0)
        return buffer_printf(&scene->text, "-- %zu bytes of the body\n", n);
    if (strcmp(input->form, "postgres") != 0)
        return 0;
    return buffer_printf(&scene->text, "-- %zu bytes of COPY data\n", n);
}

static int show_note(struct scene *scene, const Ipc__Note *note)
{
    int r = buffer_append(&scene->text, "[", 1);
    if (r == 0)
        r = put_escaped(&scene->text, note->text);
    return r ? r : buffer_append(&scene->text, "]\n", 2);
}

/* -- wrote 6 bytes: /srv/a sha256 5891…, complete */
static int show_transfer(struct scene *scene, const Ipc__Transfer *t)
{
    struct buffer *text = &scene->text;
    const ProtobufCBinaryData *path = t->resolved.len ? &t->resolved : &t->path;
    int r = buffer_printf(text, "-- %s %llu bytes: ", strcmp(t->direction, "upload") == 0 ? "wrote" : "read",
                          (unsigned long long)t->bytes);
    r = r ? r : print_escaped(path->data, path->len, false, text);
    if (r == 0 && t->sha256.len > 0)
        r = buffer_append(text, " sha256 ", 8);
    for (size_t i = 0; r == 0 && i < t->sha256.len && i < 32; i++)
        r = buffer_printf(text, "%02x", t->sha256.data[i]);
    if (r == 0 && t->sha256.len > 0 && (!t->whole || t->first > 0))
        r = buffer_printf(text, " of %llu bytes at %llu", (unsigned long long)t->length,
                          (unsigned long long)t->first);
    r = r ? r : buffer_append(text, ", ", 2);
    r = r ? r : put_escaped(text, t->state);
    if (r == 0 && t->note[0])
        r = buffer_append(text, ": ", 2);
    r = r ? r : put_escaped(text, t->note);
    return r ? r : buffer_append(text, "\n", 1);
}

static void take_header(struct scene *scene, const Ipc__Header *header)
{
    scene->pty = header->pty != NULL;
    (void)strncpy(scene->target, header->target, sizeof scene->target - 1);
}

static int show(struct scene *scene, const Ipc__Event *event, const uint8_t *body, size_t n,
                struct buffer *out)
{
    switch (event->what_case) {
    case IPC__EVENT__WHAT_HEADER:
        take_header(scene, event->header);
        return 0;
    case IPC__EVENT__WHAT_REQUEST:
        return show_request(scene, event->request, body, n);
    case IPC__EVENT__WHAT_OUTPUT:
        return show_output(scene, event->output, body, n, out);
    case IPC__EVENT__WHAT_INPUT:
        return show_input(scene, event->input, n);
    case IPC__EVENT__WHAT_OMITTED:
        return show_omitted(scene, event->omitted);
    case IPC__EVENT__WHAT_NOTE:
        return show_note(scene, event->note);
    case IPC__EVENT__WHAT_TRANSFER:
        return show_transfer(scene, event->transfer);
    case IPC__EVENT__WHAT_APPROVAL:
        return play_approval_text(&scene->text, event->approval);
    default:
        return 0;
    }
}

int scene_event(struct scene *scene, const Ipc__Event *event, const uint8_t *body, size_t n,
                struct buffer *out)
{
    int r = show(scene, event, body, n, out);
    if (r == -ENOBUFS) {
        buffer_consume(&scene->text, buffer_size(&scene->text));
        r = buffer_printf(&scene->text, "\n[what follows in this event is too long to be shown]\n");
    }
    return r ? r : flush(scene, out);
}

int scene_end(struct scene *scene, struct buffer *out)
{
    int r = pgview_end(scene->view, &scene->text);
    return r ? r : flush(scene, out);
}
