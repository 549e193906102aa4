/* See bot_words.h. */
#include "channels/commands/bot_words.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "base/json.h"
#include "base/text.h"

static int fail(struct detail *detail, const char *why)
{
    return detail_fail(detail, -EBADMSG, "%s", why);
}

/* ---- members ---- */

/* A text, or "" when it is not there. */
static int text_of(const struct json_object *object, const char *name, const char **ret,
                   struct detail *detail)
{
    const struct json_member *member = json_object_find(object, name);
    if (member && member->kind != JSON_TEXT)
        return detail_fail(detail, -EBADMSG, "\"%s\" is not a text", name);
    *ret = member ? member->value : "";
    return 0;
}

static int read_id(const struct json_object *object, struct bot_request *ret, struct detail *detail)
{
    const struct json_member *member = json_object_find(object, "id");
    if (!member)
        return 0;
    if (member->kind == JSON_WORD || strlen(member->value) > BOT_ID_MAX)
        return fail(detail, "\"id\" is a number or a text of at most 64 bytes");
    for (const char *c = member->value; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == '"' || *c == '\\')
            return fail(detail, "\"id\" has characters that have to be escaped");
    (void)snprintf(ret->id, sizeof ret->id, member->kind == JSON_TEXT ? "\"%s\"" : "%s", member->value);
    return 0;
}

static int read_what(const struct json_object *object, struct bot_request *ret, struct detail *detail)
{
    static const char *const names[] = {
        [BOT_APPROVE] = "approve", [BOT_DENY] = "deny", [BOT_REVOKE_GRANT] = "revoke-grant",
        [BOT_SHOW] = "show",       [BOT_LIST] = "list", [BOT_PING] = "ping",
    };
    const char *text;
    if (text_of(object, "do", &text, detail))
        return -EBADMSG;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(text, names[i]) == 0) {
            ret->what = (enum bot_do)i;
            return 0;
        }
    return fail(detail, "\"do\" is approve, deny, revoke-grant, show, list or ping");
}

static int check_names(const struct json_object *object, struct detail *detail)
{
    static const char *const known[] = { "id", "do", "request", "digest", "reason", "for", "signature" };
    for (size_t i = 0; i < object->n; i++) {
        size_t k = 0;
        while (k < sizeof known / sizeof *known && strcmp(known[k], object->members[i].name) != 0)
            k++;
        if (k == sizeof known / sizeof *known)
            return detail_fail(detail, -EBADMSG, "\"%.32s\" means nothing here", object->members[i].name);
    }
    return 0;
}

static int read_digest(const char *hex, struct decision_words *words, struct detail *detail)
{
    size_t n = 0;
    if (!hex[0])
        return 0;
    if (strlen(hex) != (size_t)2 * DECISION_DIGEST ||
        sodium_hex2bin(words->digest, sizeof words->digest, hex, strlen(hex), NULL, &n, NULL) ||
        n != DECISION_DIGEST)
        return fail(detail, "\"digest\" has 64 hexadecimal digits");
    words->has_digest = true;
    return 0;
}

static int read_texts(const struct json_object *object, struct bot_request *ret, struct detail *detail)
{
    const char *request, *digest, *reason, *time, *signature;
    if (text_of(object, "request", &request, detail) || text_of(object, "digest", &digest, detail) ||
        text_of(object, "reason", &reason, detail) || text_of(object, "for", &time, detail) ||
        text_of(object, "signature", &signature, detail) || read_digest(digest, &ret->words, detail))
        return -EBADMSG;
    if (strlen(request) >= sizeof ret->request)
        return fail(detail, "\"request\" is no id");
    if (strlen(reason) > DECISION_REASON_MAX)
        return fail(detail, "a reason has at most 1024 bytes");
    if (time[0] && (!text_to_duration(time, &ret->words.for_ms) || ret->words.for_ms == 0 ||
                    ret->words.for_ms > DECISION_FOR_MAX_MS))
        return fail(detail, "\"for\" is a time of at most 30d: 30m, 2h");
    (void)snprintf(ret->request, sizeof ret->request, "%s", request);
    (void)snprintf(ret->words.reason, sizeof ret->words.reason, "%s", reason);
    ret->signature = signature[0] ? signature : NULL;
    return 0;
}

/* What one does not need is a mistake that should not go unseen. */
static int check_use(const struct bot_request *request, struct detail *detail)
{
    bool decides = request->what == BOT_APPROVE || request->what == BOT_DENY;
    bool names = decides || request->what == BOT_REVOKE_GRANT || request->what == BOT_SHOW;
    const struct decision_words *words = &request->words;
    if (names != (request->request[0] != 0))
        return fail(detail, names ? "\"request\" is missing" : "\"request\" means nothing here");
    if ((request->signature || words->for_ms) && request->what != BOT_APPROVE)
        return fail(detail, "\"for\" and \"signature\" go with approve");
    if (words->has_digest && !decides)
        return fail(detail, "\"digest\" goes with approve and deny");
    /* A program that decides has read something, and says what. */
    if (decides && !words->has_digest)
        return fail(detail, "\"digest\" is missing: of what was decided on");
    return 0;
}

int bot_request_read(const void *line, size_t n, struct json_object *object, struct bot_request *ret,
                     struct detail *detail)
{
    *ret = (struct bot_request){ .id = "null" };
    int r = json_object_read(line, n, object, detail);
    if (r == 0)
        r = read_id(object, ret, detail);
    if (r == 0)
        r = read_what(object, ret, detail);
    if (r == 0)
        r = check_names(object, detail);
    if (r == 0)
        r = read_texts(object, ret, detail);
    return r ? r : check_use(ret, detail);
}
