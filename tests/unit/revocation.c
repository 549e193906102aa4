/* Lists made by the real ssh-keygen -k: our verdicts are those of ssh-keygen -Q. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/io.h"
#include "check.h"
#include "keygen.h"
#include "policy/certificate.h"
#include "policy/revocation.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static char directory[KEYGEN_PATH];

static const char *const key_pairs[][2] = {
    { "ca-one", "ed25519" }, { "ca-two", "ecdsa" }, { "k1", "ed25519" }, { "k2", "ecdsa" }, { "k3", "rsa" },
};

/* Every certificate has a name of its own, so that ssh-keygen -Q can be asked about all of them at once. */
static const struct {
    const char *name, *key, *ca, *serial, *key_id;
} certificates[] = {
    { "a", "k1", "ca-one", "1", "corp/anna" },
    { "b", "k1", "ca-one", "5", "corp/anna" },
    { "c", "k2", "ca-one", "6", "corp/bert" },
    { "d", "k2", "ca-two", "5", "corp/bert" },
    { "e", "k3", "ca-two", "0", "corp/cleo" },
    { "f", "k3", "ca-one", "0", "two words" },
    { "g", "k1", "ca-two", "100", "corp/anna" },
    { "h", "k2", "ca-one", "101", "corp/dora" },
    { "i", "k3", "ca-one", "18446744073709551615", "corp/emil" },
    { "j", "k1", "ca-two", "18446744073709551614", "corp/emil" },
    { "k", "k1", "ca-one", "4294967296", "corp/anna " },
};

static void write_file(const char *name, const void *bytes, size_t n)
{
    char path[2 * KEYGEN_PATH];
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", directory, name);
    file = fopen(path, "we");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, n, file), n);
    assert_int_equal(fclose(file), 0);
}

static int make_all(void **state)
{
    (void)state;
    keygen_directory(directory);
    for (size_t i = 0; i < COUNT(key_pairs); i++)
        keygen_key(directory, key_pairs[i][0], key_pairs[i][1], NULL);
    for (size_t i = 0; i < COUNT(certificates); i++) {
        const char *const options[] = {
            "-I", certificates[i].key_id, "-z", certificates[i].serial, "-n", "agent", NULL
        };
        char name[64], key[64];
        size_t n;

        /* keygen_certify signs KEY.pub: each certificate gets a copy of its key under its own name. */
        snprintf(key, sizeof(key), "%s.pub", certificates[i].key);
        char *line = keygen_read(directory, key, &n);
        snprintf(name, sizeof(name), "%s.pub", certificates[i].name);
        write_file(name, line, n);
        free(line);
        free(keygen_certify(directory, certificates[i].name, certificates[i].ca, options, &n));
    }
    return 0;
}

static int remove_all(void **state)
{
    (void)state;
    keygen_remove(directory);
    return 0;
}

/* The sections that a KRL has, as bits by kind; those on certificates by their own. */
static void sections_of(const uint8_t *krl, size_t n, bool seen[256])
{
    struct reader r = reader_of(krl, n), part, text;
    const uint8_t *head;
    uint8_t kind;

    assert_true(reader_bytes(&r, 8 + 4 + 3 * 8, &head) && reader_string(&r, &text) &&
                reader_string(&r, &text));
    while (reader_left(&r) > 0) {
        assert_true(reader_u8(&r, &kind) && reader_string(&r, &part));
        seen[kind] = true;
        if (kind != 1)
            continue;
        assert_true(reader_string(&part, &text) && reader_string(&part, &text));
        while (reader_left(&part) > 0) {
            assert_true(reader_u8(&part, &kind) && reader_string(&part, &text));
            seen[kind] = true;
        }
    }
}

/* The file "krl", read and sealed, through a memfd as it travels. */
static Ipc__RevocationList *read_krl(bool seen[256])
{
    Ipc__RevocationList list = IPC__REVOCATION_LIST__INIT, *arrived = NULL;
    struct detail detail = { "" };
    size_t n;
    CLEANUP(free) char *krl = keygen_read(directory, "krl", &n);
    int fd = -1;

    if (seen)
        sections_of((uint8_t *)krl, n, seen);
    if (revocation_read((uint8_t *)krl, n, &list, &detail) != 0)
        fail_msg("%s", detail.text);
    assert_int_equal(revocation_seal(&list), 0);
    assert_int_equal(revocation_pack(&list, &fd), 0);
    assert_int_equal(revocation_unpack(fd, &arrived), 0);
    revocation_free(&list);
    fd_close(fd);
    return arrived;
}

static bool hits(const Ipc__RevocationList *list, size_t which, struct detail *detail)
{
    CLEANUP(certificate_free) struct certificate *certificate = NULL;
    char name[64];
    size_t n;
    CLEANUP(free) uint8_t *blob = NULL;

    snprintf(name, sizeof(name), "%s-cert.pub", certificates[which].name);
    blob = keygen_blob(directory, name, &n);
    assert_int_equal(certificate_parse(blob, n, &certificate, NULL), 0);
    return revocation_hits(list, certificate, detail);
}

/* Compares every certificate's verdict with that of ssh-keygen -Q; returns how many are revoked. */
static size_t compare_verdicts(const Ipc__RevocationList *list, const char *what)
{
    static const char query[] =
        "for c in a b c d e f g h i j k; do"
        "  ssh-keygen -Q -f krl $c-cert.pub >/dev/null 2>&1 && echo $c ok || echo $c REVOKED;"
        " done";
    const char *const argv[] = { "sh", "-c", query, NULL };
    CLEANUP(free) char *output = NULL;
    size_t revoked = 0;

    keygen_run(directory, argv);
    output = keygen_read(directory, "output", NULL);
    for (size_t i = 0; i < COUNT(certificates); i++) {
        char line[80];
        bool ours = hits(list, i, NULL);

        snprintf(line, sizeof(line), "%s %s\n", certificates[i].name, ours ? "REVOKED" : "ok");
        if (!strstr(output, line))
            fail_msg("%s: %s is %s for us, but: %s", what, certificates[i].name, ours ? "revoked" : "well",
                     output);
        revoked += ours;
    }
    return revoked;
}

/* Makes the file "krl" of a specification, in which $k1 is the key k1.pub; more: "-u" to add to the one that
 * is there. */
static void make_krl(const char *ca, const char *specification, const char *more)
{
    char script[2048];
    const char *const argv[] = { "sh", "-c", script, NULL };

    snprintf(script, sizeof(script),
             "for k in k1 k2 k3; do read -r type key rest <$k.pub; eval $k='\"$type $key\"'; done\n"
             "for k in one two; do read -r type key rest <ca-$k.pub; eval $k='\"$type $key\"'; done\n"
             "cat >spec <<END\n%sEND\n"
             "exec ssh-keygen -q -k -f krl %s %s %s spec",
             specification, ca ? "-s" : "", ca ? ca : "", more ? more : "");
    keygen_run(directory, argv);
}

enum { LIST = 0x20, RANGE = 0x21, BITMAP = 0x22, KEY_ID = 0x23, KEYS = 2, SHA1 = 3, SHA256 = 5 };

static void every_section_that_ssh_keygen_writes_gets_its_verdicts(void **state)
{
    static const struct {
        const char *ca, *specification;
        int section;
        size_t revoked;
    } cases[] = {
        { "ca-one.pub", "serial: 5\n", LIST, 1 },
        { "ca-two.pub", "serial: 5\n", LIST, 1 },
        { "none", "serial: 5\n", LIST, 2 },
        { "none", "serial: 5-1000\n", RANGE, 5 },
        { "ca-one.pub", "serial: 5-18446744073709551615\n", RANGE, 5 },
        { "none",
          "serial: 1\nserial: 3\nserial: 5\nserial: 7\nserial: 9\nserial: 11\nserial: 13\nserial: 101\n",
          BITMAP, 4 },
        { "none", "serial: 1\nserial: 18446744073709551615\nserial: 4294967296\n", LIST, 3 },
        { "ca-one.pub", "id: corp/anna\n", KEY_ID, 2 },
        { "none", "id: corp/anna\nid: two words\n", KEY_ID, 4 },
        { NULL, "key: $k1\n", KEYS, 5 },
        { NULL, "sha1: $k2\n", SHA1, 3 },
        { NULL, "sha256: $k3\n", SHA256, 3 },
        { NULL, "key: $two\n", KEYS, 4 },
        { NULL, "sha256: $one\n", SHA256, 7 },
        { NULL, "sha1: $two\n", SHA1, 4 },
        { "ca-one.pub", "serial: 1-3\nid: corp/dora\nkey: $k3\nsha256: $k2\n", KEYS, 7 },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        bool seen[256] = { false };
        Ipc__RevocationList *list;
        size_t revoked;

        make_krl(cases[i].ca, cases[i].specification, NULL);
        list = read_krl(seen);
        assert_true(seen[cases[i].section]);
        revoked = compare_verdicts(list, cases[i].specification);
        if (revoked != cases[i].revoked)
            fail_msg("%s: %zu are revoked", cases[i].specification, revoked);
        ipc__revocation_list__free_unpacked(list, NULL);
    }
}

static void updates_by_ssh_keygen_add_up(void **state)
{
    static const struct {
        const char *ca, *specification;
        size_t revoked;
    } steps[] = {
        { "ca-one.pub", "serial: 1\n", 1 },     { "ca-two.pub", "serial: 100\n", 2 },
        { "ca-one.pub", "id: corp/bert\n", 3 }, { "none", "id: corp/cleo\n", 4 },
        { NULL, "sha256: $k2\n", 6 },           { NULL, "key: $k1\n", 9 },
        { NULL, "sha1: $one\n", 11 },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(steps); i++) {
        Ipc__RevocationList *list;

        make_krl(steps[i].ca, steps[i].specification, i ? "-u" : NULL);
        list = read_krl(NULL);
        assert_int_equal(compare_verdicts(list, steps[i].specification), steps[i].revoked);
        ipc__revocation_list__free_unpacked(list, NULL);
    }
}

/* ---- lines ---- */

static Ipc__RevocationList read_lines(const char *text)
{
    Ipc__RevocationList list = IPC__REVOCATION_LIST__INIT;
    struct detail detail = { "" };

    if (revocation_read((const uint8_t *)text, strlen(text), &list, &detail) != 0)
        fail_msg("%s", detail.text);
    assert_int_equal(revocation_seal(&list), 0);
    return list;
}

/* The names of the certificates that are hit. */
static void assert_hits(const Ipc__RevocationList *list, const char *expected)
{
    char names[64] = "";

    for (size_t i = 0; i < COUNT(certificates); i++)
        if (hits(list, i, NULL))
            strcat(names, certificates[i].name);
    assert_string_equal(names, expected);
}

static void lines_revoke_whom_they_name(void **state)
{
    static const char *const cases[][2] = {
        { "", "" },
        { "# nobody\n\n   \t\r\n", "" },
        { "serial:5", "bd" },
        { "serial:5\r\nserial: 6\n", "bcd" },
        { "  serial:1-100  # too many\n", "abcdg" },
        { "serial:18446744073709551614-18446744073709551615", "ij" },
        { "id:corp/anna\n", "abg" },
        { "id:corp/ann\nid:corp/annaa\nid:Corp/anna\n", "" },
        { "id: two words   # and a comment", "f" },
        { "id:two words#1\n", "" },
        { "#id:corp/anna\n", "" },
        { "serial:5\nid:corp/dora\nserial:5\nserial:4-5\n", "bdh" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        Ipc__RevocationList list = read_lines(cases[i][0]);

        assert_hits(&list, cases[i][1]);
        revocation_free(&list);
    }
}

static void a_fingerprint_revokes_a_key_or_a_ca(void **state)
{
    static const char *const cases[][2] = { { "k1.pub", "abgjk" }, { "ca-two.pub", "degj" } };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *const argv[] = { "ssh-keygen", "-l", "-f", cases[i][0], NULL };
        CLEANUP(free) char *output = NULL;
        Ipc__RevocationList list;
        char line[80], *start;

        keygen_run(directory, argv);
        output = keygen_read(directory, "output", NULL);
        start = strstr(output, "SHA256:");
        assert_non_null(start);
        snprintf(line, sizeof(line), "key:%.*s\n", (int)strcspn(start, " "), start);
        list = read_lines(line);
        assert_hits(&list, cases[i][1]);
        revocation_free(&list);
    }
}

static void a_line_that_is_none_refuses_the_file_and_says_where(void **state)
{
    static const char *const cases[][2] = {
        { "serial:x", "line 1: a serial is a decimal number, or two as in 10-19" },
        { "serial:5\nserial:-5\n", "line 2: a serial is a decimal number, or two as in 10-19" },
        { "serial:5-\n", "line 1: a serial is a decimal number, or two as in 10-19" },
        { "serial:0x10\n", "line 1: a serial is a decimal number, or two as in 10-19" },
        { "serial:18446744073709551616\n", "line 1: a serial is a decimal number, or two as in 10-19" },
        { "serial:9-5\n", "line 1: the range of serials ends before it begins" },
        { "serial:0\n", "line 1: serial 0 can't be revoked: it means that there is none" },
        { "serial:0-7\n", "line 1: serial 0 can't be revoked: it means that there is none" },
        { "serial:\n", "line 1: \"serial:\" is neither serial:N, nor id:NAME, nor key:SHA256:…" },
        { "\n\nid:  # anna\n", "line 3: \"id:\" is neither serial:N, nor id:NAME, nor key:SHA256:…" },
        { "corp/anna\n", "line 1: \"corp/anna\" is neither serial:N, nor id:NAME, nor key:SHA256:…" },
        { "ID:corp/anna\n", "line 1: \"ID:corp/anna\" is neither serial:N, nor id:NAME, nor key:SHA256:…" },
        { "key:SHA256:abc\n", "line 1: a key is written as its fingerprint, SHA256: and 43 digits" },
        { "key:MD5:00\n", "line 1: a key is written as its fingerprint, SHA256: and 43 digits" },
        { "id:corp/\xff\n", "line 1: this is not text in UTF-8, nor is the file a KRL" },
        { "id:\x1b[2J\nx\x1b\n", "line 2: \"x\\x1b\" is neither serial:N, nor id:NAME, nor key:SHA256:…" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        Ipc__RevocationList list = IPC__REVOCATION_LIST__INIT;
        struct detail detail = { "" };

        assert_int_equal(revocation_read((const uint8_t *)"id:corp/anna", 12, &list, NULL), 0);
        assert_int_equal(revocation_read((const uint8_t *)cases[i][0], strlen(cases[i][0]), &list, &detail),
                         -EINVAL);
        assert_string_equal(detail.text, cases[i][1]);
        assert_int_equal(revocation_seal(&list), 0);
        assert_hits(&list, "abg"); /* as before */
        revocation_free(&list);
    }
}

static void a_krl_and_lines_together_revoke_what_either_does(void **state)
{
    Ipc__RevocationList list = IPC__REVOCATION_LIST__INIT;
    CLEANUP(free) char *krl = NULL;
    size_t n;

    (void)state;
    make_krl("ca-one.pub", "serial: 1-5\nid: corp/dora\nkey: $k2\n", NULL);
    krl = keygen_read(directory, "krl", &n);
    assert_int_equal(revocation_read((uint8_t *)krl, n, &list, NULL), 0);
    assert_int_equal(revocation_read((const uint8_t *)"serial:100\nid:corp/emil\n", 24, &list, NULL), 0);
    assert_int_equal(revocation_seal(&list), 0);
    assert_hits(&list, "abcdghij");
    revocation_free(&list);
}

static void whoever_is_hit_is_told_by_what(void **state)
{
    static const struct {
        const char *line, *message;
    } cases[] = {
        { "serial:5", "your certificate has been revoked (serial 5); get a new one" },
        { "id:corp/anna", "the identity \"corp/anna\" has been revoked; ask whoever runs this bastion" },
    };
    struct detail detail = { "" };
    Ipc__RevocationList *krl;

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        Ipc__RevocationList list = read_lines(cases[i].line);

        assert_true(hits(&list, 1, &detail));
        assert_string_equal(detail.text, cases[i].message);
        revocation_free(&list);
    }
    make_krl(NULL, "key: $k1\n", NULL);
    krl = read_krl(NULL);
    assert_true(hits(krl, 1, &detail));
    assert_string_equal(detail.text,
                        "your key has been revoked: make a new one, and have that one certified");
    ipc__revocation_list__free_unpacked(krl, NULL);
    make_krl(NULL, "key: $one\n", NULL);
    krl = read_krl(NULL);
    assert_true(hits(krl, 1, &detail));
    assert_string_equal(detail.text, "the CA that signed your certificate has been revoked");
    assert_false(hits(krl, 3, &detail));
    ipc__revocation_list__free_unpacked(krl, NULL);
    assert_false(hits(NULL, 1, &detail));
}

static void somebody_without_a_certificate_is_looked_up_by_name_and_key(void **state)
{
    Ipc__Config config = IPC__CONFIG__INIT;
    Ipc__Ca ca = IPC__CA__INIT;
    size_t n;
    CLEANUP(free) uint8_t *key = keygen_blob(directory, "k1.pub", &n);
    Ipc__RevocationList *list;

    (void)state;
    ca.blob.data = keygen_blob(directory, "ca-one.pub", &ca.blob.len);
    config.user_ca_public = &ca;
    make_krl("ca-one.pub", "id: corp/anna\nserial: 1-99\n", NULL);
    list = read_krl(NULL);
    assert_true(revocation_hits_identity(list, &config, "corp/anna", key, n, NULL));
    assert_false(revocation_hits_identity(list, &config, "corp/bert", key, n, NULL));
    ipc__revocation_list__free_unpacked(list, NULL);
    make_krl("ca-two.pub", "id: corp/anna\n", NULL); /* another CA's anna */
    list = read_krl(NULL);
    assert_false(revocation_hits_identity(list, &config, "corp/anna", key, n, NULL));
    ipc__revocation_list__free_unpacked(list, NULL);
    make_krl(NULL, "sha256: $k1\n", NULL);
    list = read_krl(NULL);
    assert_true(revocation_hits_identity(list, &config, "corp/bert", key, n, NULL));
    assert_false(revocation_hits_identity(list, &config, "corp/bert", key, n - 1, NULL));
    ipc__revocation_list__free_unpacked(list, NULL);
    assert_false(revocation_hits_identity(NULL, &config, "corp/anna", key, n, NULL));
    free(ca.blob.data);
}

static void what_an_operator_names_becomes_a_line(void **state)
{
    static const char *const good[][2] = {
        { "corp/anna", "id:corp/anna" },
        { "two words", "id:two words" },
        { "a#b", "id:a#b" },
        { "#anna", "id:#anna" },
        { "serial:5", "serial:5" },
        { "serial:5-9", "serial:5-9" },
        { "id:serial:5", "id:serial:5" },
        { "key:SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
          "key:SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" },
    };
    static const char *const bad[] = { "",         " anna",    "anna ", "anna #1",    "an\nna",   "\x1b",
                                       "serial:0", "serial:x", "key:x", "id:anna\nx", "corp/\xff" };

    (void)state;
    for (size_t i = 0; i < COUNT(good); i++) {
        CLEANUP(free) char *line = NULL;

        assert_int_equal(revocation_line(good[i][0], &line, NULL), 0);
        assert_string_equal(line, good[i][1]);
    }
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct detail detail = { "" };
        char *line = NULL;

        assert_int_equal(revocation_line(bad[i], &line, &detail), -EINVAL);
        assert_null(line);
        assert_string_not_equal(detail.text, "");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_section_that_ssh_keygen_writes_gets_its_verdicts),
        cmocka_unit_test(updates_by_ssh_keygen_add_up),
        cmocka_unit_test(lines_revoke_whom_they_name),
        cmocka_unit_test(a_fingerprint_revokes_a_key_or_a_ca),
        cmocka_unit_test(a_line_that_is_none_refuses_the_file_and_says_where),
        cmocka_unit_test(a_krl_and_lines_together_revoke_what_either_does),
        cmocka_unit_test(whoever_is_hit_is_told_by_what),
        cmocka_unit_test(somebody_without_a_certificate_is_looked_up_by_name_and_key),
        cmocka_unit_test(what_an_operator_names_becomes_a_line),
    };

    return cmocka_run_group_tests(tests, make_all, remove_all);
}
