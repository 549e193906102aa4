/* A name in a line, what path it is, where that leads, and whether it may go through. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "channels/sftp/scp_parts.h"
#include "policy/detect.h"
#include "policy/effect.h"

/* C0644 123 name\n: mode, size, name. */
bool scp_read_item(const char *line, struct scp_item *item)
{
    char *end = NULL;
    const char *at = line + 1;
    size_t digits = strspn(at, "01234567");
    if (digits < 3 || digits > 5 || at[digits] != ' ' || !isdigit((unsigned char)at[digits + 1]))
        return false;
    errno = 0;
    item->size = strtoull(at + digits + 1, &end, 10);
    if (errno || *end != ' ' || item->size > INT64_MAX || strlen(end + 1) >= sizeof item->name)
        return false;
    item->kind = line[0];
    (void)snprintf(item->name, sizeof item->name, "%s", end + 1);
    return path_is_name(item->name);
}

void scp_item_clear(struct scp_item *item)
{
    digest_free(item->digest);
    detect_stream_free(item->stream);
    *item = (struct scp_item){ 0 };
}

/* ---- where it goes ---- */

static const char *top(const struct scp *s)
{
    return s->command.files[0].path;
}

/* The path at the top names what is sent, or a pattern of it; or where it is put. */
int scp_item_path(struct scp *s)
{
    struct scp_item *item = &s->item;
    char directory[PATH_TEXT_MAX];
    const char *name;
    if (s->depth > 0)
        return path_join(s->directory, item->name, item->path);
    if (!s->command.upload)
        return path_split(top(s), directory, &name) ? path_join(directory, item->name, item->path)
                                                    : path_join(top(s), item->name, item->path);
    size_t n = strlen(top(s));
    bool inside =
        s->command.directory || s->top_is_directory || top(s)[n - 1] == '/' || strcmp(top(s), ".") == 0;
    return inside ? path_join(top(s), item->name, item->path) : path_join("", top(s), item->path);
}

static void ask(struct scp *s, const char *path)
{
    const struct transfer_host *host = &s->transfer.host;
    s->answered = s->unknown = false;
    s->asking = true;
    if (host->resolve && !strchr(path, EFFECT_HOLE)) {
        host->resolve(host->owner, path);
    } else {
        s->asking = false;
        s->answered = s->unknown = true;
    }
}

void scp_resolved(struct transfer *transfer, const struct resolved_path *path)
{
    struct scp *s = scp_of(transfer);
    if (!s->asking)
        return;
    s->asking = false;
    s->answered = true;
    s->unknown = !path->path || strlen(path->path) >= sizeof s->resolved;
    if (s->asking_top)
        s->top_is_directory = path->path && path->directory;
    if (!s->unknown)
        (void)snprintf(s->resolved, sizeof s->resolved, "%s", path->path);
}

/* First where an upload's path at the top leads, then the item's. */
int scp_resolve_item(struct scp *s, bool *ret_done)
{
    *ret_done = false;
    if (!s->asking && !s->answered) {
        s->asking_top = s->command.upload && s->depth == 0 && !s->top_known;
        int r = s->asking_top ? 0 : scp_item_path(s);
        if (r < 0)
            return r;
        ask(s, s->asking_top ? top(s) : s->item.path);
    }
    if (!s->answered)
        return SHORT;
    s->answered = false;
    s->top_known |= s->asking_top;
    *ret_done = !s->asking_top;
    return 0;
}

/* ---- deciding ---- */

static enum file_operation operation_of(const struct scp *s)
{
    if (s->item.kind == 'D')
        return s->command.upload ? FILE_MKDIR : FILE_LIST;
    return s->command.upload ? FILE_WRITE : FILE_READ;
}

/* What people agreed to is what it leads to now. */
static int decide_held(const struct scp *s, const char *path, struct file_verdict *ret)
{
    *ret = s->item.verdict;
    if (ret->allowed && strcmp(path, s->item.judged) != 0) {
        ret->allowed = false;
        (void)snprintf(ret->message, sizeof ret->message,
                       "denied: the path leads elsewhere by now: try again (code denied)");
    }
    return 0;
}

void scp_decided(struct transfer *transfer, const struct file_verdict *verdict)
{
    struct scp_item *item = &scp_of(transfer)->item;
    if (!item->held || item->decided || item->verdict.number != verdict->number)
        return;
    bool look = item->verdict.look;
    item->verdict = *verdict;
    item->verdict.look = look;
    item->decided = true;
}

int scp_decide(struct scp *s, struct file_verdict *ret)
{
    struct scp_item *item = &s->item;
    const struct transfer_host *host = &s->transfer.host;
    char text[2 * PATH_TEXT_MAX + 64];
    const char *path = host->asks_paths ? s->resolved : item->path;
    if (item->decided && !item->verdict.allowed) {
        *ret = item->verdict;
        return 0;
    }
    if (host->asks_paths && s->unknown) {
        *ret = (struct file_verdict){ .allowed = false };
        (void)snprintf(ret->message, sizeof ret->message,
                       "denied: the target can't tell where %.256s leads (code denied)", item->path);
        return 0;
    }
    if (item->held)
        return decide_held(s, path, ret);
    const char *direction = s->command.upload ? "to" : "from";
    int n = snprintf(text, sizeof text, item->kind == 'D' ? "copy directory %s %s" : "copy %s %s", direction,
                     path);
    if (strcmp(path, item->path) != 0)
        (void)snprintf(text + n, sizeof text - (size_t)n, " [asked: %s]", item->path);
    const struct file_request request = {
        .what = "scp", .text = text, .effects = { { operation_of(s), path } }, .n_effects = 1
    };
    int r = transfer_decide(&s->transfer, &request, ret);
    item->held = r == 0 && ret->held;
    if (item->held) {
        item->verdict = *ret;
        (void)snprintf(item->judged, sizeof item->judged, "%s", path);
    }
    return r;
}

static int begin_file(struct scp *s)
{
    struct scp_item *item = &s->item;
    const struct transfer_host *host = &s->transfer.host;
    int r = digest_new(&item->digest);
    if (r == 0 && s->item.look && host->detectors)
        r = detect_stream_new(host->detectors, host->how, &item->stream);
    item->left = item->size;
    item->started_us = clock_us();
    return r;
}

static int enter_directory(struct scp *s)
{
    if (s->depth == SCP_DEPTH_MAX)
        return scp_fault(s, true, "directories that are too deep");
    s->ends[s->depth++] = strlen(s->directory);
    memcpy(s->directory, s->item.path, sizeof s->directory);
    return 0;
}

int scp_item_begin(struct scp *s, const struct file_verdict *verdict)
{
    s->item.number = verdict->number;
    s->item.look = verdict->look;
    return s->item.kind == 'C' ? begin_file(s) : enter_directory(s);
}

/* Each one's path begins with that of the one outside. */
void scp_leave_directory(struct scp *s)
{
    s->directory[s->ends[--s->depth]] = 0;
}

int scp_tell(struct scp *s, const char *state)
{
    struct scp_item *item = &s->item;
    struct file_transfer told = { .of = item->number,
                                  .program = "scp",
                                  .upload = s->command.upload,
                                  .path = item->path,
                                  .resolved = s->transfer.host.asks_paths ? s->resolved : "",
                                  .has_size = true,
                                  .size = item->size,
                                  .duration_us = clock_us() - item->started_us,
                                  .state = state,
                                  .note = item->note };
    int r = digest_end(item->digest, &told.digest);
    return r ? r : transfer_tell(&s->transfer, &told);
}
