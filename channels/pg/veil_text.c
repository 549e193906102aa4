/* Errors and notices quote values: `invalid input syntax for type integer: "a@b.c"`, `Key (email)=(…) already
 * exists`. Of a statement that touches masked columns only the kind of error is told; other texts go through
 * the detectors. */
#include "channels/pg/veil_parts.h"

#include <string.h>

void veil_end_message(struct buffer *out, size_t start)
{
    uint8_t *p = (uint8_t *)(uintptr_t)buffer_head(out) + start + 1;
    uint32_t size = (uint32_t)(buffer_size(out) - start - 1);
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(size >> (24 - 8 * i));
}

/* Fields that may hold text of the data or the statement: message, detail, hint, internal query, context. */
static bool is_talkative(uint8_t field)
{
    return strchr("MDHqW", field) != NULL;
}

static int put_detected(const struct veil_how *how, const char *value, struct buffer *out, bool *changed)
{
    int r = how->detectors ? detect_block(how->detectors, how->detect, value, strlen(value), out, NULL) : 0;
    if (r < 0)
        return r;
    *changed |= r == 1;
    return r == 1 ? buffer_put_u8(out, 0) : buffer_put_cstring(out, value);
}

static int put_hidden(const struct mask *mask, uint8_t type, struct buffer *out)
{
    int r = buffer_put_u8(out, 'M');
    r = r ? r
          : buffer_printf(out, "the text of this %s is masked: the statement reads what mask \"%s\" hides",
                          type == 'E' ? "error" : "notice", mask->text->name);
    return r ? r : buffer_put_u8(out, 0);
}

static int put_fields(const struct veil_how *how, const struct mask *hidden_by, uint8_t type,
                      struct reader *body, struct buffer *out, bool *changed)
{
    uint8_t field = 0;
    const char *value = NULL;
    int r = 0;
    while (r == 0) {
        if (!reader_u8(body, &field) || (field != 0 && !reader_cstring(body, &value)))
            return VEIL_UNEXPECTED;
        if (field == 0)
            break;
        bool talks = is_talkative(field);
        if (hidden_by && talks) {
            *changed = true;
            r = field == 'M' ? put_hidden(hidden_by, type, out) : 0;
            continue;
        }
        r = buffer_put_u8(out, field);
        if (r == 0)
            r = talks ? put_detected(how, value, out, changed) : buffer_put_cstring(out, value);
    }
    return r ? r : buffer_put_u8(out, 0);
}

/* process id, channel, payload. A payload that a trigger has made of a row comes from no statement that could
 * be followed: where columns are masked nobody sees any. */
static int put_notification(const struct veil_how *how, const struct mask *hidden_by, struct reader *body,
                            struct buffer *out, bool *changed)
{
    uint32_t pid = 0;
    const char *channel = NULL, *payload = NULL;
    if (!reader_u32(body, &pid) || !reader_cstring(body, &channel) || !reader_cstring(body, &payload))
        return VEIL_UNEXPECTED;
    int r = buffer_put_u32(out, pid);
    r = r ? r : put_detected(how, channel, out, changed);
    if (r || !hidden_by || !*payload)
        return r ? r : put_detected(how, payload, out, changed);
    *changed = true;
    r = buffer_printf(out, "[masked:%s]", hidden_by->text->name);
    return r ? r : buffer_put_u8(out, 0);
}

int veil_text(const struct veil_how *how, const struct mask *hidden_by, uint8_t type, struct reader body,
              struct buffer *out)
{
    size_t start = buffer_size(out);
    bool changed = false;
    int r = buffer_put_u8(out, type);
    r = r ? r : buffer_put_u32(out, 0);
    if (r == 0)
        r = type == 'A' ? put_notification(how, hidden_by, &body, out, &changed)
                        : put_fields(how, hidden_by, type, &body, out, &changed);
    if (r)
        return r;
    if (!reader_done(&body))
        return VEIL_UNEXPECTED;
    veil_end_message(out, start);
    return changed ? VEIL_REPLACED : VEIL_PASS;
}
