/* channels/ssh/host_key: which keys a host may show, and what is asked of it. */
#include "channels/ssh/host_key.h"

#include <string.h>

#include "base/buffer.h"
#include "check.h"

enum { KEYS_MAX = 8 };

/* A key of some type; its inside does not matter here. */
static ProtobufCBinaryData key_of(struct buffer *memory, const char *type, uint8_t inside)
{
    buffer_init(memory, 256);
    assert_int_equal(buffer_put_string(memory, type, strlen(type)), 0);
    assert_int_equal(buffer_put_u8(memory, inside), 0);
    return (ProtobufCBinaryData){ .len = buffer_size(memory),
                                  .data = (uint8_t *)(uintptr_t)buffer_head(memory) };
}

static void assert_algorithms(const char *const *types, size_t n, const char *expected)
{
    struct buffer memory[KEYS_MAX];
    ProtobufCBinaryData keys[KEYS_MAX];
    Ipc__Target target = IPC__TARGET__INIT;
    char algorithms[HOST_KEY_ALGORITHMS_MAX];
    for (size_t i = 0; i < n; i++)
        keys[i] = key_of(&memory[i], types[i], 1);
    target.n_host_keys = n;
    target.host_keys = keys;
    host_key_algorithms(&target, algorithms);
    assert_string_equal(algorithms, expected);
    for (size_t i = 0; i < n; i++)
        buffer_free(&memory[i]);
}

static void a_host_is_asked_only_for_keys_that_are_pinned(void **state)
{
    (void)state;
    static const char *const all[] = {
        "ssh-rsa",     "ecdsa-sha2-nistp521", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp256",
        "ssh-ed25519", "ssh-ed25519"
    };
    static const char *const unknown[] = { "ssh-dss", "ssh-ed25519-cert-v01@openssh.com" };
    assert_algorithms(all, 1, "rsa-sha2-512,rsa-sha2-256");
    assert_algorithms(all + 4, 2, "ssh-ed25519");
    assert_algorithms(
        all, 6,
        "ssh-ed25519,ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,ecdsa-sha2-nistp521,rsa-sha2-512,rsa-sha2-256");
    assert_algorithms(unknown, 2, "");
    assert_algorithms(all, 0, "");
}

static void a_key_is_pinned_byte_for_byte(void **state)
{
    (void)state;
    struct buffer memory[3];
    ProtobufCBinaryData keys[2] = { key_of(&memory[0], "ssh-ed25519", 1), key_of(&memory[1], "ssh-rsa", 2) };
    ProtobufCBinaryData other = key_of(&memory[2], "ssh-ed25519", 3);
    Ipc__Target target = IPC__TARGET__INIT;
    target.n_host_keys = 2;
    target.host_keys = keys;
    assert_true(host_key_is_pinned(&target, keys[0].data, keys[0].len));
    assert_true(host_key_is_pinned(&target, keys[1].data, keys[1].len));
    assert_false(host_key_is_pinned(&target, other.data, other.len));
    assert_false(host_key_is_pinned(&target, keys[0].data, keys[0].len - 1));
    assert_false(host_key_is_pinned(&target, NULL, 0));
    for (size_t i = 0; i < 3; i++)
        buffer_free(&memory[i]);
}

static void fingerprints_are_told_with_their_types(void **state)
{
    (void)state;
    struct buffer memory[2];
    ProtobufCBinaryData keys[2] = { key_of(&memory[0], "ssh-ed25519", 1), key_of(&memory[1], "made-up", 2) };
    char words[HOST_KEY_WORDS_MAX];
    host_key_words(keys, 2, words);
    assert_non_null(strstr(words, "ssh-ed25519 SHA256:"));
    assert_non_null(strstr(words, ", unknown SHA256:"));
    host_key_words(keys, 0, words);
    assert_string_equal(words, "");
    for (size_t i = 0; i < 2; i++)
        buffer_free(&memory[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_host_is_asked_only_for_keys_that_are_pinned),
        cmocka_unit_test(a_key_is_pinned_byte_for_byte),
        cmocka_unit_test(fingerprints_are_told_with_their_types),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
