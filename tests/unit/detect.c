/* Every line of detect_cases/: what is marked there is masked, nothing else is; and for each way to cut it
 * into pieces the output is the same. */
#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "detect_fixture.h"

enum {
    SPLITS_BY_ONE_MAX = 2000, /* longer cases are cut at every 37th place */
    RANDOM_SPLITS = 40,
    CUTS_MAX = 12,
};

static struct detectors *all;

static uint32_t random_state = 1;

static uint32_t next_random(uint32_t below)
{
    random_state = random_state * 1664525 + 1013904223;
    return (random_state >> 8) % below;
}

static int load(void **state)
{
    (void)state;
    all = fixture_detectors(NULL, 0);
    return 0;
}

static int unload(void **state)
{
    (void)state;
    detectors_free(all);
    return 0;
}

static void check_block(const struct fixture_case *c, const char *name, unsigned line)
{
    struct detect_how how = fixture_redact(all, fixture_index(all, name));
    struct detect_tally tally = { { 0 } };
    struct buffer out;

    buffer_init(&out, FIXTURE_TEXT_MAX);
    fixture_block(all, &how, c->in, c->in_n, &out);
    fixture_same(&out, c->out, c->out_n, name, line);
    assert_int_equal(detect_fires(all, &how, c->in, c->in_n, &tally), c->marked);
    assert_int_equal(tally.fired[fixture_index(all, name)] > 0, c->marked);
    buffer_free(&out);
}

static void each_built_in(fixture_body *body)
{
    for (size_t i = 0; detector_builtin(i); i++)
        fixture_each(detector_builtin(i), body);
}

static void what_is_marked_is_masked_and_nothing_else(void **state)
{
    (void)state;
    each_built_in(check_block);
}

static void check_cut(const struct fixture_case *c, const struct detect_how *how, const size_t *cuts,
                      size_t n, const struct buffer *wanted, const char *name, unsigned line)
{
    struct buffer out;

    buffer_init(&out, FIXTURE_TEXT_MAX);
    fixture_stream(all, how, c->in, c->in_n, cuts, n, &out);
    fixture_same(&out, buffer_head(wanted), buffer_size(wanted), name, line);
    buffer_free(&out);
}

static void check_splits(const struct fixture_case *c, const char *name, unsigned line)
{
    struct detect_how how = fixture_redact(all, -1);
    struct buffer wanted;
    size_t cuts[CUTS_MAX];

    buffer_init(&wanted, FIXTURE_TEXT_MAX);
    fixture_block(all, &how, c->in, c->in_n, &wanted);
    for (size_t at = 0; at <= c->in_n; at += c->in_n > SPLITS_BY_ONE_MAX ? 37 : 1)
        check_cut(c, &how, &at, 1, &wanted, name, line);
    for (unsigned i = 0; i < RANDOM_SPLITS; i++) {
        size_t n = 0;
        for (size_t at = 0; n < CUTS_MAX && at < c->in_n; n++)
            cuts[n] = at += next_random((uint32_t)(c->in_n - at) / 2 + 1);
        check_cut(c, &how, cuts, n, &wanted, name, line);
    }
    buffer_free(&wanted);
}

static void every_split_gives_what_the_whole_gives(void **state)
{
    (void)state;
    each_built_in(check_splits);
}

static void check_bytes(const struct fixture_case *c, const char *name, unsigned line)
{
    struct detect_how how = fixture_redact(all, fixture_index(all, name));
    struct detect_stream *stream = NULL;
    struct buffer out;

    buffer_init(&out, FIXTURE_TEXT_MAX);
    assert_int_equal(detect_stream_new(all, &how, &stream), 0);
    for (size_t i = 0; i < c->in_n; i++) {
        assert_int_equal(detect_feed(stream, c->in + i, 1, &out), 0);
        assert_true(detect_held(stream) <= DETECT_HOLD_MAX);
    }
    assert_int_equal(detect_end(stream, &out), 0);
    fixture_same(&out, c->out, c->out_n, name, line);
    assert_int_equal(detect_stream_tally(stream)->fired[fixture_index(all, name)] > 0, c->marked);
    detect_stream_free(stream);
    buffer_free(&out);
}

static void byte_by_byte_is_the_same(void **state)
{
    (void)state;
    each_built_in(check_bytes);
}

/* Behind so much text that the case lies across the border of the pieces that are searched in one go. */
static void check_far(const struct fixture_case *c, const char *name, unsigned line)
{
    enum { PIECE = 16 * 1024, BEFORE = 40 };
    struct detect_how how = fixture_redact(all, fixture_index(all, name));
    struct buffer text, wanted, out;
    size_t filler = PIECE - BEFORE;

    buffer_init(&text, FIXTURE_TEXT_MAX);
    buffer_init(&wanted, FIXTURE_TEXT_MAX);
    buffer_init(&out, FIXTURE_TEXT_MAX);
    for (size_t i = 0; i < filler; i++)
        assert_int_equal(buffer_append(&text, i % 7 == 6 || i + 1 == filler ? "\n" : "w", 1), 0);
    assert_int_equal(buffer_append(&wanted, buffer_head(&text), filler), 0);
    assert_int_equal(buffer_append(&text, c->in, c->in_n), 0);
    assert_int_equal(buffer_append(&wanted, c->out, c->out_n), 0);
    fixture_block(all, &how, buffer_head(&text), buffer_size(&text), &out);
    fixture_same(&out, buffer_head(&wanted), buffer_size(&wanted), name, line);
    buffer_consume(&out, buffer_size(&out));
    fixture_stream(all, &how, buffer_head(&text), buffer_size(&text), NULL, 0, &out);
    fixture_same(&out, buffer_head(&wanted), buffer_size(&wanted), name, line);
    buffer_free(&text);
    buffer_free(&wanted);
    buffer_free(&out);
}

static void a_case_across_the_border_of_two_windows_is_the_same(void **state)
{
    (void)state;
    each_built_in(check_far);
}

/* What is not clean by itself is not clean between any bytes: the frames of a protocol. */
static void check_not_clean(const struct fixture_case *c, const char *name, unsigned line)
{
    static const char *const frames[][2] = {
        { "", "" }, { "\0\0\0\x39", "D" }, { "a", "9" }, { "-", "-" }, { "7.", ".7" }
    };
    struct detect_how how = fixture_redact(all, fixture_index(all, name));

    for (size_t i = 0; i < sizeof frames / sizeof *frames && c->marked; i++) {
        struct buffer text;
        buffer_init(&text, FIXTURE_TEXT_MAX);
        assert_int_equal(buffer_append(&text, frames[i][0], i == 1 ? 4 : strlen(frames[i][0])), 0);
        assert_int_equal(buffer_append(&text, c->in, c->in_n), 0);
        assert_int_equal(buffer_append(&text, frames[i][1], strlen(frames[i][1])), 0);
        if (detect_is_clean(all, &how, buffer_head(&text), buffer_size(&text)))
            fail_msg("detect_cases/%s.txt:%u is taken for clean (frame %zu)", name, line, i);
        buffer_free(&text);
    }
}

static void what_holds_a_match_is_not_clean_whatever_is_around_it(void **state)
{
    (void)state;
    each_built_in(check_not_clean);
}

/* Each line, and all of them as one text. */
static struct buffer corpus;

static void check_false_positive(const struct fixture_case *c, const char *name, unsigned line)
{
    struct detect_how how = fixture_redact(all, -1);
    struct detect_tally tally = { { 0 } };

    if (detect_fires(all, &how, c->in, c->in_n, &tally) != 0)
        for (size_t i = 0; i < detectors_count(all); i++)
            if (tally.fired[i])
                fail_msg("detect_cases/%s.txt:%u: %s fires on %.*s", name, line, detectors_name(all, i),
                         (int)c->in_n, (const char *)c->in);
    assert_int_equal(buffer_append(&corpus, c->in, c->in_n), 0);
    assert_int_equal(buffer_append(&corpus, "\n", 1), 0);
}

static void nothing_fires_on_the_corpus_of_false_positives(void **state)
{
    struct detect_how how = fixture_redact(all, -1);
    struct detect_tally tally = { { 0 } };

    (void)state;
    buffer_init(&corpus, FIXTURE_TEXT_MAX);
    fixture_each("clean", check_false_positive);
    assert_int_equal(detect_fires(all, &how, buffer_head(&corpus), buffer_size(&corpus), &tally), 0);
    buffer_free(&corpus);
}

/* Digits are looked at in blocks of 64 bytes. */
static void check_places(const struct fixture_case *c, const char *name, unsigned line)
{
    enum { PLACES = 130 };
    struct detect_how how = fixture_redact(all, fixture_index(all, name));
    struct buffer text;

    for (size_t before = 0; before < PLACES && c->in_n < PLACES; before++) {
        buffer_init(&text, FIXTURE_TEXT_MAX);
        for (size_t i = 0; i < before; i++)
            assert_int_equal(buffer_append(&text, ";", 1), 0);
        assert_int_equal(buffer_append(&text, c->in, c->in_n), 0);
        if (detect_fires(all, &how, buffer_head(&text), buffer_size(&text), NULL) != c->marked)
            fail_msg("detect_cases/%s.txt:%u behind %zu bytes", name, line, before);
        buffer_free(&text);
    }
}

static void a_number_is_found_wherever_it_is(void **state)
{
    (void)state;
    fixture_each("credit_card", check_places);
    fixture_each("us_ssn", check_places);
    fixture_each("iban", check_places);
}

/* Each place of a long run of digits may be the first one of a number: that must not cost the length of the
 * run. */
static void long_runs_are_not_looked_at_again_and_again(void **state)
{
    enum { LONG = 2 << 20, WINDOW = 16 * 1024 };
    struct detect_how how = fixture_redact(all, -1);
    char *text = malloc(LONG);

    (void)state;
    assert_non_null(text);
    for (size_t i = 0; i < LONG; i++)
        text[i] = (char)(i % 1001 == 1000 ? '\n' : '0' + i * 7 % 10);
    struct detect_effort before = detect_effort(all);
    assert_true(detect_is_clean(all, &how, text, LONG));
    assert_int_equal(detect_fires(all, &how, text, LONG, NULL), 0);
    struct detect_effort after = detect_effort(all);
    /* Every window (of WINDOW bytes) searches once more what was held back of the one before. */
    assert_true(after.bytes - before.bytes <= 2 * LONG + LONG / 100);
    /* A run is looked at where it begins, loosely also at the four places behind. */
    assert_true(after.places - before.places <= (LONG / 1001 + 1) * (1 + 1 + DETECT_FRAME) + LONG / WINDOW);
    memset(text, '1', LONG);
    assert_true(detect_is_clean(all, &how, text, LONG));
    assert_int_equal(detect_fires(all, &how, text, LONG, NULL), 0);
    assert_true(detect_effort(all).places - after.places <= 2 + DETECT_FRAME);
    memset(text, 'a', LONG);
    assert_true(detect_is_clean(all, &how, text, LONG));
    assert_int_equal(detect_fires(all, &how, text, LONG, NULL), 0);
    free(text);
}

/* Between lengths that look like digits, and at every place of the blocks of 64 bytes. */
static void a_number_between_frames_of_digits_is_not_clean(void **state)
{
    static const char *const numbers[] = { "4111111111111111", "4111-1111-1111-1111", "078-05-1120",
                                           "6212345678900000003" };
    struct detect_how how = fixture_redact(all, -1);
    char text[256];

    (void)state;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        for (int at = 0; at < 130; at++)
            for (int before = 0; before <= DETECT_FRAME; before++)
                for (int behind = 0; behind <= DETECT_FRAME; behind++) {
                    int n = snprintf(text, sizeof text, "%*s%.*s%s%.*s", at, "", before, "9999", numbers[i],
                                     behind, "9999");
                    if (detect_is_clean(all, &how, text, (size_t)n))
                        fail_msg("\"%s\" is taken for clean", text);
                }
}

/* A gate is a fork of the process that compiled. */
static void a_child_searches_with_what_its_parent_compiled(void **state)
{
    struct detect_how how = fixture_redact(all, -1);
    int status = 0;

    (void)state;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(detect_fires(all, &how, "bob@example.com", 15, NULL) == 1 &&
                      detect_fires(all, &how, "bob at example", 14, NULL) == 0
                  ? 0
                  : 1);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void what_is_switched_off_is_shown(void **state)
{
    struct detect_how how = fixture_redact(all, fixture_index(all, "iban"));
    const char text[] = "bob@example.com 4111111111111111 DE89370400440532013000";
    struct buffer out;

    (void)state;
    buffer_init(&out, FIXTURE_TEXT_MAX);
    assert_int_equal(detect_block(all, &how, text, strlen(text), &out, NULL), 1);
    fixture_same(&out, "bob@example.com 4111111111111111 [masked:iban]", 46, "-", 0);
    buffer_free(&out);
}

static void each_detector_has_its_own_kind_of_mask(void **state)
{
    static const uint8_t key[MASK_KEY] = "a key of thirty-two bytes, or so";
    struct detect_how how = fixture_redact(all, -1);
    const char text[] = "bob@example.com paid 4111-1111-1111-1111 of 078-05-1120";
    const char wanted[] = "b***@e***.com paid ****-****-****-1111 of [us_ssn:";
    struct buffer out;

    (void)state;
    how.key = key;
    how.kinds[fixture_index(all, "email")] = MASK_PARTIAL;
    how.kinds[fixture_index(all, "credit_card")] = MASK_PARTIAL;
    how.kinds[fixture_index(all, "us_ssn")] = MASK_HASH;
    buffer_init(&out, FIXTURE_TEXT_MAX);
    assert_int_equal(detect_block(all, &how, text, strlen(text), &out, NULL), 1);
    assert_int_equal(buffer_size(&out), strlen(wanted) + 24 + 1);
    assert_memory_equal(buffer_head(&out), wanted, strlen(wanted));
    buffer_free(&out);
}

static void a_flush_lets_go_what_is_held_and_masks_what_is_left(void **state)
{
    struct detect_how how = fixture_redact(all, -1);
    struct detect_stream *stream = NULL;
    struct buffer out;

    (void)state;
    buffer_init(&out, FIXTURE_TEXT_MAX);
    assert_int_equal(detect_stream_new(all, &how, &stream), 0);
    assert_int_equal(detect_feed(stream, "login: -----BEGIN PRIV", 22, &out), 0);
    assert_int_equal(buffer_size(&out), 6); /* a blank may stand in a number: it is held too */
    assert_int_equal(detect_held(stream), 16);
    assert_int_equal(detect_flush(stream, &out), 0);
    assert_int_equal(detect_held(stream), 0);
    fixture_same(&out, "login: -----BEGIN PRIV", 22, "-", 0);
    assert_int_equal(detect_flush(stream, &out), 0); /* nothing is held any more */
    assert_int_equal(detect_feed(stream, "ATE KEY-----\nMIIBVgIBADANBgkqhkiG9w0BAQEFAASCAUAw", 49, &out), 0);
    assert_int_equal(detect_feed(stream, "\n-----END PRIVATE KEY-----\n$ ", 29, &out), 0);
    assert_int_equal(detect_end(stream, &out), 0);
    fixture_same(&out, "login: -----BEGIN PRIV[masked:private_key]\n$ ", 45, "-", 0);
    detect_stream_free(stream);
    buffer_free(&out);
}

static void a_flush_of_plain_text_changes_nothing(void **state)
{
    const char text[] = "$ ls -l\ntotal 12 HELLO 4111 and b@d, o'";
    struct detect_how how = fixture_redact(all, -1);
    struct detect_stream *stream = NULL;
    struct buffer out;

    (void)state;
    buffer_init(&out, FIXTURE_TEXT_MAX);
    assert_int_equal(detect_stream_new(all, &how, &stream), 0);
    for (size_t i = 0; i < strlen(text); i++) {
        assert_int_equal(detect_feed(stream, text + i, 1, &out), 0);
        assert_int_equal(detect_flush(stream, &out), 0);
        assert_int_equal(buffer_size(&out), i + 1);
    }
    assert_int_equal(detect_end(stream, &out), 0);
    fixture_same(&out, text, strlen(text), "-", 0);
    detect_stream_free(stream);
    buffer_free(&out);
}

static void a_key_without_an_end_is_masked_until_it_stops_to_look_like_one(void **state)
{
    enum { LINES = 20000, LINE = 65, IDLE = 512 };
    struct detect_how how = fixture_redact(all, -1);
    struct detect_stream *stream = NULL;
    char line[LINE + 1];
    struct buffer out;

    (void)state;
    memset(line, 'A', LINE - 1);
    line[LINE - 1] = '\n';
    buffer_init(&out, FIXTURE_TEXT_MAX);
    assert_int_equal(detect_stream_new(all, &how, &stream), 0);
    assert_int_equal(detect_feed(stream, "-----BEGIN PRIVATE KEY-----\n", 28, &out), 0);
    for (unsigned i = 0; i < LINES; i++)
        assert_int_equal(detect_feed(stream, line, LINE, &out), 0);
    assert_int_equal(buffer_size(&out), strlen("[masked:private_key]"));
    for (unsigned i = 0; i < 2 * IDLE; i++)
        assert_int_equal(detect_feed(stream, " ", 1, &out), 0);
    assert_int_equal(detect_end(stream, &out), 0);
    assert_true(buffer_size(&out) > strlen("[masked:private_key]") + IDLE / 2);
    detect_stream_free(stream);
    buffer_free(&out);
}

static void a_full_output_is_a_failure(void **state)
{
    struct detect_how how = fixture_redact(all, -1);
    struct detect_stream *stream = NULL;
    struct buffer out;

    (void)state;
    buffer_init(&out, 4);
    assert_int_equal(detect_stream_new(all, &how, &stream), 0);
    assert_true(detect_feed(stream, "too long. ", 10, &out) < 0);
    assert_true(detect_block(all, &how, "bob@example.com", 15, &out, NULL) < 0);
    detect_stream_free(stream);
    buffer_free(&out);
}

static void names_are_known_and_not_named_twice(void **state)
{
    const char *unknown[] = { "emial" }, *twice[] = { "email", "email" };
    struct detectors *d = NULL;
    struct detail why;

    (void)state;
    assert_true(detector_exists("github_token"));
    assert_false(detector_exists("emial"));
    assert_true(detectors_new(unknown, 1, NULL, 0, &d, &why) < 0);
    assert_string_equal(why.text, "there is no detector \"emial\"");
    assert_true(detectors_new(twice, 2, NULL, 0, &d, &why) < 0);
    assert_string_equal(why.text, "the detector \"email\" is named twice");
    assert_null(d);
    assert_int_equal(detectors_new(twice, 1, NULL, 0, &d, &why), 0);
    assert_int_equal(detectors_count(d), 1);
    assert_string_equal(detectors_name(d, 0), "email");
    detectors_free(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_marked_is_masked_and_nothing_else),
        cmocka_unit_test(every_split_gives_what_the_whole_gives),
        cmocka_unit_test(byte_by_byte_is_the_same),
        cmocka_unit_test(a_case_across_the_border_of_two_windows_is_the_same),
        cmocka_unit_test(what_holds_a_match_is_not_clean_whatever_is_around_it),
        cmocka_unit_test(nothing_fires_on_the_corpus_of_false_positives),
        cmocka_unit_test(a_number_is_found_wherever_it_is),
        cmocka_unit_test(long_runs_are_not_looked_at_again_and_again),
        cmocka_unit_test(a_number_between_frames_of_digits_is_not_clean),
        cmocka_unit_test(a_child_searches_with_what_its_parent_compiled),
        cmocka_unit_test(what_is_switched_off_is_shown),
        cmocka_unit_test(each_detector_has_its_own_kind_of_mask),
        cmocka_unit_test(a_flush_lets_go_what_is_held_and_masks_what_is_left),
        cmocka_unit_test(a_flush_of_plain_text_changes_nothing),
        cmocka_unit_test(a_key_without_an_end_is_masked_until_it_stops_to_look_like_one),
        cmocka_unit_test(a_full_output_is_a_failure),
        cmocka_unit_test(names_are_known_and_not_named_twice),
    };

    return cmocka_run_group_tests(tests, load, unload);
}
