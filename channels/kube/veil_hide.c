/* Texts that are values. One that is masked is held only where its mask depends on it; one that holds an
 * object is read by an inner veil as it comes. */
#include <errno.h>
#include <string.h>

#include "channels/kube/veil_reader.h"

enum {
    PIECE_MAX = 512,     /* bytes of an inner text that are read at once */
    KEPT_MAX = 4 * 1024, /* bytes of memory of each buffer that stay between two texts */
};

/* Whether its mask depends on the value. */
static bool is_held(const struct plan_rule *rule)
{
    return !rule->text && (rule->how.kind == MASK_PARTIAL || rule->how.kind == MASK_HASH);
}

/* An object in a text within such a text is none of kubectl's: it is not shown. */
static int begin_inner(struct kube_veil *veil, struct buffer *out)
{
    veil->inner_failed = veil->is_inner;
    if (veil->is_inner) {
        veil->masked++;
        return buffer_append(out, VEIL_REDACTED, strlen(VEIL_REDACTED));
    }
    int r = veil->inner ? 0 : kube_veil_new(veil->plan, &veil->inner);
    if (r)
        return r;
    veil->inner->is_inner = true;
    veil->inner->depth = 0;
    veil->inner->at = AT_TOP;
    veil->inner->failed = 0;
    return 0;
}

int veil_begin_text(struct kube_veil *veil, struct input *in)
{
    veil->at = IN_TEXT;
    veil->unescape = (struct unescape){ 0 };
    veil->use = veil->place.mask ? TEXT_MASKED : veil->place.nested && veil->alive ? TEXT_INNER : TEXT_SHOWN;
    in->at++;
    if (veil->use == TEXT_SHOWN)
        return 0;
    int r = input_flush(in);
    in->from = NULL;
    buffer_consume(&veil->held, buffer_size(&veil->held));
    veil->held_whole = true;
    if (r == 0 && veil->use == TEXT_INNER)
        r = begin_inner(veil, in->out);
    return r;
}

/* Some bytes of the inner text. What cannot be read there is not shown. */
static int feed_inner(struct kube_veil *veil, const uint8_t *bytes, size_t n, struct buffer *out)
{
    if (veil->inner_failed)
        return 0;
    int r = kube_veil_bytes(veil->inner, bytes, n, &veil->inner_out);
    int put = veil_put_escaped(out, buffer_head(&veil->inner_out), buffer_size(&veil->inner_out));
    buffer_consume(&veil->inner_out, buffer_size(&veil->inner_out));
    if (put || r < 0)
        return put ? put : r;
    if (r == KUBE_VEIL_UNREADABLE) {
        veil->inner_failed = true;
        veil->masked++;
        return buffer_append(out, VEIL_REDACTED, strlen(VEIL_REDACTED));
    }
    return 0;
}

static int hold(struct kube_veil *veil, const uint8_t *bytes, size_t n)
{
    if (!veil->held_whole || !is_held(veil->place.mask))
        return 0;
    int r = buffer_append(&veil->held, bytes, n);
    if (r == -ENOBUFS) {
        veil->held_whole = false;
        return 0;
    }
    return r;
}

/* A piece of a text that is not shown, without escapes. */
static int take_piece(struct kube_veil *veil, const uint8_t *bytes, size_t n, struct buffer *out)
{
    if (n == 0)
        return 0;
    return veil->use == TEXT_INNER ? feed_inner(veil, bytes, n, out) : hold(veil, bytes, n);
}

static int end_hidden_text(struct kube_veil *veil, struct buffer *out)
{
    uint8_t last[UNESCAPE_MAX];
    size_t n = 0;
    if (!unescape_end(&veil->unescape, last, &n))
        return KUBE_VEIL_UNREADABLE;
    int r = take_piece(veil, last, n, out);
    if (r == 0 && veil->use == TEXT_MASKED) {
        veil->masked++;
        r = veil_put_mask(veil->place.mask, veil->place.base64, veil->held_whole, buffer_head(&veil->held),
                          buffer_size(&veil->held), out);
    } else if (r == 0 && !veil->inner_failed && kube_veil_end(veil->inner) != 0) {
        veil->inner_failed = true;
        veil->masked++;
        r = buffer_append(out, VEIL_REDACTED, strlen(VEIL_REDACTED));
    }
    buffer_shrink(&veil->held, KEPT_MAX);
    buffer_shrink(&veil->inner_out, KEPT_MAX);
    return r ? r : buffer_append(out, "\"", 1);
}

/* Bytes of a text that is not shown, up to its end or that of the input. */
static int read_hidden(struct kube_veil *veil, struct input *in)
{
    uint8_t piece[PIECE_MAX];
    size_t n = 0, more = 0;
    int r = 0;
    while (r == 0 && in->at < in->end) {
        uint8_t c = *in->at;
        if (c == '"' && veil->unescape.state == 0) {
            r = take_piece(veil, piece, n, in->out);
            r = r ? r : end_hidden_text(veil, in->out);
            in->at++;
            in->from = in->at;
            veil_after_value(veil);
            return r;
        }
        if (!unescape_byte(&veil->unescape, c, piece + n, &more))
            return KUBE_VEIL_UNREADABLE;
        in->at++;
        n += more;
        if (n + UNESCAPE_MAX > sizeof piece) {
            r = take_piece(veil, piece, n, in->out);
            n = 0;
        }
    }
    return r ? r : take_piece(veil, piece, n, in->out);
}

void input_skip_plain(struct input *in)
{
    while (in->at < in->end && *in->at != '"' && *in->at != '\\' && *in->at >= ' ')
        in->at++;
}

static int read_shown(struct kube_veil *veil, struct input *in)
{
    while (in->at < in->end) {
        if (veil->unescape.state == 0)
            input_skip_plain(in);
        if (in->at == in->end)
            return 0;
        if (*in->at < ' ')
            return KUBE_VEIL_UNREADABLE;
        bool escaped = veil->unescape.state == 1;
        uint8_t c = *in->at++;
        veil->unescape.state = !escaped && c == '\\';
        if (c == '"' && !escaped) {
            veil_after_value(veil);
            return 0;
        }
    }
    return 0;
}

int veil_read_text(struct kube_veil *veil, struct input *in)
{
    return veil->use == TEXT_SHOWN ? read_shown(veil, in) : read_hidden(veil, in);
}
