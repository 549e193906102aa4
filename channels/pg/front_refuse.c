/* See front_refuse.h; how a refusal looks, and why the server has to give it, is in refuse.c. */
#include "channels/pg/front_refuse.h"

#include <stdio.h>
#include <string.h>
#include "channels/pg/front_record.h"

const struct verdict front_cancelled = { .action = ACTION_DENY,
                                         .code = "cancelled",
                                         .rule = "built-in",
                                         .reason = "the client cancelled it while it waited" };

static int veil_substitute(struct front *f, const char *statement)
{
    if (!f->veil)
        return 0;
    return front_veiled(statement ? veil_parse(f->veil, statement, NULL) : veil_query(f->veil, NULL, 0));
}

static int expect(struct front *f, const struct refused *refused, uint64_t number)
{
    struct refusal_words words;
    const char *subject = refused->decision ? refused->decision->subject : NULL;
    struct pg_error error =
        refusal_error(refused->verdict, subject, number, f->text_kind != TEXT_UTF8, &words);
    if (refused->unknown) {
        /* The server's own words: drivers prepare anew when they see this code. */
        (void)snprintf(words.message, sizeof(words.message), "prepared statement \"%.256s\" does not exist",
                       refused->unknown);
        error.sqlstate = "26000";
    }
    if (refused->cancelled) {
        (void)snprintf(words.message, sizeof(words.message), "canceling statement due to user request");
        error.sqlstate = "57014";
    }
    return refusals_expect(&f->refusals, number, &error);
}

/* The message that stands in for the refused one. */
static int put_substitute(const struct front *f, const struct refused *refused, uint64_t number,
                          struct buffer *out)
{
    char text[REFUSAL_TEXT_MAX];
    refusals_substitute(&f->refusals, number, refused->verdict->rule, text);
    if (!refused->statement)
        return pg_put_query(out, text);
    bool fits = strnlen(refused->statement, PREPARED_NAME_MAX + 1) <= PREPARED_NAME_MAX;
    return pg_put_parse(out, fits ? refused->statement : "gatehouse", text);
}

/* refused points into the lane: everything is made of it before anything there moves. */
int front_refuse(struct front *f, const struct pg_header *header, const struct refused *refused)
{
    struct buffer substitute;
    buffer_init(&substitute, PG_SMALL_MAX);
    int r = front_settle(f);
    uint64_t number = recorder_next(f->recorder);
    r = r ? r : put_substitute(f, refused, number, &substitute);
    r = r ? r : expect(f, refused, number);
    r = r ? r
          : front_record(f, refused->what, refused->verdict, refused->decision, refused->text, refused->n,
                         refused->missing);
    r = r ? r : veil_substitute(f, refused->statement);
    r = r ? r : lane_flush(&f->lane);
    r = r ? r : buffer_append(&f->lane.out, buffer_head(&substitute), buffer_size(&substitute));
    buffer_free(&substitute);
    f->skipping = refused->statement != NULL;
    f->rounds_due += refused->statement ? 0 : 1;
    lane_drop(&f->lane, PG_HEADER + (size_t)header->body);
    return r;
}

int front_refuse_too_long(struct front *f, const struct pg_header *header, struct reader body, bool simple)
{
    const struct verdict verdict = verdict_built_in("limit", "the statement is longer than 16 MiB");
    size_t there = reader_left(&body) < RECORDER_TEXT_MAX ? reader_left(&body) : RECORDER_TEXT_MAX;
    return front_refuse(f, header,
                        &(struct refused){ .what = simple ? "query" : "parse",
                                           .text = (const char *)body.next,
                                           .n = there,
                                           .missing = header->body - there,
                                           .verdict = &verdict,
                                           .statement = simple ? NULL : "gatehouse" });
}
