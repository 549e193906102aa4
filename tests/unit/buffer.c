/* base/buffer: what is put in comes out, and nothing beyond the bytes is ever read. */
#include "base/buffer.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "check.h"

static void a_buffer_gives_back_what_was_appended(void **state)
{
    (void)state;
    struct buffer b;
    buffer_init(&b, 100);
    assert_int_equal(buffer_append(&b, "hello ", 6), 0);
    assert_int_equal(buffer_append(&b, "world", 5), 0);
    assert_int_equal(buffer_size(&b), 11);
    assert_memory_equal(buffer_head(&b), "hello world", 11);
    buffer_consume(&b, 6);
    assert_memory_equal(buffer_head(&b), "world", 5);
    buffer_consume(&b, 5);
    assert_int_equal(buffer_size(&b), 0);
    buffer_free(&b);
}

static void the_limit_is_met_and_not_passed(void **state)
{
    (void)state;
    struct buffer b;
    buffer_init(&b, 8);
    assert_int_equal(buffer_append(&b, "12345678", 8), 0);
    assert_int_equal(buffer_append(&b, "9", 1), -ENOBUFS);
    buffer_consume(&b, 3);
    assert_int_equal(buffer_room(&b), 3);
    assert_int_equal(buffer_append(&b, "abc", 3), 0);
    assert_memory_equal(buffer_head(&b), "45678abc", 8);
    uint8_t *space = NULL;
    assert_int_equal(buffer_reserve(&b, SIZE_MAX, &space), -ENOBUFS);
    assert_null(space);
    buffer_free(&b);
}

static void numbers_are_big_endian_both_ways(void **state)
{
    (void)state;
    struct buffer b;
    buffer_init(&b, 100);
    assert_int_equal(buffer_put_u8(&b, 0x01), 0);
    assert_int_equal(buffer_put_u16(&b, 0x0203), 0);
    assert_int_equal(buffer_put_u32(&b, 0x04050607), 0);
    assert_int_equal(buffer_put_u64(&b, 0x08090a0b0c0d0e0f), 0);
    for (uint8_t i = 0; i < 15; i++)
        assert_int_equal(buffer_head(&b)[i], i + 1);
    struct reader r = reader_of(buffer_head(&b), buffer_size(&b));
    uint8_t u8 = 0;
    uint16_t u16 = 0;
    uint32_t u32 = 0;
    uint64_t u64 = 0;
    assert_true(reader_u8(&r, &u8) && reader_u16(&r, &u16) && reader_u32(&r, &u32) && reader_u64(&r, &u64));
    assert_true(reader_done(&r));
    assert_int_equal(u8, 1);
    assert_int_equal(u16, 0x0203);
    assert_int_equal(u32, 0x04050607);
    assert_true(u64 == 0x08090a0b0c0d0e0f);
    buffer_free(&b);
}

static void a_reader_never_takes_what_is_not_there(void **state)
{
    (void)state;
    static const uint8_t bytes[] = { 0, 0, 0, 5, 'a', 'b', 'c', 'd' };
    struct reader r = reader_of(bytes, sizeof bytes), inner = reader_of(NULL, 0);
    assert_false(reader_string(&r, &inner)); /* says 5, has 4 */
    assert_true(r.failed);
    uint8_t u8 = 77;
    assert_false(reader_u8(&r, &u8)); /* failed stays failed */
    assert_int_equal(u8, 77);
    assert_false(reader_done(&r));

    r = reader_of(bytes, 3);
    uint32_t u32 = 0;
    assert_false(reader_u32(&r, &u32));
    r = reader_of(bytes + 4, 4);
    const char *text = NULL;
    assert_false(reader_cstring(&r, &text)); /* no NUL */
    assert_null(text);
    r = reader_of("ok\0more", 7);
    assert_true(reader_cstring(&r, &text));
    assert_string_equal(text, "ok");
    assert_false(reader_done(&r)); /* "more" is left */
}

static void bytes_pass_through_descriptors(void **state)
{
    (void)state;
    int fds[2];
    assert_int_equal(pipe2(fds, O_NONBLOCK), 0);
    struct buffer out, in;
    buffer_init(&out, 1 << 20);
    buffer_init(&in, 1 << 20);
    uint8_t *space;
    assert_int_equal(buffer_reserve(&out, 200000, &space), 0);
    for (size_t i = 0; i < 200000; i++)
        space[i] = (uint8_t)(i * 7);
    buffer_commit(&out, 200000);
    size_t n = 0;
    assert_int_equal(buffer_read(&in, fds[0], 100, &n), -EAGAIN);
    while (buffer_size(&out) > 0) {
        assert_int_equal(buffer_write(&out, fds[1]), 0); /* the pipe takes a part of it */
        while (buffer_read(&in, fds[0], 4096, &n) == 0)
            assert_true(n > 0);
    }
    assert_int_equal(buffer_size(&in), 200000);
    for (size_t i = 0; i < 200000; i++)
        assert_int_equal(buffer_head(&in)[i], (uint8_t)(i * 7));
    close(fds[1]);
    assert_int_equal(buffer_read(&in, fds[0], 10, &n), 0);
    assert_int_equal(n, 0);
    close(fds[0]);
    buffer_free(&out);
    buffer_free(&in);
}

static void printf_cuts_nothing(void **state)
{
    (void)state;
    struct buffer b;
    buffer_init(&b, 10);
    assert_int_equal(buffer_printf(&b, "%s", "123456789"), 0);
    assert_int_equal(buffer_size(&b), 9);
    assert_int_equal(buffer_printf(&b, "%d", 42), -ENOBUFS);
    assert_int_equal(buffer_size(&b), 9);
    buffer_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_buffer_gives_back_what_was_appended),
        cmocka_unit_test(the_limit_is_met_and_not_passed),
        cmocka_unit_test(numbers_are_big_endian_both_ways),
        cmocka_unit_test(a_reader_never_takes_what_is_not_there),
        cmocka_unit_test(bytes_pass_through_descriptors),
        cmocka_unit_test(printf_cuts_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
