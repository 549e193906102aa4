/* policy/certificate_host: certificates of hosts by ssh-keygen, and what is wrong with their twins. */
#include "policy/certificate_host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "check.h"
#include "keygen.h"

static char place[KEYGEN_PATH];
static ProtobufCBinaryData ca;

static int start(void **state)
{
    (void)state;
    keygen_directory(place);
    keygen_key(place, "ca", "ed25519", NULL);
    keygen_key(place, "other_ca", "ecdsa", NULL);
    keygen_key(place, "host", "ed25519", NULL);
    keygen_key(place, "rsa", "rsa", "2048");
    ca.data = keygen_blob(place, "ca.pub", &ca.len);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    free(ca.data);
    keygen_remove(place);
    return 0;
}

/* What becomes of a certificate with these options; the key in it has to be KEY. */
static int judge(const char *key, const char *signer, const char *const *options, uint64_t now)
{
    Ipc__Target target = IPC__TARGET__INIT;
    struct detail detail = { "" };
    char name[32];
    size_t n = 0, key_n = 0, plain_n = 0;
    CLEANUP(free) uint8_t *blob = keygen_certify(place, key, signer, options, &n);
    CLEANUP(free) uint8_t *found = NULL;
    target.name = (char *)"web1";
    target.host = (char *)"10.0.0.5";
    target.n_host_cas = 1;
    target.host_cas = &ca;
    int r = certificate_host_key(blob, n, &target, now, &found, &key_n, &detail);
    if (r == 0) {
        (void)snprintf(name, sizeof name, "%s.pub", key);
        CLEANUP(free) uint8_t *plain = keygen_blob(place, name, &plain_n);
        assert_int_equal(key_n, plain_n);
        assert_memory_equal(found, plain, plain_n);
    } else {
        assert_null(found);
        assert_true(detail.text[0] != 0);
    }
    return r;
}

static void a_certificate_for_the_name_or_the_address_gives_the_key(void **state)
{
    static const char *const names[] = {
        "web1", "10.0.0.5", "other,web1", "WEB1", "web*", "w?b1", "10.0.0.*"
    };
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *const options[] = { "-h", "-I", "id", "-n", names[i], "-V", "-1d:+1d", NULL };
        if (judge("host", "ca", options, (uint64_t)time(NULL)) ||
            judge("rsa", "ca", options, (uint64_t)time(NULL)))
            fail_msg("%s is refused", names[i]);
    }
}

static void a_certificate_for_another_host_is_refused(void **state)
{
    static const char *const names[] = { "web2", "web", "web11", "eb1", "[w]eb1", "?" };
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *const options[] = { "-h", "-I", "id", "-n", names[i], NULL };
        if (judge("host", "ca", options, (uint64_t)time(NULL)) != CERTIFICATE_NO_PRINCIPALS)
            fail_msg("%s is taken", names[i]);
    }
    static const char *const everybody[] = { "-h", "-I", "id", NULL };
    assert_int_equal(judge("host", "ca", everybody, (uint64_t)time(NULL)), CERTIFICATE_NO_PRINCIPALS);
}

static void everything_else_has_to_hold_too(void **state)
{
    static const char *const good[] = { "-h", "-I", "id", "-n", "web1", "-V", "-1d:+1d", NULL };
    static const char *const of_user[] = { "-I", "id", "-n", "web1", NULL };
    uint64_t now = (uint64_t)time(NULL);
    (void)state;
    assert_int_equal(judge("host", "ca", good, now), 0);
    assert_int_equal(judge("host", "ca", of_user, now), CERTIFICATE_MALFORMED);
    assert_int_equal(judge("host", "other_ca", good, now), CERTIFICATE_UNKNOWN_CA);
    assert_int_equal(judge("host", "ca", good, now + 2 * 86400), CERTIFICATE_EXPIRED);
    assert_int_equal(judge("host", "ca", good, now - 2 * 86400), CERTIFICATE_NOT_YET_VALID);
}

static void a_changed_certificate_is_refused(void **state)
{
    static const char *const good[] = { "-h", "-I", "id", "-n", "web1", NULL };
    Ipc__Target target = IPC__TARGET__INIT;
    size_t n = 0, key_n = 0;
    CLEANUP(free) uint8_t *blob = keygen_certify(place, "host", "ca", good, &n);
    (void)state;
    target.name = (char *)"web1";
    target.host = (char *)"10.0.0.5";
    target.n_host_cas = 1;
    target.host_cas = &ca;
    for (size_t i = 0; i < n; i++) {
        struct detail detail = { "" };
        uint8_t *found = NULL;
        blob[i] ^= 1;
        if (certificate_host_key(blob, n, &target, (uint64_t)time(NULL), &found, &key_n, &detail) == 0)
            fail_msg("byte %zu may be another one", i);
        blob[i] ^= 1;
    }
    struct detail detail = { "" };
    uint8_t *found = NULL;
    assert_int_equal(
        certificate_host_key(blob, n - 1, &target, (uint64_t)time(NULL), &found, &key_n, &detail),
        CERTIFICATE_MALFORMED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_certificate_for_the_name_or_the_address_gives_the_key),
        cmocka_unit_test(a_certificate_for_another_host_is_refused),
        cmocka_unit_test(everything_else_has_to_hold_too),
        cmocka_unit_test(a_changed_certificate_is_refused),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
