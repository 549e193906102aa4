/* Two forms. JSON for programs: fields have stable names, and what is not known is left out. Slack's for
 * chats: one text. There whatever somebody else chose stands in a code span, where no mention and no link is
 * one: backticks, line breaks and control characters are taken out of it, and Slack's own three characters
 * are escaped. */
#include "replay/notify_body.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/text.h"

/* At most max bytes of it, without half a character at the end. */
static size_t cut(const char *text, size_t n, size_t max)
{
    if (n <= max)
        return n;
    n = max;
    while (n && ((unsigned char)text[n] & 0xc0) == 0x80)
        n--;
    return n;
}

static bool is_there(const char *text)
{
    return text && *text;
}

/* ---- json ---- */

static void put(struct json *j, const char *key, const char *value)
{
    if (is_there(value))
        json_bytes(j, key, value, cut(value, strlen(value), NOTIFY_TEXT_MAX));
}

static void put_time(struct json *j, const char *key, uint64_t unix_ms)
{
    char time[32];
    if (unix_ms)
        json_text(j, key, text_time(time, unix_ms));
}

static void put_names(struct json *j, const char *key, const char *const *names, size_t n)
{
    if (!n)
        return;
    json_open_array(j, key);
    for (size_t i = 0; i < n && i < NOTIFY_NAMES_MAX; i++)
        json_bytes(j, NULL, names[i], cut(names[i], strlen(names[i]), NOTIFY_NAME_MAX));
    json_close_array(j);
}

static void put_statement(struct json *j, const struct notification *what)
{
    size_t n = cut(what->statement, what->statement_n, NOTIFY_STATEMENT_MAX);
    json_bytes(j, "statement", what->statement, n);
    json_bool(j, "statement_truncated", n < what->statement_n);
}

static bool build_json(const Ipc__Notify *webhook, const struct notification *what, const char *id,
                       uint64_t at_ms, struct buffer *out)
{
    struct json j = json_to(out);
    json_open_object(&j, NULL);
    json_u64(&j, "version", 1);
    json_text(&j, "id", id);
    json_text(&j, "event", what->event);
    put_time(&j, "at", at_ms);
    put(&j, "request", what->request);
    put(&j, "identity", what->identity);
    put(&j, "acting_for", what->acting_for);
    put(&j, "target", what->target);
    put(&j, "login", what->login);
    put(&j, "rule", what->rule);
    put(&j, "reason", what->reason);
    put(&j, "recording", what->recording);
    put_names(&j, "by", what->by, what->n_by);
    if (what->quorum)
        json_u64(&j, "quorum", what->quorum);
    put_time(&j, "expires_at", what->expires_ms);
    put(&j, "decision", what->decision);
    put_names(&j, "deciders", what->deciders, what->n_deciders);
    put(&j, "comment", what->comment);
    if (webhook->include_statement && what->statement)
        put_statement(&j, what);
    json_close_object(&j);
    return !j.failed;
}

/* ---- slack ---- */

/* Text that grows until something does not fit. */
struct lines {
    struct buffer text;
    bool failed;
};

static void say(struct lines *l, const char *words)
{
    l->failed |= buffer_append(&l->text, words, strlen(words)) != 0;
}

static void say_byte(struct lines *l, char c, bool keep_layout)
{
    switch (c) {
    case '&':
        say(l, "&amp;");
        break;
    case '<':
        say(l, "&lt;");
        break;
    case '>':
        say(l, "&gt;");
        break;
    case '`':
        say(l, "'");
        break;
    default: {
        bool kept = (unsigned char)c >= ' ' || (keep_layout && c == '\n');
        const char word[2] = { kept && c != 0x7f ? c : ' ', '\0' };
        say(l, word);
    }
    }
}

static void say_code(struct lines *l, const char *fence, const char *text, size_t n, bool keep_layout)
{
    say(l, fence);
    for (size_t i = 0; i < n; i++)
        say_byte(l, text[i], keep_layout);
    say(l, fence);
}

static void say_name(struct lines *l, const char *before, const char *text, const char *after)
{
    if (!is_there(text))
        return;
    say(l, before);
    say_code(l, "`", text, cut(text, strlen(text), NOTIFY_TEXT_MAX), false);
    say(l, after);
}

static void say_names(struct lines *l, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n && i < NOTIFY_NAMES_MAX; i++)
        say_name(l, i ? ", " : "", names[i], "");
}

static void say_requested(struct lines *l, const struct notification *what)
{
    char words[96], time[32];
    say_name(l, "*Approval ", what->request, " is asked for*\n");
    say_name(l, "", what->identity, "");
    say_name(l, " (for ", what->acting_for, ")");
    say_name(l, " on ", what->target, "");
    say_name(l, ", rule ", what->rule, "");
    say_name(l, "\nWhy: ", what->reason, "");
    if (what->n_by) {
        say(l, "\nWho decides: ");
        say_names(l, what->by, what->n_by);
    }
    if (what->n_by && what->quorum > 1) {
        (void)snprintf(words, sizeof words, " (%u people)", (unsigned)what->quorum);
        say(l, words);
    }
    if (what->expires_ms) {
        (void)snprintf(words, sizeof words, "\nUntil: %s", text_time(time, what->expires_ms));
        say(l, words);
    }
}

static void say_decided(struct lines *l, const struct notification *what)
{
    say_name(l, "*Approval ", what->request, "* ");
    say_name(l, "is ", what->decision, "");
    if (what->n_deciders) {
        say(l, " by ");
        say_names(l, what->deciders, what->n_deciders);
    }
    say_name(l, "\n", what->identity, "");
    say_name(l, " (for ", what->acting_for, ")");
    say_name(l, " on ", what->target, "");
    say_name(l, ", rule ", what->rule, "");
    say_name(l, "\nComment: ", what->comment, "");
}

static void say_statement(struct lines *l, const struct notification *what)
{
    size_t n = cut(what->statement, what->statement_n, NOTIFY_STATEMENT_MAX);
    say(l, "\n");
    say_code(l, "```", what->statement, n, true);
    if (n < what->statement_n)
        say(l, "\n(cut)");
}

static bool build_slack(const Ipc__Notify *webhook, const struct notification *what, struct buffer *out)
{
    struct lines l = { .failed = false };
    buffer_init(&l.text, NOTIFY_BODY_MAX);
    if (strcmp(what->event, "approval_decided") == 0)
        say_decided(&l, what);
    else if (strcmp(what->event, "approval_requested") == 0)
        say_requested(&l, what);
    else
        say_name(&l, "", what->event, "");
    if (webhook->include_statement && what->statement)
        say_statement(&l, what);
    struct json j = json_to(out);
    json_open_object(&j, NULL);
    json_bytes(&j, "text", buffer_head(&l.text), buffer_size(&l.text));
    json_close_object(&j);
    buffer_free(&l.text);
    return !l.failed && !j.failed;
}

int notify_body(const Ipc__Notify *webhook, const struct notification *what, const char *id, uint64_t at_ms,
                struct buffer *ret)
{
    buffer_init(ret, NOTIFY_BODY_MAX);
    bool fits = strcmp(webhook->form, "slack") == 0 ? build_slack(webhook, what, ret)
                                                    : build_json(webhook, what, id, at_ms, ret);
    if (fits)
        return 0;
    buffer_free(ret);
    return -ENOBUFS;
}
