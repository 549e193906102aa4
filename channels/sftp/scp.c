/* One side sends (the client of an upload, the target of a download), the other receives and acknowledges
 * each step:
 *
 *   receiver  sender
 *   \0
 *             T1700000000 0 1700000000 0\n     times of what follows        \0
 *             C0644 6 name\n                   a file                       \0
 *             6 bytes, \0                      (\1 message: it went wrong)   \0
 *             D0755 0 name\n … E\n             a directory, and its end     \0
 *             \1message\n                      a warning, not acknowledged
 *
 * An acknowledgement may be \1 or \2 and a message instead: then the sender goes on with the next file, or
 * ends. So a file is refused by an answer of ours to its C line, which the other side never sees; and who
 * only receives is told by a warning. (OpenSSH's scp.c, source() and sink().)
 *
 * Where rules look at paths each one is resolved first, and the line waits. Files that are looked through for
 * secrets come out behind the detector; when one fires, zeroes follow up to the length that was announced,
 * and then an error: the other side has to be told in the middle of something. */
#include "channels/sftp/scp.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "channels/sftp/scp_parts.h"

/* ---- who is who ---- */

struct buffer *scp_from_sender(struct scp *s)
{
    return s->command.upload ? &s->transfer.from_client : &s->transfer.from_target;
}

static struct buffer *from_receiver(struct scp *s)
{
    return s->command.upload ? &s->transfer.from_target : &s->transfer.from_client;
}

static struct buffer *to_sender(struct scp *s)
{
    return s->command.upload ? &s->transfer.to_client : &s->transfer.to_target;
}

struct buffer *scp_to_receiver(struct scp *s)
{
    return s->command.upload ? &s->transfer.to_target : &s->transfer.to_client;
}

int scp_fault(struct scp *s, bool sender, const char *what)
{
    bool client = sender == s->command.upload;
    return detail_fail(&s->transfer.why, client ? TRANSFER_CLIENT : TRANSFER_TARGET, "the %s sent %s",
                       client ? "client" : "target", what);
}

/* \1 and a message, for either side. */
static int say(struct buffer *out, const char *message)
{
    return buffer_printf(out, "\1gatehouse: %s\n", message);
}

/* ---- lines ---- */

/* The length of the line at the head, newline included; 0: it is not all there. */
static int line_length(struct scp *s, const struct buffer *in, bool sender, size_t *ret)
{
    const uint8_t *newline = buffer_size(in) ? memchr(buffer_head(in), '\n', buffer_size(in)) : NULL;
    size_t n = newline ? (size_t)(newline - buffer_head(in)) + 1 : 0;
    if (n > SCP_LINE_MAX || (n == 0 && buffer_size(in) >= SCP_LINE_MAX))
        return scp_fault(s, sender, "a line that is too long");
    *ret = n;
    return n ? 0 : SHORT;
}

static bool is_times(const char *line)
{
    return line[strspn(line + 1, "0123456789 -") + 1] == 0;
}

/* ---- deciding ---- */

/* The line at the head is refused; it goes no further. */
static int refuse_line(struct scp *s, size_t n, const char *message)
{
    int r = say(to_sender(s), message);
    if (r == 0 && !s->command.upload)
        r = say(scp_to_receiver(s), message);
    buffer_consume(scp_from_sender(s), n);
    scp_item_clear(&s->item);
    s->state = SCP_LINE;
    return r;
}

static int pass_line(struct scp *s, size_t n, enum scp_state next)
{
    s->state = next;
    return transfer_move(scp_from_sender(s), scp_to_receiver(s), n);
}

/* Everything that is to be known is known. */
static int take_item(struct scp *s, size_t n)
{
    struct file_verdict verdict;
    int r = scp_decide(s, &verdict);
    if (r)
        return r;
    if (verdict.held) {
        s->state = SCP_HELD;
        return SHORT;
    }
    if (!verdict.allowed)
        return refuse_line(s, n, verdict.message);
    r = scp_item_begin(s, &verdict);
    return r ? r : pass_line(s, n, SCP_ACK);
}

static int take_resolved(struct scp *s)
{
    size_t n = 0;
    bool done = false;
    int r = line_length(s, scp_from_sender(s), true, &n);
    r = r ? r : scp_resolve_item(s, &done);
    if (r == -ENAMETOOLONG)
        return refuse_line(s, n, "denied: the path is too long (code denied)");
    return r || !done ? r : take_item(s, n);
}

/* Once it was decided on; where it leads is asked again. */
static int take_held(struct scp *s)
{
    size_t n = 0;
    if (!s->item.decided)
        return SHORT;
    if (s->transfer.host.asks_paths && s->item.verdict.allowed) {
        s->state = SCP_RESOLVE;
        return 0;
    }
    int r = line_length(s, scp_from_sender(s), true, &n);
    return r ? r : take_item(s, n);
}

static int take_named(struct scp *s, const char *line, size_t n)
{
    s->item = (struct scp_item){ 0 };
    if (!scp_read_item(line, &s->item))
        return scp_fault(s, true, "a line that does not add up");
    if (s->transfer.host.asks_paths) {
        s->state = SCP_RESOLVE;
        return 0;
    }
    if (scp_item_path(s))
        return refuse_line(s, n, "denied: the path is too long (code denied)");
    return take_item(s, n);
}

static int take_line(struct scp *s)
{
    struct buffer *in = scp_from_sender(s);
    char line[SCP_LINE_MAX + 1];
    size_t n = 0;
    int r = line_length(s, in, true, &n);
    if (r)
        return r;
    memcpy(line, buffer_head(in), n - 1);
    line[n - 1] = 0;
    if (strlen(line) != n - 1)
        return scp_fault(s, true, "a line that does not add up");
    switch (line[0]) {
    case 'C':
    case 'D':
        return take_named(s, line, n);
    case 'T':
        s->item.kind = 'T';
        return is_times(line) ? pass_line(s, n, SCP_ACK) : scp_fault(s, true, "a line that does not add up");
    case 'E':
        if (n != 2 || s->depth == 0)
            return scp_fault(s, true, "the end of a directory that it is not in");
        scp_leave_directory(s);
        s->item.kind = 'E';
        return pass_line(s, n, SCP_ACK);
    case 1:
        return pass_line(s, n, SCP_LINE);
    case 2:
        return pass_line(s, n, SCP_OVER);
    default:
        return scp_fault(s, true, "a line that does not add up");
    }
}

/* ---- acknowledgements ---- */

/* \0, or a message with what it is worth in front. */
static int take_word(struct scp *s, struct buffer *in, bool sender, size_t *ret_n, bool *ret_well)
{
    size_t n = 1;
    if (buffer_size(in) == 0)
        return SHORT;
    *ret_well = *buffer_head(in) == 0;
    int r = *ret_well ? 0 : line_length(s, in, sender, &n);
    if (r == 0)
        *ret_n = n;
    return r;
}

static bool is_fatal(const struct buffer *in)
{
    return *buffer_head(in) == 2;
}

static int take_hello(struct scp *s)
{
    size_t n = 0;
    bool well = false;
    int r = take_word(s, from_receiver(s), false, &n, &well);
    if (r)
        return r;
    s->state = well ? SCP_LINE : SCP_OVER;
    return transfer_move(from_receiver(s), to_sender(s), n);
}

static int take_ack(struct scp *s)
{
    size_t n = 0;
    bool well = false;
    int r = take_word(s, from_receiver(s), false, &n, &well);
    if (r)
        return r;
    bool fatal = is_fatal(from_receiver(s));
    if (!well && s->item.kind == 'D')
        scp_leave_directory(s);
    if (!well && s->item.kind == 'C')
        r = scp_tell(s, "failed");
    s->state = fatal ? SCP_OVER : well && s->item.kind == 'C' ? SCP_DATA : SCP_LINE;
    if (s->state != SCP_DATA)
        scp_item_clear(&s->item);
    return r ? r : transfer_move(from_receiver(s), to_sender(s), n);
}

/* ---- data ---- */

static int take_data(struct scp *s)
{
    int r = scp_take_data(s);
    if (r == 0 && s->item.left == 0)
        s->state = SCP_STATUS;
    return r;
}

static int take_status(struct scp *s)
{
    size_t n = 0;
    bool well = false;
    int r = take_word(s, scp_from_sender(s), true, &n, &well);
    if (r)
        return r;
    s->item.failed = !well;
    s->state = SCP_DATA_ACK;
    if (!well || !s->item.fired)
        return transfer_move(scp_from_sender(s), scp_to_receiver(s), n);
    buffer_consume(scp_from_sender(s), n);
    return say(scp_to_receiver(s), s->item.note);
}

static int take_data_ack(struct scp *s)
{
    size_t n = 0;
    bool well = false;
    int r = take_word(s, from_receiver(s), false, &n, &well);
    if (r)
        return r;
    bool fatal = is_fatal(from_receiver(s)), told = well && s->item.fired && s->command.upload;
    if (told) {
        buffer_consume(from_receiver(s), n);
        r = say(to_sender(s), s->item.note);
    } else {
        r = transfer_move(from_receiver(s), to_sender(s), n);
    }
    r = r ? r : scp_tell(s, s->item.fired ? "refused" : well && !s->item.failed ? "complete" : "failed");
    scp_item_clear(&s->item);
    s->state = fatal ? SCP_OVER : SCP_LINE;
    return r;
}

/* ---- running ---- */

/* Somebody gave up: both end now, and what they say until then would not be looked at. */
static int drop_all(struct scp *s)
{
    buffer_consume(&s->transfer.from_client, buffer_size(&s->transfer.from_client));
    buffer_consume(&s->transfer.from_target, buffer_size(&s->transfer.from_target));
    return SHORT;
}

static int step(struct scp *s)
{
    switch (s->state) {
    case SCP_HELLO:
        return take_hello(s);
    case SCP_LINE:
        return take_line(s);
    case SCP_RESOLVE:
        return take_resolved(s);
    case SCP_HELD:
        return take_held(s);
    case SCP_ACK:
        return take_ack(s);
    case SCP_DATA:
        return take_data(s);
    case SCP_STATUS:
        return take_status(s);
    case SCP_DATA_ACK:
        return take_data_ack(s);
    case SCP_OVER:
        return drop_all(s);
    }
    return -EINVAL;
}

static int run(struct transfer *t)
{
    struct scp *s = scp_of(t);
    int r = 0;
    while (r == 0 && transfer_takes(&t->to_client) && transfer_takes(&t->to_target))
        r = step(s);
    return r == SHORT ? 0 : r;
}

static bool wants(const struct transfer *t)
{
    return transfer_takes(&t->to_client) && transfer_takes(&t->to_target);
}

static int end(struct transfer *t)
{
    struct scp *s = scp_of(t);
    return s->item.digest ? scp_tell(s, "cut") : 0;
}

static void scp_free(struct transfer *t)
{
    struct scp *s = scp_of(t);
    scp_item_clear(&s->item);
    transfer_command_clear(&s->command);
    free(s);
}

int scp_transfer_new(const struct transfer_host *host, struct transfer_command *command,
                     struct transfer **ret)
{
    static const struct transfer_kind kind = { run, wants, wants, end, scp_free, scp_resolved, scp_decided };
    struct scp *s = calloc(1, sizeof *s);
    if (!s)
        return -ENOMEM;
    transfer_init(&s->transfer, &kind, host, SCP_LINE_MAX);
    s->command = *command;
    command->n_files = 0;
    *ret = &s->transfer;
    return 0;
}
