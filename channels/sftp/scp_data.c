/* A file's bytes: counted, hashed, and looked through. */
#include <stdio.h>
#include <string.h>
#include "channels/sftp/scp_parts.h"
#include "policy/detect.h"

static int put_zeroes(struct scp *s, uint64_t n)
{
    static const uint8_t zeroes[4096];
    int r = 0;
    for (; n > 0 && r == 0; n -= n < sizeof zeroes ? n : sizeof zeroes)
        r = buffer_append(scp_to_receiver(s), zeroes, n < sizeof zeroes ? (size_t)n : sizeof zeroes);
    return r;
}

static void look(struct scp *s)
{
    struct scp_item *item = &s->item;
    const struct detect_tally *tally = detect_stream_tally(item->stream);
    struct detectors *detectors = s->transfer.host.detectors;
    for (size_t i = 0; i < detectors_count(detectors) && !item->fired; i++) {
        if (tally->fired[i] == 0)
            continue;
        item->fired = true;
        (void)snprintf(item->note, sizeof item->note,
                       "denied: %.200s holds what the detector %s finds (sensitive: deny, code denied)",
                       item->name, detectors_name(detectors, i));
    }
}

/* What is surely clean goes on; from the first match on nothing does. */
static int put_looked(struct scp *s, const uint8_t *bytes, size_t n, bool last)
{
    struct scp_item *item = &s->item;
    struct buffer clean;
    int r = 0;
    buffer_init(&clean, 4 * (size_t)TRANSFER_HIGH);
    if (!item->fired) {
        r = n ? detect_feed(item->stream, bytes, n, &clean) : 0;
        r = r == 0 && last ? detect_end(item->stream, &clean) : r;
        look(s);
    }
    if (r == 0 && !item->fired) {
        r = digest_add(item->digest, item->put, buffer_head(&clean), buffer_size(&clean));
        item->put += buffer_size(&clean);
        r = r ? r : transfer_move(&clean, scp_to_receiver(s), buffer_size(&clean));
    }
    buffer_free(&clean);
    return r;
}

static int put_plain(struct scp *s, const uint8_t *bytes, size_t n)
{
    int r = digest_add(s->item.digest, s->item.put, bytes, n);
    s->item.put += n;
    return r ? r : buffer_append(scp_to_receiver(s), bytes, n);
}

int scp_take_data(struct scp *s)
{
    struct scp_item *item = &s->item;
    struct buffer *in = scp_from_sender(s);
    size_t n = buffer_size(in) < item->left ? buffer_size(in) : (size_t)item->left;
    if (n == 0 && item->left > 0)
        return SHORT;
    n = n < TRANSFER_READ_MAX ? n : TRANSFER_READ_MAX;
    bool last = n == item->left;
    uint64_t before = item->size - item->left;
    int r = item->stream ? put_looked(s, buffer_head(in), n, last) : put_plain(s, buffer_head(in), n);
    buffer_consume(in, n);
    item->left -= n;
    /* In place of what is held back for good. */
    if (r == 0 && item->fired)
        r = put_zeroes(s, before + n - item->put);
    if (item->fired)
        item->put = before + n;
    return r;
}
