/* Many rows at once, between which something is to be masked. */
#include "check.h"

#include <stdio.h>
#include <string.h>
#include "channels/pg/back.h"
#include "channels/pg/veil.h"
#include "policy/detect.h"

enum { ROWS = 1000, CELL = 40, DIRTY = 700 };

static struct detectors *detectors;
static struct detect_how how;

static int begin(void **state)
{
    static const char *const names[] = { "email", "credit_card" };
    struct detail why;
    (void)state;
    assert_int_equal(detectors_new(names, 2, NULL, 0, &detectors, &why), 0);
    how.kinds[0] = how.kinds[1] = MASK_REDACT;
    return 0;
}

static int end(void **state)
{
    (void)state;
    detectors_free(detectors);
    return 0;
}

static void put_row(struct buffer *to, const char *cell)
{
    assert_int_equal(buffer_put_u8(to, 'D'), 0);
    assert_int_equal(buffer_put_u32(to, (uint32_t)(4 + 2 + 4 + strlen(cell))), 0);
    assert_int_equal(buffer_put_u16(to, 1), 0);
    assert_int_equal(buffer_put_u32(to, (uint32_t)strlen(cell)), 0);
    assert_int_equal(buffer_append(to, cell, strlen(cell)), 0);
}

static void a_row_that_is_not_clean_does_not_have_the_others_searched_again(void **state)
{
    char cell[CELL + 1];
    struct veil *veil = NULL;
    struct back back;
    struct front front;
    (void)state;
    memset(&front, 0, sizeof front);
    const struct veil_how shows = { .detectors = detectors, .detect = &how };
    assert_int_equal(veil_new(&shows, &veil), 0);
    assert_int_equal(veil_query(veil, NULL, 1), 0);
    back_init(&back, &front, true, false);
    back.veil = veil;
    for (int i = 0; i < ROWS; i++) {
        (void)snprintf(cell, sizeof cell, "%s %d", i == DIRTY ? "bob@example.com" : "nobody at all", i);
        put_row(&back.lane.in, cell);
    }
    size_t sent = buffer_size(&back.lane.in);
    struct detect_effort before = detect_effort(detectors);
    assert_int_equal(back_take(&back), 0);
    assert_int_equal(buffer_size(&back.lane.in), 0);
    /* All of them together, and each of them by itself. */
    assert_true(detect_effort(detectors).bytes - before.bytes <= 2 * sent + sent / 10);
    struct reader out = reader_of(buffer_head(&back.lane.out), buffer_size(&back.lane.out));
    assert_int_equal(reader_left(&out), sent + strlen("[masked:email]") - strlen("bob@example.com"));
    assert_non_null(memmem(out.next, reader_left(&out), "[masked:email] 700", 18));
    assert_null(memmem(out.next, reader_left(&out), "bob@", 4));
    /* What comes later is asked about together once more. */
    before = detect_effort(detectors);
    for (int i = 0; i < ROWS; i++)
        put_row(&back.lane.in, "nobody");
    sent = buffer_size(&back.lane.in);
    assert_int_equal(back_take(&back), 0);
    assert_int_equal(detect_effort(detectors).bytes - before.bytes, sent);
    back_free(&back);
    veil_free(veil);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_row_that_is_not_clean_does_not_have_the_others_searched_again),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
