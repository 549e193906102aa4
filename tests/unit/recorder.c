/* The recorder: what stands in the file, entry by entry, under the chain's key. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/chain.h"
#include "base/io.h"
#include "channels/recorder.h"
#include "channels/recorder_head.h"

enum { ENTRIES_BEFORE = 3, FILE_MAX = 16 * 1024 * 1024 };

static const uint8_t first_key[CHAIN_KEY] = { 1, 2, 3 }, first_tag[CHAIN_TAG] = { 9 };

static struct recorder *recorder_on(int fd, uint64_t limit)
{
    uint8_t key[CHAIN_KEY], tag[CHAIN_TAG];
    struct recorder *recorder = NULL;
    memcpy(key, first_key, sizeof(key));
    memcpy(tag, first_tag, sizeof(tag));
    Ipc__AnswerRecording answer = IPC__ANSWER_RECORDING__INIT;
    answer.id = (char *)(uintptr_t) "abc";
    answer.chain_key = (ProtobufCBinaryData){ sizeof(key), key };
    answer.chain_tag = (ProtobufCBinaryData){ sizeof(tag), tag };
    answer.entries = ENTRIES_BEFORE;
    answer.chain_version = CHAIN_V2;
    assert_int_equal(recorder_new(fd, &answer, limit, false, &recorder), 0);
    assert_int_equal(key[0] | key[1] | key[2], 0); /* wiped */
    return recorder;
}

static int new_file(void)
{
    int fd = memfd_create("recording", MFD_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

struct found {
    uint8_t *bytes;
    size_t n, at;
    struct chain chain;
    Ipc__Event *event;
    struct chain_entry entry;
};

static struct found read_all(int fd)
{
    struct found f = { .at = 0 };
    assert_int_equal(fd_contents(fd, FILE_MAX, &f.bytes, &f.n), 0);
    chain_start(&f.chain, CHAIN_V2, first_key);
    memcpy(f.chain.last, first_tag, CHAIN_TAG);
    return f;
}

/* The next event, of this kind, in its place in the chain. */
static const Ipc__Event *next_event(struct found *f, Ipc__Event__WhatCase kind)
{
    if (f->event)
        ipc__event__free_unpacked(f->event, NULL);
    assert_int_equal(chain_parse(f->bytes + f->at, f->n - f->at, &f->entry), 0);
    assert_int_equal(chain_check(&f->chain, &f->entry), 0);
    f->at += f->entry.size;
    f->event = ipc__event__unpack(NULL, f->entry.head_n, f->entry.head);
    assert_non_null(f->event);
    assert_int_equal(f->event->what_case, kind);
    return f->event;
}

static void assert_over(struct found *f)
{
    assert_int_equal(f->at, f->n);
    if (f->event)
        ipc__event__free_unpacked(f->event, NULL);
    free(f->bytes);
}

static void events_stand_in_order_under_the_chain(void **state)
{
    int fd = new_file(), copy = dup(fd);
    struct recorder *r = recorder_on(copy, 1000);
    Ipc__Request request = IPC__REQUEST__INIT;
    (void)state;
    request.what = (char *)(uintptr_t) "query";
    assert_int_equal(recorder_next(r), 1);
    assert_int_equal(recorder_request(r, &request, "select 1", 8), 0);
    assert_int_equal(recorder_next(r), 2);
    assert_int_equal(recorder_output(r, 4, "postgres", "rows", 4), 0);
    assert_int_equal(recorder_input(r, 4, "terminal", "keys", 4), 0);
    assert_int_equal(recorder_resize(r, 80, 24), 0);
    assert_int_equal(recorder_note(r, "note"), 0);
    assert_int_equal(recorder_end(r, 77, "done"), 0);
    assert_int_equal(recorder_entries(r), ENTRIES_BEFORE + 6);
    assert_string_equal(recorder_id(r), "abc");

    struct found f = read_all(fd);
    assert_int_equal(next_event(&f, IPC__EVENT__WHAT_REQUEST)->request->number, 1);
    assert_memory_equal(f.entry.body, "select 1", 8);
    assert_int_equal(next_event(&f, IPC__EVENT__WHAT_OUTPUT)->output->stream, 4);
    assert_string_equal(f.event->output->form, "postgres");
    assert_string_equal(next_event(&f, IPC__EVENT__WHAT_INPUT)->input->form, "terminal");
    assert_int_equal(next_event(&f, IPC__EVENT__WHAT_RESIZE)->resize->columns, 80);
    assert_string_equal(next_event(&f, IPC__EVENT__WHAT_NOTE)->note->text, "note");
    const Ipc__Event *end = next_event(&f, IPC__EVENT__WHAT_END);
    assert_int_equal(end->end->status, 77);
    assert_int_equal(end->end->bytes_in, 4);
    assert_int_equal(end->end->bytes_out, 4);
    assert_over(&f);
    recorder_free(r);
    fd_close(fd);
}

static void a_long_statement_is_cut_and_says_by_how_much(void **state)
{
    static const char text[RECORDER_TEXT_MAX + 100];
    int fd = new_file(), copy = dup(fd);
    struct recorder *r = recorder_on(copy, 0);
    Ipc__Request request = IPC__REQUEST__INIT;
    (void)state;
    request.omitted = 5; /* that the caller never had */
    assert_int_equal(recorder_request(r, &request, text, sizeof(text)), 0);
    struct found f = read_all(fd);
    assert_int_equal(next_event(&f, IPC__EVENT__WHAT_REQUEST)->request->omitted, 105);
    assert_int_equal(f.entry.body_n, RECORDER_TEXT_MAX);
    assert_over(&f);
    recorder_free(r);
    fd_close(fd);
}

static void values_of_every_size_are_kept_up_to_what_a_head_holds(void **state)
{
    static const size_t sizes[] = { 0, 1, 1900, 2000, 2048, 2100, 30000, CHAIN_HEAD_MAX - 200 };
    static uint8_t value[CHAIN_HEAD_MAX + 1];
    int fd = new_file(), copy = dup(fd);
    struct recorder *r = recorder_on(copy, 0);
    (void)state;
    memset(value, 'v', sizeof(value));
    ProtobufCBinaryData data = { .data = value };
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        Ipc__Request request = IPC__REQUEST__INIT;
        data.len = sizes[i];
        request.values = &data;
        request.n_values = 1;
        assert_int_equal(recorder_request(r, &request, "x", 1), 0);
    }
    struct found f = read_all(fd);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        const Ipc__Request *request = next_event(&f, IPC__EVENT__WHAT_REQUEST)->request;
        assert_int_equal(request->values[0].len, sizes[i]);
        assert_memory_equal(request->values[0].data, value, sizes[i]);
    }
    assert_over(&f);
    Ipc__Request request = IPC__REQUEST__INIT;
    data.len = sizeof(value);
    request.values = &data;
    request.n_values = 1;
    assert_true(recorder_request(r, &request, "x", 1) < 0);
    recorder_free(r);
    fd_close(fd);
}

/* Each signed, with a long reason: more than one entry's head holds. */
static void of_many_decisions_the_last_are_kept(void **state)
{
    enum { MANY = 24, SIGNATURE = 4096 };
    static uint8_t signature[SIGNATURE];
    static Ipc__ApprovalDecision decisions[MANY], *list[MANY];
    int fd = new_file(), copy = dup(fd);
    struct recorder *r = recorder_on(copy, 0);
    (void)state;
    for (size_t i = 0; i < MANY; i++) {
        ipc__approval_decision__init(&decisions[i]);
        decisions[i].at_ms = i;
        decisions[i].signature = (ProtobufCBinaryData){ .len = SIGNATURE, .data = signature };
        list[i] = &decisions[i];
    }
    Ipc__ApprovalNews news = IPC__APPROVAL_NEWS__INIT;
    news.decisions = list;
    for (news.n_decisions = 0; news.n_decisions <= MANY; news.n_decisions += 12)
        assert_int_equal(recorder_approval(r, &news), 0);
    struct found f = read_all(fd);
    static const size_t kept[] = { 0, 11, 11 };
    for (size_t i = 0; i < 3; i++) {
        const Ipc__ApprovalNews *found = next_event(&f, IPC__EVENT__WHAT_APPROVAL)->approval;
        assert_int_equal(found->n_decisions, kept[i]);
        if (kept[i])
            assert_int_equal(found->decisions[kept[i] - 1]->at_ms, 12 * i - 1);
    }
    assert_over(&f);
    recorder_free(r);
    fd_close(fd);
}

static void output_beyond_the_limit_is_counted_and_requests_are_kept(void **state)
{
    int fd = new_file(), copy = dup(fd);
    struct recorder *r = recorder_on(copy, 6);
    Ipc__Request request = IPC__REQUEST__INIT;
    (void)state;
    assert_int_equal(recorder_output(r, 1, "postgres", "abcd", 4), 0);
    assert_int_equal(recorder_output(r, 1, "postgres", "efgh", 4), 0);
    assert_int_equal(recorder_output(r, 1, "postgres", "ijkl", 4), 0);
    assert_int_equal(recorder_request(r, &request, "x", 1), 0);
    assert_int_equal(recorder_end(r, 0, ""), 0);
    struct found f = read_all(fd);
    (void)next_event(&f, IPC__EVENT__WHAT_OUTPUT);
    (void)next_event(&f, IPC__EVENT__WHAT_OUTPUT);
    assert_int_equal(f.entry.body_n, 2);
    assert_string_equal(next_event(&f, IPC__EVENT__WHAT_OMITTED)->omitted->why, "output_limit");
    (void)next_event(&f, IPC__EVENT__WHAT_REQUEST);
    assert_int_equal(next_event(&f, IPC__EVENT__WHAT_OMITTED)->omitted->bytes, 6);
    assert_int_equal(next_event(&f, IPC__EVENT__WHAT_END)->end->bytes_out, 12);
    assert_over(&f);
    recorder_free(r);
    fd_close(fd);
}

static void output_larger_than_an_entry_is_split(void **state)
{
    size_t n = CHAIN_BODY_MAX + 10;
    int fd = new_file(), copy = dup(fd);
    struct recorder *r = recorder_on(copy, FILE_MAX);
    uint8_t *bytes = calloc(1, n);
    (void)state;
    assert_int_equal(recorder_output(r, 1, "postgres", bytes, n), 0);
    struct found f = read_all(fd);
    (void)next_event(&f, IPC__EVENT__WHAT_OUTPUT);
    assert_int_equal(f.entry.body_n, CHAIN_BODY_MAX);
    (void)next_event(&f, IPC__EVENT__WHAT_OUTPUT);
    assert_int_equal(f.entry.body_n, 10);
    assert_over(&f);
    free(bytes);
    recorder_free(r);
    fd_close(fd);
}

static void after_a_failure_nothing_is_written_any_more(void **state)
{
    int file = new_file(), full = open("/dev/full", O_WRONLY | O_CLOEXEC), fd = dup(full);
    struct recorder *r = recorder_on(fd, 100);
    (void)state;
    assert_int_equal(recorder_note(r, "one"), -ENOSPC);
    assert_true(dup2(file, fd) == fd); /* there is room again */
    assert_int_equal(recorder_note(r, "two"), -ENOSPC);
    assert_int_equal(recorder_output(r, 1, "terminal", "x", 1), -ENOSPC);
    assert_int_equal(recorder_end(r, 0, ""), -ENOSPC);
    struct found f = read_all(file);
    assert_int_equal(f.n, 0);
    free(f.bytes);
    recorder_free(r);
    fd_close(file);
    fd_close(full);
}

static void an_answer_with_a_key_of_another_length_is_refused(void **state)
{
    uint8_t key[CHAIN_KEY] = { 0 }, tag[CHAIN_TAG] = { 0 };
    struct recorder *r = NULL;
    Ipc__AnswerRecording answer = IPC__ANSWER_RECORDING__INIT;
    (void)state;
    answer.id = (char *)(uintptr_t) "abc";
    answer.chain_key = (ProtobufCBinaryData){ sizeof(key) - 1, key };
    answer.chain_tag = (ProtobufCBinaryData){ sizeof(tag), tag };
    assert_int_equal(recorder_new(new_file(), &answer, 1, false, &r), -EINVAL);
    answer.chain_key.len = sizeof(key);
    answer.chain_tag.len = 0;
    assert_int_equal(recorder_new(new_file(), &answer, 1, false, &r), -EINVAL);
    answer.chain_tag.len = sizeof(tag);
    answer.chain_version = CHAIN_V2 + 1;
    assert_int_equal(recorder_new(new_file(), &answer, 1, false, &r), -EINVAL);
    assert_null(r);
}

/* A gate that was started anew under a ledger of before. */
static void a_ledger_that_names_no_version_has_opened_one_of_the_first(void **state)
{
    uint8_t key[CHAIN_KEY], tag[CHAIN_TAG];
    int fd = new_file(), copy = dup(fd);
    struct recorder *r = NULL;
    Ipc__AnswerRecording answer = IPC__ANSWER_RECORDING__INIT;
    (void)state;
    memcpy(key, first_key, sizeof(key));
    memcpy(tag, first_tag, sizeof(tag));
    answer.id = (char *)(uintptr_t) "abc";
    answer.chain_key = (ProtobufCBinaryData){ sizeof(key), key };
    answer.chain_tag = (ProtobufCBinaryData){ sizeof(tag), tag };
    assert_int_equal(recorder_new(copy, &answer, 1000, false, &r), 0);
    assert_int_equal(recorder_note(r, "one"), 0);
    assert_int_equal(recorder_note(r, "two"), 0);
    struct found f = read_all(fd);
    f.chain.version = CHAIN_V1;
    assert_string_equal(next_event(&f, IPC__EVENT__WHAT_NOTE)->note->text, "one");
    assert_string_equal(next_event(&f, IPC__EVENT__WHAT_NOTE)->note->text, "two");
    assert_over(&f);
    recorder_free(r);
    fd_close(fd);
}

/* ---- heads ---- */

/* The same bytes as protobuf-c's; false where it is left to it. */
static bool is_packed_alike(const Ipc__Event *event)
{
    static uint8_t own[RECORDER_HEAD_MAX], packed[CHAIN_HEAD_MAX];
    const uint8_t *head = NULL;
    size_t n = recorder_head(event, own, &head), size = ipc__event__get_packed_size(event);
    if (n == 0)
        return false;
    assert_int_equal(n, size);
    assert_int_equal(ipc__event__pack(event, packed), size);
    assert_memory_equal(head, packed, size);
    return true;
}

static char *lent(const char *text)
{
    return (char *)(uintptr_t)text;
}

/* Field by field, each with values around the sizes of a varint, and all of them. */
static void heads_are_packed_as_protobuf_does(void **state)
{
    static const uint64_t numbers[] = { 0, 1, 127, 128, 16383, 16384, UINT32_MAX, UINT64_MAX };
    static const char *const texts[] = { "", "a", "select public.orders", "\303\244" };
    enum { NUMBERS = sizeof numbers / sizeof numbers[0], TEXTS = 4, ROUNDS = 4000 };
    uint8_t bytes[300] = { 7 };
    ProtobufCBinaryData values[3];
    protobuf_c_boolean nulls[3];
    uint32_t formats[3];
    char *effects[3];
    unsigned dice = 1;
    (void)state;
#define DICE(n) ((dice = dice * 1103515245 + 12345, dice >> 16) % (n))
    for (int round = 0; round < ROUNDS; round++) {
        Ipc__Request request = IPC__REQUEST__INIT;
        Ipc__Output output = IPC__OUTPUT__INIT;
        Ipc__Event event = IPC__EVENT__INIT;
        event.at_us = numbers[DICE(NUMBERS)];
        request.number = numbers[DICE(NUMBERS)];
        request.what = lent(texts[DICE(TEXTS)]);
        request.verdict = lent(texts[DICE(TEXTS)]);
        request.rule = lent(texts[DICE(TEXTS)]);
        request.reason = DICE(9) ? lent(texts[DICE(TEXTS)]) : NULL;
        request.code = DICE(9) ? lent(texts[DICE(TEXTS)]) : NULL;
        request.omitted = numbers[DICE(NUMBERS)];
        request.stream = (uint32_t)numbers[DICE(NUMBERS)];
        request.of = numbers[DICE(NUMBERS)];
        request.values_omitted = numbers[DICE(NUMBERS)];
        request.n_effects = DICE(4);
        request.n_values = DICE(4);
        request.n_nulls = DICE(4);
        request.n_formats = DICE(4);
        for (unsigned i = 0; i < 3; i++) {
            effects[i] = lent(texts[DICE(TEXTS)]);
            values[i] = (ProtobufCBinaryData){ DICE(2) ? 0 : DICE(sizeof bytes), bytes };
            nulls[i] = DICE(2) == 1;
            formats[i] = (uint32_t)numbers[DICE(NUMBERS)];
        }
        request.effects = effects;
        request.values = values;
        request.nulls = nulls;
        request.formats = formats;
        output.stream = (uint32_t)numbers[DICE(NUMBERS)];
        output.form = lent(texts[DICE(TEXTS)]);
        event.what_case = IPC__EVENT__WHAT_REQUEST;
        event.request = &request;
        assert_true(is_packed_alike(&event));
        event.what_case = IPC__EVENT__WHAT_OUTPUT;
        event.output = &output;
        assert_true(is_packed_alike(&event));
    }
#undef DICE
}

/* Every size around what fits. */
static void a_head_that_does_not_fit_is_left_to_protobuf(void **state)
{
    static char reason[RECORDER_HEAD_MAX + 64];
    unsigned alike = 0, left = 0;
    (void)state;
    for (size_t n = RECORDER_HEAD_MAX - 200; n < sizeof reason; n++) {
        Ipc__Request request = IPC__REQUEST__INIT;
        Ipc__Event event = IPC__EVENT__INIT;
        memset(reason, 'r', n);
        reason[n] = 0;
        request.reason = reason;
        event.at_us = UINT64_MAX;
        event.what_case = IPC__EVENT__WHAT_REQUEST;
        event.request = &request;
        if (is_packed_alike(&event))
            alike++;
        else
            left++;
    }
    assert_true(alike > 100 && left > 64);
}

static void other_events_are_left_to_protobuf(void **state)
{
    Ipc__Note note = IPC__NOTE__INIT;
    Ipc__Event event = IPC__EVENT__INIT;
    (void)state;
    event.what_case = IPC__EVENT__WHAT_NOTE;
    event.note = &note;
    assert_false(is_packed_alike(&event));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(heads_are_packed_as_protobuf_does),
        cmocka_unit_test(a_head_that_does_not_fit_is_left_to_protobuf),
        cmocka_unit_test(other_events_are_left_to_protobuf),
        cmocka_unit_test(events_stand_in_order_under_the_chain),
        cmocka_unit_test(a_long_statement_is_cut_and_says_by_how_much),
        cmocka_unit_test(values_of_every_size_are_kept_up_to_what_a_head_holds),
        cmocka_unit_test(of_many_decisions_the_last_are_kept),
        cmocka_unit_test(output_beyond_the_limit_is_counted_and_requests_are_kept),
        cmocka_unit_test(output_larger_than_an_entry_is_split),
        cmocka_unit_test(after_a_failure_nothing_is_written_any_more),
        cmocka_unit_test(an_answer_with_a_key_of_another_length_is_refused),
        cmocka_unit_test(a_ledger_that_names_no_version_has_opened_one_of_the_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
