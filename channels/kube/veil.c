/* A pushdown reader of JSON that passes on what it reads and replaces what is masked. For each open list or
 * object it keeps its place: which patterns are how far met. Texts are held only where the mask depends on
 * them; the object in kubectl's annotation, which is a text of JSON, is read by an inner veil as it comes.
 *
 * Whatever follows an object may be the next one: a watch is a row of them. */
#include "channels/kube/veil.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "channels/kube/veil_reader.h"

enum { FRAMES_FIRST = 16 }; /* open lists and objects that there is room for at the beginning */

int input_flush(struct input *in)
{
    int r = in->from ? buffer_append(in->out, in->from, (size_t)(in->at - in->from)) : 0;
    in->from = in->from ? in->at : NULL;
    return r;
}

/* ---- places ---- */

static uint64_t *states_at(const struct kube_veil *veil, size_t depth)
{
    return veil->states + depth * veil->plan->n_rules;
}

static int grow(struct kube_veil *veil)
{
    size_t capacity = veil->capacity ? 2 * veil->capacity : FRAMES_FIRST;
    struct frame *frames = reallocarray(veil->frames, capacity, sizeof *frames);
    if (!frames)
        return -ENOMEM;
    veil->frames = frames;
    uint64_t *states = reallocarray(veil->states, (capacity + 1) * veil->plan->n_rules, sizeof *states);
    if (!states)
        return -ENOMEM;
    veil->states = states;
    veil->capacity = capacity;
    return 0;
}

/* The place of the value that begins: at the top, an element, or the value of the key that was read. */
static void enter_value(struct kube_veil *veil)
{
    if (veil->depth == 0) {
        veil->place = place_begin(veil->plan, states_at(veil, 0));
        veil->alive = true;
        return;
    }
    const struct frame *frame = &veil->frames[veil->depth - 1];
    veil->alive = frame->alive;
    if (!veil->alive) {
        veil->place = (struct place){ .root = ROOT_NONE };
        return;
    }
    uint64_t *states = states_at(veil, veil->depth);
    size_t n = veil->key_n > VEIL_KEY_MAX ? VEIL_KEY_MAX : veil->key_n;
    veil->place = place_step(veil->plan, &frame->place, states_at(veil, veil->depth - 1),
                             frame->is_list ? NULL : veil->key, n, states);
    veil->alive = place_is_alive(veil->plan, &veil->place, states);
}

static int open_frame(struct kube_veil *veil, bool is_list)
{
    if (veil->depth == KUBE_VEIL_DEPTH_MAX)
        return KUBE_VEIL_UNREADABLE;
    if (veil->depth == veil->capacity) {
        int r = grow(veil);
        if (r)
            return r;
    }
    veil->frames[veil->depth++] =
        (struct frame){ .is_list = is_list, .alive = veil->alive, .place = veil->place };
    veil->at = is_list ? AT_ITEM_OR_END : AT_KEY_OR_END;
    return 0;
}

void veil_after_value(struct kube_veil *veil)
{
    veil->at = veil->depth ? AT_COMMA_OR_END : AT_TOP;
}

static int close_frame(struct kube_veil *veil, bool is_list)
{
    if (veil->depth == 0 || veil->frames[veil->depth - 1].is_list != is_list)
        return KUBE_VEIL_UNREADABLE;
    veil->depth--;
    veil_after_value(veil);
    return 0;
}

/* ---- keys ---- */

static void add_to_key(struct kube_veil *veil, const uint8_t *bytes, size_t n)
{
    if (veil->key_n + n > VEIL_KEY_MAX) {
        veil->key_n = VEIL_KEY_MAX + 1;
        return;
    }
    memcpy(veil->key + veil->key_n, bytes, n);
    veil->key_n += n;
}

static int read_key(struct kube_veil *veil, struct input *in)
{
    uint8_t out[UNESCAPE_MAX];
    size_t n = 0;
    while (in->at < in->end) {
        const uint8_t *from = in->at;
        if (veil->unescape.state == 0 && !veil->unescape.high)
            input_skip_plain(in);
        add_to_key(veil, from, (size_t)(in->at - from));
        if (in->at == in->end)
            return 0;
        uint8_t c = *in->at;
        bool ends = c == '"' && veil->unescape.state == 0;
        if (ends ? !unescape_end(&veil->unescape, out, &n) : !unescape_byte(&veil->unescape, c, out, &n))
            return KUBE_VEIL_UNREADABLE;
        add_to_key(veil, out, n);
        in->at++;
        if (ends) {
            veil->at = AT_COLON;
            return 0;
        }
    }
    return 0;
}

/* ---- other values ---- */

static bool is_in_number(uint8_t c)
{
    return (c >= '0' && c <= '9') || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E';
}

/* A value that has no quotes: what is masked keeps its kind, which clients rely on. */
static int begin_bare(struct kube_veil *veil, struct input *in, enum veil_at at, const char *shown)
{
    veil->at = at;
    if (!veil->place.mask)
        return 0;
    int r = input_flush(in);
    in->from = NULL;
    veil->masked++;
    return r ? r : buffer_append(in->out, shown, strlen(shown));
}

static int read_number(struct kube_veil *veil, struct input *in)
{
    while (in->at < in->end && is_in_number(*in->at))
        in->at++;
    if (in->at == in->end)
        return 0;
    if (!in->from)
        in->from = in->at;
    veil_after_value(veil);
    return 0;
}

static int read_word(struct kube_veil *veil, struct input *in)
{
    while (in->at < in->end && *veil->word) {
        if (*in->at != (uint8_t)*veil->word)
            return KUBE_VEIL_UNREADABLE;
        in->at++;
        veil->word++;
    }
    if (*veil->word)
        return 0;
    if (!in->from)
        in->from = in->at;
    veil_after_value(veil);
    return 0;
}

static int begin_word(struct kube_veil *veil, struct input *in, const char *word)
{
    veil->word = word;
    return begin_bare(veil, in, IN_WORD, *word == 'n' ? "null" : "false");
}

/* The first byte of a value is at in->at. */
static int begin_value(struct kube_veil *veil, struct input *in)
{
    uint8_t c = *in->at;
    enter_value(veil);
    if (c == '{' || c == '[') {
        in->at++;
        return open_frame(veil, c == '[');
    }
    if (c == '"')
        return veil_begin_text(veil, in);
    if (c == '-' || (c >= '0' && c <= '9'))
        return begin_bare(veil, in, IN_NUMBER, "0");
    return c == 't'   ? begin_word(veil, in, "true")
           : c == 'f' ? begin_word(veil, in, "false")
           : c == 'n' ? begin_word(veil, in, "null")
                      : KUBE_VEIL_UNREADABLE;
}

/* ---- between values ---- */

static int begin_key(struct kube_veil *veil, struct input *in)
{
    if (*in->at++ != '"')
        return KUBE_VEIL_UNREADABLE;
    veil->at = IN_KEY;
    veil->key_n = 0;
    veil->unescape = (struct unescape){ 0 };
    return 0;
}

static int after_comma(struct kube_veil *veil, struct input *in)
{
    in->at++;
    veil->at = veil->frames[veil->depth - 1].is_list ? AT_VALUE : AT_KEY;
    return 0;
}

static int end_frame(struct kube_veil *veil, struct input *in)
{
    bool is_list = *in->at++ == ']';
    return close_frame(veil, is_list);
}

/* Any byte but a blank, where no value is under way. */
static int read_between(struct kube_veil *veil, struct input *in)
{
    uint8_t c = *in->at;
    switch (veil->at) {
    case AT_TOP:
    case AT_VALUE:
        return begin_value(veil, in);
    case AT_ITEM_OR_END:
        return c == ']' ? end_frame(veil, in) : begin_value(veil, in);
    case AT_KEY:
        return begin_key(veil, in);
    case AT_KEY_OR_END:
        return c == '}' ? end_frame(veil, in) : begin_key(veil, in);
    case AT_COLON:
        in->at++;
        veil->at = AT_VALUE;
        return c == ':' ? 0 : KUBE_VEIL_UNREADABLE;
    case AT_COMMA_OR_END:
        return c == ','               ? after_comma(veil, in)
               : c == '}' || c == ']' ? end_frame(veil, in)
                                      : KUBE_VEIL_UNREADABLE;
    default:
        return KUBE_VEIL_UNREADABLE;
    }
}

static int read_some(struct kube_veil *veil, struct input *in)
{
    switch (veil->at) {
    case IN_KEY:
        return read_key(veil, in);
    case IN_TEXT:
        return veil_read_text(veil, in);
    case IN_NUMBER:
        return read_number(veil, in);
    case IN_WORD:
        return read_word(veil, in);
    default:
        break;
    }
    if (*in->at == ' ' || *in->at == '\n' || *in->at == '\r' || *in->at == '\t') {
        in->at++;
        return 0;
    }
    return read_between(veil, in);
}

/* Whether a value is under way that is not shown as it is. */
static bool hides(const struct kube_veil *veil)
{
    if (veil->at == IN_TEXT)
        return veil->use != TEXT_SHOWN;
    return (veil->at == IN_NUMBER || veil->at == IN_WORD) && veil->place.mask;
}

int kube_veil_bytes(struct kube_veil *veil, const void *bytes, size_t n, struct buffer *out)
{
    struct input in = { .at = bytes, .out = out };
    if (veil->failed || n == 0)
        return veil->failed;
    in.end = in.at + n;
    in.from = hides(veil) ? NULL : in.at;
    int r = 0;
    while (r == 0 && in.at < in.end)
        r = read_some(veil, &in);
    int put = input_flush(&in);
    veil->failed = r ? r : put;
    return veil->failed;
}

int kube_veil_end(struct kube_veil *veil)
{
    if (!veil->failed && veil->at == IN_NUMBER && veil->depth == 0)
        veil->at = AT_TOP;
    if (!veil->failed && veil->at != AT_TOP)
        veil->failed = KUBE_VEIL_UNREADABLE;
    return veil->failed;
}

uint64_t kube_veil_masked(const struct kube_veil *veil)
{
    return veil->masked + (veil->inner ? veil->inner->masked : 0);
}

int kube_veil_new(const struct kube_plan *plan, struct kube_veil **ret)
{
    CLEANUP(kube_veil_free) struct kube_veil *veil = calloc(1, sizeof *veil);
    if (!veil)
        return -ENOMEM;
    veil->plan = plan;
    buffer_init(&veil->held, KUBE_VEIL_HOLD_MAX);
    buffer_init(&veil->inner_out, VEIL_INNER_MAX);
    int r = grow(veil);
    if (r == 0)
        *ret = STEAL(veil);
    return r;
}

void kube_veil_free(struct kube_veil *veil)
{
    if (!veil)
        return;
    kube_veil_free(veil->inner);
    buffer_free(&veil->inner_out);
    buffer_free(&veil->held);
    free(veil->states);
    free(veil->frames);
    free(veil);
}
