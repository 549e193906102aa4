/* channels/screen: what an operator sees, by a small terminal, and what keys do. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "channels/screen/board.h"
#include "channels/screen/keys.h"
#include "check.h"
#include "vt.h"

static const uint64_t now = UINT64_C(1767225660000);

static char *lent(const char *text)
{
    return (char *)(uintptr_t)text;
}

struct some {
    const char *id, *statement, *who, *actor, *target, *rule, *reason, *preview;
    Ipc__ApprovalState state;
    uint64_t left_ms;
    bool must_sign;
    const char *decided_by;
};

static Ipc__Approval *approval_of(const struct some *some)
{
    Ipc__Approval a = IPC__APPROVAL__INIT;
    Ipc__ApprovalContent c = IPC__APPROVAL_CONTENT__INIT;
    Ipc__Person who = IPC__PERSON__INIT, olga = IPC__PERSON__INIT;
    Ipc__Approve terms = IPC__APPROVE__INIT;
    Ipc__RoleGroup dba = IPC__ROLE_GROUP__INIT, *groups[] = { &dba };
    Ipc__ApprovalDecision decision = IPC__APPROVAL_DECISION__INIT, *decisions[] = { &decision };
    char *roles[] = { lent("dba") };
    const char *statement = some->statement ? some->statement : "DELETE FROM orders WHERE id = 17";
    dba.roles = roles, dba.n_roles = 1;
    terms.by = groups, terms.n_by = 1, terms.quorum = 1, terms.mode = lent("hold"),
    terms.must_sign = some->must_sign;
    who.name = lent(some->who ? some->who : "corp/bot"),
    who.actor = lent(some->actor ? some->actor : "agent-7");
    a.id = lent(some->id), a.state = some->state ? some->state : IPC__APPROVAL_STATE__APPROVAL_OPEN;
    a.requester = &who, a.approve = &terms, a.content = &c;
    a.target = lent(some->target ? some->target : "orders"), a.login = lent("app");
    a.rule = lent(some->rule ? some->rule : "destructive");
    a.reason = lent(some->reason ? some->reason : "a second pair of eyes");
    a.recording = lent("0123456789ab"), a.number = 3, a.source = lent("192.0.2.4");
    a.created_ms = now - 60000, a.expires_ms = now + (some->left_ms ? some->left_ms : 540000);
    c.statement = (ProtobufCBinaryData){ strlen(statement), (uint8_t *)lent(statement) };
    c.preview = lent(some->preview ? some->preview : "");
    olga.name = lent(some->decided_by ? some->decided_by : "");
    decision.by = &olga;
    decision.approve = a.state != IPC__APPROVAL_STATE__APPROVAL_DENIED;
    decision.reason = lent("no");
    a.decisions = decisions, a.n_decisions = some->decided_by ? 1 : 0;
    size_t n = ipc__approval__get_packed_size(&a);
    uint8_t *bytes = malloc(n);
    (void)ipc__approval__pack(&a, bytes);
    Ipc__Approval *copy = ipc__approval__unpack(NULL, n, bytes);
    free(bytes);
    assert_non_null(copy);
    return copy;
}

/* ---- a screen, and the terminal that shows it ---- */

struct view {
    struct board *board;
    struct canvas *shown;
    struct vt vt;
    size_t painted; /* bytes of the last painting */
    bool colour;
};

static void view_open(struct view *view, unsigned columns, unsigned rows)
{
    *view = (struct view){ .colour = true };
    vt_new(&view->vt, columns, rows);
    assert_int_equal(board_new(&view->board), 0);
}

static void view_close(struct view *view)
{
    board_free(view->board);
    canvas_free(view->shown);
}

static void add(struct view *view, const struct some *some)
{
    assert_int_equal(board_put(view->board, approval_of(some), now), 0);
}

/* Draws what has changed since, through the terminal; the text is freed by the caller. */
static char *look_at(struct view *view, uint64_t at_ms)
{
    struct buffer out;
    struct canvas *next = NULL;
    int row, column;
    buffer_init(&out, 1 << 20);
    assert_int_equal(canvas_new(view->vt.columns, view->vt.rows, &next), 0);
    assert_int_equal(board_draw(view->board, at_ms, next, &row, &column), 0);
    assert_int_equal(canvas_paint(view->shown, next, view->colour, &out), 0);
    if (buffer_size(&out))
        vt_feed(&view->vt, buffer_head(&out), buffer_size(&out));
    view->painted = buffer_size(&out);
    canvas_free(view->shown);
    view->shown = next;
    buffer_free(&out);
    return vt_text(&view->vt);
}

static void shows(struct view *view, const char *expected)
{
    char *text = look_at(view, now);
    assert_string_equal(text, expected);
    free(text);
}

static bool has(struct view *view, const char *needle)
{
    char *text = look_at(view, now);
    bool found = strstr(text, needle) != NULL;
    free(text);
    return found;
}

static struct board_step type(struct view *view, const char *text)
{
    struct board_step step = { .wish = BOARD_NOTHING };
    for (; *text; text++)
        step = board_key(view->board, *text == '\r' ? (uint32_t)KEY_ENTER : (uint32_t)(unsigned char)*text);
    return step;
}

/* ---- what it looks like ---- */

static const struct some first = { .id = "A7K2MQ", .preview = "3 rows in public.orders" };
static const struct some second = { .id = "B8K2MQ",
                                    .who = "corp/anna",
                                    .actor = "",
                                    .statement = "UPDATE customers\nSET name = 'x'",
                                    .target = "billing",
                                    .left_ms = 45000 };

static void two_requests_in_80_columns(void **state)
{
    (void)state;
    struct view view;
    view_open(&view, 80, 14);
    add(&view, &first);
    add(&view, &second);
    shows(&view, " Approvals: 2 wait                  a approve  d deny  s so far  f live  ? help\n"
                 ">A7K2MQ  9m  agent-7 for corp/bot on orders as app\n"
                 "  DELETE FROM orders WHERE id = 17\n"
                 "  rule destructive: a second pair of eyes\n"
                 "  decided by dba\n"
                 "  3 rows in public.orders\n"
                 " B8K2MQ  45s  corp/anna on billing as app\n"
                 "  UPDATE customers SET name = 'x'\n"
                 "\n\n\n\n\n\n");
    view_close(&view);
}

static void the_same_on_a_telephone(void **state)
{
    (void)state;
    struct view view;
    view_open(&view, 40, 16);
    add(&view, &first);
    add(&view, &second);
    shows(&view, " Approvals: 2 wait               ? help\n"
                 ">A7K2MQ  9m\n"
                 "  agent-7 for corp/bot on orders as app\n"
                 "  DELETE FROM orders WHERE id = 17\n"
                 "  rule destructive: a second pair of\n"
                 "  eyes\n"
                 "  decided by dba\n"
                 "  3 rows in public.orders\n"
                 " B8K2MQ  45s\n"
                 "  corp/anna on billing as app\n"
                 "  UPDATE customers SET name = 'x'\n"
                 "\n\n\n\n\n");
    view_close(&view);
}

static void nothing_waits(void **state)
{
    (void)state;
    struct view view;
    view_open(&view, 80, 5);
    shows(&view, " Approvals: nothing waits           a approve  d deny  s so far  f live  ? help\n\n"
                 " Requests show up here by themselves. q: leave\n\n\n");
    view_close(&view);
}

static void a_terminal_that_is_too_small_says_so(void **state)
{
    (void)state;
    struct view view;
    view_open(&view, 19, 4);
    add(&view, &first);
    shows(&view, "too small\n\n\n\n");
    view_close(&view);
    view_open(&view, 1, 1);
    shows(&view, "…\n");
    view_close(&view);
}

static void a_long_statement_is_folded_until_enter(void **state)
{
    (void)state;
    struct view view;
    static const struct some longer = { .id = "A7K2MQ", .statement = "1\n2\n3\n4\n5\n6\n7\n8\n9" };
    view_open(&view, 80, 24);
    add(&view, &longer);
    assert_true(has(&view, "  6\n  … Enter: all of it\n  rule"));
    assert_int_equal(type(&view, "\r").wish, BOARD_NOTHING);
    assert_true(has(&view, "  8\n  9\n  rule"));
    assert_true(has(&view, "  from 192.0.2.4\n  recording 0123456789ab, request 3\n"));
    (void)type(&view, "\r");
    assert_true(has(&view, "  6\n  … Enter: all of it\n  rule"));
    view_close(&view);
}

static void keys_move_and_what_is_selected_stays_in_sight(void **state)
{
    (void)state;
    struct view view;
    char ids[40][16];
    view_open(&view, 80, 12);
    for (int i = 0; i < 40; i++) {
        (void)snprintf(ids[i], sizeof ids[i], "R%05d", i);
        add(&view, &(struct some){ .id = ids[i] });
    }
    for (int i = 1; i < 40; i++) {
        char head[24];
        (void)board_key(view.board, i % 2 ? (uint32_t)'j' : (uint32_t)KEY_DOWN);
        (void)snprintf(head, sizeof head, "\n>R%05d", i);
        assert_true(has(&view, head));
    }
    (void)board_key(view.board, KEY_HOME);
    assert_true(has(&view, "\n>R00000"));
    (void)board_key(view.board, KEY_END);
    assert_true(has(&view, "\n>R00039"));
    (void)board_key(view.board, KEY_DOWN);
    (void)board_key(view.board, 'k');
    assert_true(has(&view, "\n>R00038"));
    view_close(&view);
}

static void time_counts_down_and_only_that_is_drawn(void **state)
{
    (void)state;
    struct view view;
    struct some later = first;
    later.left_ms = 590000;
    view_open(&view, 80, 24);
    add(&view, &later);
    add(&view, &second);
    free(look_at(&view, now));
    assert_in_range(board_due(view.board, now), 1, 1001);
    char *text = look_at(&view, now + 1000);
    assert_non_null(strstr(text, " B8K2MQ  44s"));
    assert_in_range(view.painted, 1, 24);
    free(text);
    free(look_at(&view, now + 1000));
    assert_int_equal(view.painted, 0);
    view_close(&view);
}

/* ---- foreign text ---- */

static void control_characters_never_reach_the_terminal(void **state)
{
    (void)state;
    struct view view;
    static const char evil[] = "\x1b[2J\x1b]0;x\x07\r\n\t\x9b"
                               "5m\xe2\x80\xae\xff\x7f";
    static const struct some hostile = { .id = "A7K2MQ",
                                         .statement = evil,
                                         .who = evil,
                                         .actor = evil,
                                         .target = evil,
                                         .rule = evil,
                                         .reason = evil,
                                         .preview = evil };
    view_open(&view, 60, 30);
    add(&view, &hostile);
    (void)type(&view, "\r");
    assert_true(has(&view, "\\x1b[2J\\x1b]0;x\\x07\\x0d")); /* vt_feed fails at anything else */
    view_close(&view);
    view_open(&view, 20, 30);
    add(&view, &hostile);
    free(look_at(&view, now));
    view_close(&view);
}

static void wide_characters_and_marks_take_the_room_that_they_take(void **state)
{
    (void)state;
    struct view view;
    static const struct some wide = { .id = "A7K2MQ", .statement = "SELECT '日本語', 'e\xcc\x81 é', '🎉'" };
    view_open(&view, 80, 8);
    add(&view, &wide);
    assert_true(has(&view, "\n  SELECT '日本語', 'e\xcc\x81 é', '🎉'\n"));
    view_close(&view);
    for (unsigned columns = 20; columns < 40; columns++) {
        view_open(&view, columns, 12);
        add(&view, &wide);
        free(look_at(&view, now)); /* vt_feed fails where something goes beyond the edge */
        view_close(&view);
    }
}

static void a_mono_screen_has_no_colours(void **state)
{
    (void)state;
    for (int colour = 0; colour < 2; colour++) {
        struct view view;
        bool coloured = false;
        view_open(&view, 80, 12);
        view.colour = colour;
        add(&view, &first);
        free(look_at(&view, now));
        for (unsigned row = 0; row < 12; row++)
            for (unsigned column = 0; column < 80; column++)
                coloured = coloured || strpbrk(view.vt.style[row][column], "3");
        assert_true(coloured == colour);
        assert_string_equal(view.vt.style[2][2], colour ? "0;1;34" : "0;1"); /* DELETE */
        view_close(&view);
    }
}

/* ---- deciding ---- */

static void a_approves_with_a_reason_and_a_time(void **state)
{
    (void)state;
    struct view view;
    view_open(&view, 80, 24);
    add(&view, &first);
    (void)type(&view, "a");
    assert_true(has(&view, "\napprove A7K2MQ, reason (Enter: none, Esc: back): \n") ||
                has(&view, "\napprove A7K2MQ, reason (Enter: none, Esc: back):\n"));
    (void)type(&view, "looks right");
    assert_true(has(&view, "Esc: back): looks right\n"));
    assert_int_equal(type(&view, "\r").wish, BOARD_NOTHING);
    assert_true(has(&view, "\napprove A7K2MQ, also for (30m; Enter: once):"));
    assert_int_equal(type(&view, "soon\r").wish, BOARD_NOTHING);
    assert_true(has(&view, "a time is 30m or 2h"));
    struct board_step step = type(&view, "30m\r");
    assert_int_equal(step.wish, BOARD_DECIDE);
    assert_true(step.approve);
    assert_string_equal(step.about->id, "A7K2MQ");
    assert_string_equal(step.reason, "looks right");
    assert_int_equal(step.for_ms, 1800000);
    view_close(&view);
}

static void d_denies_with_a_reason(void **state)
{
    (void)state;
    struct view view;
    view_open(&view, 40, 24);
    add(&view, &first);
    struct board_step step = type(&view, "dno, not todayX");
    (void)board_key(view.board, KEY_BACKSPACE);
    assert_true(has(&view, "\ndeny A7K2MQ, reason: no, not today\n"));
    step = type(&view, "\r");
    assert_int_equal(step.wish, BOARD_DECIDE);
    assert_false(step.approve);
    assert_string_equal(step.reason, "no, not today");
    assert_int_equal(step.for_ms, 0);
    view_close(&view);
}

static void a_long_reason_scrolls_and_has_a_limit(void **state)
{
    (void)state;
    struct view view;
    view_open(&view, 40, 8);
    add(&view, &first);
    (void)type(&view, "d");
    for (int i = 0; i < BOARD_TEXT_MAX + 10; i++)
        (void)board_key(view.board, (uint32_t)(i % 26 + 'a'));
    free(look_at(&view, now));
    (void)board_key(view.board, KEY_BACKSPACE);
    (void)board_key(view.board, 0x65e5);
    struct board_step step = type(&view, "\r");
    assert_int_equal(strlen(step.reason), BOARD_TEXT_MAX - 1); /* three bytes did not fit any more */
    view_close(&view);
}

static void escape_leaves_the_prompt_and_nothing_is_sent(void **state)
{
    (void)state;
    static const uint32_t leaving[] = { KEY_ESCAPE, KEY_CTRL_C, KEY_CTRL_D };
    for (size_t i = 0; i < 3; i++) {
        struct view view;
        view_open(&view, 80, 24);
        add(&view, &first);
        (void)type(&view, "ano");
        assert_int_equal(board_key(view.board, leaving[i]).wish, BOARD_NOTHING);
        assert_true(has(&view, "nothing was sent"));
        assert_int_equal(type(&view, "q").wish, BOARD_QUIT);
        view_close(&view);
    }
}

static void anothers_decision_closes_the_prompt(void **state)
{
    (void)state;
    struct view view;
    struct some decided = first;
    view_open(&view, 80, 24);
    add(&view, &first);
    add(&view, &second);
    (void)type(&view, "anearly");
    decided.state = IPC__APPROVAL_STATE__APPROVAL_DENIED;
    decided.decided_by = "corp/olga";
    add(&view, &decided);
    assert_true(has(&view, "\n>A7K2MQ  denied by corp/olga  agent-7"));
    assert_true(has(&view, "\n  denied by corp/olga: no\n"));
    assert_true(has(&view, "\nA7K2MQ is denied: nothing was sent (Enter)\n"));
    assert_true(has(&view, " Approvals: 1 waits"));
    assert_int_equal(type(&view, "jajq").wish, BOARD_NOTHING); /* goes on typing, and nothing else happens */
    assert_true(has(&view, "\n>A7K2MQ"));
    assert_int_equal(type(&view, "\r").wish, BOARD_NOTHING);
    (void)type(&view, "a");
    assert_true(has(&view, "it is decided already (Enter)"));
    assert_int_equal(type(&view, "ja\r").wish, BOARD_NOTHING);
    assert_true(has(&view, "\n>A7K2MQ"));
    view_close(&view);
}

static void what_is_over_leaves_after_a_while(void **state)
{
    (void)state;
    struct view view;
    struct some decided = first;
    view_open(&view, 80, 24);
    add(&view, &first);
    add(&view, &second);
    (void)type(&view, "j");
    decided.state = IPC__APPROVAL_STATE__APPROVAL_CONSUMED;
    decided.decided_by = "corp/olga";
    add(&view, &decided);
    assert_true(has(&view, "\n A7K2MQ  ran, approved by corp/olga"));
    (void)board_due(view.board, now + BOARD_OVER_MS);
    assert_false(has(&view, "A7K2MQ"));
    assert_true(has(&view, "\n>B8K2MQ"));
    decided.id = "C7K2MQ";
    add(&view, &decided); /* was never seen open */
    assert_false(has(&view, "C7K2MQ"));
    view_close(&view);
}

static void what_has_to_be_signed_is_not_decided_here(void **state)
{
    (void)state;
    struct view view;
    struct some to_sign = first;
    to_sign.must_sign = true;
    view_open(&view, 80, 24);
    add(&view, &to_sign);
    (void)type(&view, "a");
    assert_true(has(&view, "it has to be signed: gatehouse-approve BASTION ID does that (Enter)"));
    (void)type(&view, "\rdno");
    assert_int_equal(type(&view, "\r").wish, BOARD_DECIDE);
    view_close(&view);
}

static void recordings_are_wished_for(void **state)
{
    (void)state;
    struct view view;
    view_open(&view, 80, 24);
    assert_int_equal(type(&view, "s").wish, BOARD_NOTHING);
    assert_int_equal(type(&view, "a").wish, BOARD_NOTHING);
    assert_int_equal(type(&view, "\r").wish, BOARD_NOTHING);
    add(&view, &first);
    struct board_step step = type(&view, "s");
    assert_int_equal(step.wish, BOARD_REPLAY);
    assert_string_equal(step.about->recording, "0123456789ab");
    assert_int_equal(type(&view, "f").wish, BOARD_FOLLOW);
    (void)type(&view, "?");
    assert_true(has(&view, "follow it live"));
    assert_int_equal(type(&view, "q").wish, BOARD_NOTHING); /* leaves the help */
    assert_int_equal(board_key(view.board, KEY_CTRL_C).wish, BOARD_QUIT);
    view_close(&view);
}

static void requests_have_a_limit(void **state)
{
    (void)state;
    struct view view;
    view_open(&view, 80, 24);
    for (int i = 0; i < BOARD_ITEMS_MAX + 7; i++) {
        char id[16];
        (void)snprintf(id, sizeof id, "R%05d", i);
        add(&view, &(struct some){ .id = id });
    }
    assert_true(has(&view, " Approvals: 519 wait"));
    assert_true(has(&view, "and 7 more, that are not shown here"));
    view_close(&view);
}

/* ---- keys ---- */

static void keys_are_what_terminals_send(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        uint32_t key;
    } cases[] = {
        { "j", 'j' },
        { "\x1b[A", KEY_UP },
        { "\x1bOB", KEY_DOWN },
        { "\r", KEY_ENTER },
        { "\x7f", KEY_BACKSPACE },
        { "\x1b[5~", KEY_PAGE_UP },
        { "\x1b[6~", KEY_PAGE_DOWN },
        { "\x03", KEY_CTRL_C },
        { "é", 0xe9 },
        { "日", 0x65e5 },
        { "🎉", 0x1f389 },
        { "\x1b\x1b", KEY_ESCAPE },
        { "\x1b[31;5;7~", KEY_NONE },
        { "\x1bx", KEY_NONE },
        { "\x80", KEY_NONE },
        { "\xc3\x28", KEY_NONE },
        { "\x01", KEY_NONE },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct keys keys = { 0 };
        uint32_t key = KEY_NONE;
        for (const char *c = cases[i].bytes; *c; c++) {
            assert_int_equal(key, KEY_NONE);
            key = keys_take(&keys, (unsigned char)*c);
        }
        assert_int_equal(key, cases[i].key);
    }
    struct keys keys = { 0 };
    assert_int_equal(keys_take(&keys, 0x1b), KEY_NONE);
    assert_int_equal(keys_flush(&keys), KEY_ESCAPE);
    assert_int_equal(keys_flush(&keys), KEY_NONE);
    for (int i = 0; i < 1000; i++)
        (void)keys_take(&keys, i == 0 ? 0x1b : i == 1 ? '[' : '1');
    (void)keys_take(&keys, '~');
    assert_int_equal(keys_take(&keys, 'x'), 'x');
}

static void whatever_is_typed_is_drawn_within_the_screen(void **state)
{
    (void)state;
    uint32_t seed = 7;
    struct view view;
    view_open(&view, 40, 10);
    struct keys keys = { 0 };
    for (int i = 0; i < 3000; i++) {
        seed = seed * 1664525 + 1013904223;
        if (seed >> 28 == 0) {
            char id[16];
            (void)snprintf(id, sizeof id, "R%05u", (unsigned)(seed >> 8) % 40);
            add(&view, &(struct some){ .id = id,
                                       .state = (seed >> 20 & 3) == 1 ? IPC__APPROVAL_STATE__APPROVAL_DENIED
                                                                      : IPC__APPROVAL_STATE__APPROVAL_OPEN });
        }
        (void)board_key(view.board, keys_take(&keys, (unsigned char)(seed >> 16)));
        (void)board_due(view.board, now + (uint64_t)i * 100);
        if (i % 10 == 0)
            free(look_at(&view, now + (uint64_t)i * 100));
    }
    view_close(&view);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_requests_in_80_columns),
        cmocka_unit_test(the_same_on_a_telephone),
        cmocka_unit_test(nothing_waits),
        cmocka_unit_test(a_terminal_that_is_too_small_says_so),
        cmocka_unit_test(a_long_statement_is_folded_until_enter),
        cmocka_unit_test(keys_move_and_what_is_selected_stays_in_sight),
        cmocka_unit_test(time_counts_down_and_only_that_is_drawn),
        cmocka_unit_test(control_characters_never_reach_the_terminal),
        cmocka_unit_test(wide_characters_and_marks_take_the_room_that_they_take),
        cmocka_unit_test(a_mono_screen_has_no_colours),
        cmocka_unit_test(a_approves_with_a_reason_and_a_time),
        cmocka_unit_test(d_denies_with_a_reason),
        cmocka_unit_test(a_long_reason_scrolls_and_has_a_limit),
        cmocka_unit_test(escape_leaves_the_prompt_and_nothing_is_sent),
        cmocka_unit_test(anothers_decision_closes_the_prompt),
        cmocka_unit_test(what_is_over_leaves_after_a_while),
        cmocka_unit_test(what_has_to_be_signed_is_not_decided_here),
        cmocka_unit_test(recordings_are_wished_for),
        cmocka_unit_test(requests_have_a_limit),
        cmocka_unit_test(keys_are_what_terminals_send),
        cmocka_unit_test(whatever_is_typed_is_drawn_within_the_screen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
