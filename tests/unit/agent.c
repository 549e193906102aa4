/* The agent of one login: what it signs, and that each byte of it counts. */
#include "check.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/evp.h>
#include "keygen.h"
#include "policy/certificate_issue.h"
#include "policy/certificate_signer.h"
#include "vault/agent.h"

enum { FAILURE = 5, LIST = 11, LISTED = 12, SIGN = 13, SIGNED = 14, SHA2_256 = 2, SHA2_512 = 4 };

static char directory[KEYGEN_PATH];

/* What a request is made of; fields that are NULL or 0 get what is right. */
struct request {
    const char *session, *user, *service, *method, *algorithm;
    size_t session_n;
    uint8_t number, is_signed;
    uint32_t flags;
    const char *key, *inner_key; /* names of other key files */
    bool tail;                   /* a byte behind what is to be signed */
};

static struct certificate_signer *signer_of(const char *name)
{
    struct certificate_signer *signer = NULL;
    struct detail detail = { "" };
    size_t n;
    CLEANUP(free) char *file = keygen_read(directory, name, &n);
    if (certificate_signer_new((uint8_t *)file, n, &signer, &detail))
        fail_msg("%s", detail.text);
    return signer;
}

static void put(struct buffer *out, const char *text, const char *otherwise)
{
    text = text ? text : otherwise;
    assert_int_equal(buffer_put_string(out, text, strlen(text)), 0);
}

static void put_key(struct buffer *out, const struct certificate_signer *signer, const char *other)
{
    size_t n;
    CLEANUP(free) uint8_t *blob = other ? keygen_blob(directory, other, &n) : NULL;
    const uint8_t *key = other ? blob : signer_public(signer, &n);
    assert_int_equal(buffer_put_string(out, key, n), 0);
}

static void put_frame(struct buffer *out, uint8_t type, const struct buffer *body)
{
    assert_int_equal(buffer_put_u32(out, (uint32_t)(1 + buffer_size(body))), 0);
    assert_int_equal(buffer_put_u8(out, type), 0);
    assert_int_equal(buffer_append(out, buffer_head(body), buffer_size(body)), 0);
}

static void put_data(struct buffer *data, const struct certificate_signer *signer, const struct request *q)
{
    static const char session[] = "0123456789abcdef0123456789abcdef";
    assert_int_equal(buffer_put_string(data, q->session ? q->session : session,
                                       q->session ? q->session_n : sizeof(session) - 1),
                     0);
    assert_int_equal(buffer_put_u8(data, q->number ? q->number : 50), 0);
    put(data, q->user, "deploy");
    put(data, q->service, "ssh-connection");
    put(data, q->method, "publickey");
    assert_int_equal(buffer_put_u8(data, q->is_signed ? q->is_signed - 1 : 1), 0);
    put(data, q->algorithm, "ssh-ed25519");
    put_key(data, signer, q->inner_key);
    if (q->tail)
        assert_int_equal(buffer_put_u8(data, 0), 0);
}

static void put_request(struct buffer *out, const struct certificate_signer *signer, const struct request *q)
{
    struct buffer data, body;
    buffer_init(&data, AGENT_MESSAGE_MAX);
    buffer_init(&body, AGENT_MESSAGE_MAX);
    put_data(&data, signer, q);
    put_key(&body, signer, q->key);
    assert_int_equal(buffer_put_string(&body, buffer_head(&data), buffer_size(&data)), 0);
    assert_int_equal(buffer_put_u32(&body, q->flags), 0);
    put_frame(out, SIGN, &body);
    buffer_free(&data);
    buffer_free(&body);
}

/* What one request gets: SIGNED or FAILURE. */
static uint8_t ask(const char *key, const struct request *q, struct buffer *answer)
{
    CLEANUP(certificate_signer_free) struct certificate_signer *signer = signer_of(key);
    struct agent agent = agent_for(signer, "deploy");
    struct detail detail = { "" };
    struct buffer in;
    buffer_init(&in, 2 * AGENT_MESSAGE_MAX);
    buffer_init(answer, 2 * AGENT_MESSAGE_MAX);
    put_request(&in, signer, q);
    assert_int_equal(agent_take(&agent, &in, answer, &detail), 0);
    assert_int_equal(buffer_size(&in), 0);
    uint8_t type = buffer_head(answer)[4];
    assert_int_equal(agent.state, type == SIGNED ? AGENT_SIGNED : AGENT_REFUSED);
    assert_true((type == FAILURE) == (detail.text[0] != '\0'));
    assert_int_equal(agent_take(&agent, &in, answer, &detail), -EPROTO); /* whatever comes then */
    buffer_free(&in);
    return type;
}

static uint8_t type_of_answer(const char *key, const struct request *q)
{
    struct buffer answer;
    uint8_t type = ask(key, q, &answer);
    buffer_free(&answer);
    return type;
}

/* ---- what it does ---- */

static void the_key_is_listed_once(void **state)
{
    CLEANUP(certificate_signer_free) struct certificate_signer *signer = signer_of("ed25519");
    struct agent agent = agent_for(signer, "deploy");
    struct buffer in, out;
    struct reader r, string;
    struct detail detail = { "" };
    size_t key_n;
    const uint8_t *key = signer_public(signer, &key_n);
    uint32_t n, count;
    uint8_t type;
    (void)state;
    buffer_init(&in, 64);
    buffer_init(&out, AGENT_MESSAGE_MAX);
    assert_int_equal(buffer_append(&in, "\0\0\0\1\13\0\0\0\1\13", 10), 0);
    assert_int_equal(agent_take(&agent, &in, &out, &detail), 0);
    r = reader_of(buffer_head(&out), buffer_size(&out));
    assert_true(reader_u32(&r, &n) && n == reader_left(&r) && reader_u8(&r, &type) && type == LISTED);
    assert_true(reader_u32(&r, &count) && count == 1 && reader_string(&r, &string));
    assert_int_equal(reader_left(&string), key_n);
    assert_memory_equal(string.next, key, key_n);
    assert_true(reader_string(&r, &string) && reader_done(&r));
    assert_int_equal(agent.state, AGENT_SERVING);
    assert_int_equal(agent_take(&agent, &in, &out, &detail), 0);
    assert_int_equal(agent.state, AGENT_REFUSED);
    buffer_free(&in);
    buffer_free(&out);
}

static void a_login_is_signed_so_that_it_holds(void **state)
{
    CLEANUP(certificate_signer_free) struct certificate_signer *signer = signer_of("ed25519");
    struct request q = { 0 };
    struct buffer answer, data;
    struct reader r, whole, format, signature;
    size_t key_n;
    const uint8_t *key = signer_public(signer, &key_n);
    (void)state;
    assert_int_equal(ask("ed25519", &q, &answer), SIGNED);
    r = reader_of(buffer_head(&answer) + 5, buffer_size(&answer) - 5);
    assert_true(reader_string(&r, &whole) && reader_done(&r));
    assert_true(reader_string(&whole, &format) && reader_string(&whole, &signature) && reader_done(&whole));
    assert_int_equal(reader_left(&format), 11);
    assert_memory_equal(format.next, "ssh-ed25519", 11);
    buffer_init(&data, AGENT_MESSAGE_MAX);
    put_data(&data, signer, &q);
    EVP_PKEY *public = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, key + key_n - 32, 32);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    assert_int_equal(EVP_DigestVerifyInit(context, NULL, NULL, NULL, public), 1);
    assert_int_equal(EVP_DigestVerify(context, signature.next, reader_left(&signature), buffer_head(&data),
                                      buffer_size(&data)),
                     1);
    EVP_MD_CTX_free(context);
    EVP_PKEY_free(public);
    buffer_free(&data);
    buffer_free(&answer);
}

static void every_type_of_key_signs_by_its_own_algorithms(void **state)
{
    static const struct {
        const char *key, *algorithm;
        uint32_t flags;
        uint8_t answer;
    } cases[] = {
        { "ed25519", "ssh-ed25519", 0, SIGNED },
        { "ecdsa", "ecdsa-sha2-nistp256", 0, SIGNED },
        { "rsa", "rsa-sha2-256", SHA2_256, SIGNED },
        { "rsa", "rsa-sha2-512", SHA2_512, SIGNED },
        { "rsa", "ssh-rsa", 0, FAILURE },
        { "rsa", "ssh-rsa", SHA2_256, FAILURE },
        { "rsa", "rsa-sha2-256", 0, FAILURE },
        { "rsa", "rsa-sha2-256", SHA2_512, FAILURE },
        { "rsa", "rsa-sha2-512", SHA2_256, FAILURE },
        { "rsa", "rsa-sha2-512", SHA2_256 | SHA2_512, FAILURE },
        { "rsa", "ssh-ed25519", 0, FAILURE },
        { "ecdsa", "ssh-ed25519", 0, FAILURE },
        { "ecdsa", "ecdsa-sha2-nistp384", 0, FAILURE },
        { "ed25519", "rsa-sha2-256", SHA2_256, FAILURE },
        { "ed25519", "ssh-ed25519", SHA2_256, FAILURE },
        { "ed25519", "ssh-ed25519", 1, FAILURE },
        { "ed25519", "ssh-ed25519-cert-v01@openssh.com", 0, FAILURE },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct request q = { .algorithm = cases[i].algorithm, .flags = cases[i].flags };
        if (type_of_answer(cases[i].key, &q) != cases[i].answer)
            fail_msg("%s with %s and flags %u", cases[i].key, cases[i].algorithm, cases[i].flags);
    }
}

/* ---- what it does not do ---- */

static void nothing_but_this_login_is_signed(void **state)
{
    char long_id[65] = "";
    memset(long_id, 'x', sizeof(long_id));
    const struct request refused[] = {
        { .user = "root" },
        { .user = "deploy " },
        { .user = "" },
        { .service = "ssh-userauth" },
        { .method = "hostbased" },
        { .method = "publickey-hostbound-v00@openssh.com" },
        { .number = 51 },
        { .is_signed = 1 }, /* false */
        { .is_signed = 3 }, /* 2: a boolean that is no true of RFC 4251 */
        { .session = "", .session_n = 0 },
        { .session = long_id, .session_n = 19 },
        { .session = long_id, .session_n = 65 },
        { .key = "ecdsa.pub" },
        { .inner_key = "ecdsa.pub" },
        { .tail = true },
    };
    const struct request signed_[] = {
        { .session = long_id, .session_n = 20 },
        { .session = long_id, .session_n = 64 },
        { .user = "deploy" },
        { .is_signed = 2 },
    };
    (void)state;
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
        if (type_of_answer("ed25519", &refused[i]) != FAILURE)
            fail_msg("refused[%zu]", i);
    for (size_t i = 0; i < sizeof(signed_) / sizeof(signed_[0]); i++)
        if (type_of_answer("ed25519", &signed_[i]) != SIGNED)
            fail_msg("signed_[%zu]", i);
}

/* The session identifier is what the gate says; all else is known, so every bit of it counts. */
static void one_wrong_byte_anywhere_refuses(void **state)
{
    CLEANUP(certificate_signer_free) struct certificate_signer *signer = signer_of("ed25519");
    struct buffer good;
    size_t key_n, signed_n = 0;
    (void)state;
    (void)signer_public(signer, &key_n);
    buffer_init(&good, AGENT_MESSAGE_MAX);
    put_request(&good, signer, &(struct request){ 0 });
    size_t session = 4 + 1 + 4 + key_n + 4 + 4; /* where its 32 bytes begin */
    for (size_t i = 0; i < buffer_size(&good); i++) {
        struct agent agent = agent_for(signer, "deploy");
        struct detail detail = { "" };
        struct buffer in, out;
        buffer_init(&in, AGENT_MESSAGE_MAX);
        buffer_init(&out, AGENT_MESSAGE_MAX);
        assert_int_equal(buffer_append(&in, buffer_head(&good), buffer_size(&good)), 0);
        in.data[in.start + i] ^= 1;
        int r = agent_take(&agent, &in, &out, &detail);
        bool in_session = i >= session && i < session + 32;
        if (in_session != (agent.state == AGENT_SIGNED) || (r && i > 3))
            fail_msg("byte %zu: state %d, %d", i, (int)agent.state, r);
        signed_n += agent.state == AGENT_SIGNED;
        buffer_free(&in);
        buffer_free(&out);
    }
    assert_int_equal(signed_n, 32);
    buffer_free(&good);
}

static void a_message_in_pieces_waits_for_its_end(void **state)
{
    CLEANUP(certificate_signer_free) struct certificate_signer *signer = signer_of("ed25519");
    struct agent agent = agent_for(signer, "deploy");
    struct detail detail = { "" };
    struct buffer whole, in, out;
    (void)state;
    buffer_init(&whole, AGENT_MESSAGE_MAX);
    buffer_init(&in, AGENT_MESSAGE_MAX);
    buffer_init(&out, AGENT_MESSAGE_MAX);
    put_request(&whole, signer, &(struct request){ 0 });
    for (size_t i = 0; i < buffer_size(&whole); i++) {
        assert_int_equal(agent_take(&agent, &in, &out, &detail), -EAGAIN);
        assert_int_equal(buffer_append(&in, buffer_head(&whole) + i, 1), 0);
    }
    assert_int_equal(agent_take(&agent, &in, &out, &detail), 0);
    assert_int_equal(agent.state, AGENT_SIGNED);
    buffer_free(&whole);
    buffer_free(&in);
    buffer_free(&out);
}

static void what_is_no_request_is_refused(void **state)
{
    static const struct {
        const char *bytes;
        size_t n;
    } cases[] = {
        { "\0\0\0\0", 4 },      /* no type */
        { "\0\0\0\2\13\0", 6 }, /* LIST with something behind it */
        { "\0\0\0\1\21", 5 },   /* ADD_IDENTITY */
        { "\0\0\0\1\23", 5 },   /* REMOVE_ALL_IDENTITIES */
        { "\0\0\0\1\33", 5 },   /* EXTENSION */
        { "\0\0\0\1\15", 5 },   /* SIGN without anything */
        { "\0\0\100\1\13", 5 }, /* longer than AGENT_MESSAGE_MAX */
        { "\377\377\377\377\13", 5 },
    };
    CLEANUP(certificate_signer_free) struct certificate_signer *signer = signer_of("ed25519");
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct agent agent = agent_for(signer, "deploy");
        struct detail detail = { "" };
        struct buffer in, out;
        buffer_init(&in, AGENT_MESSAGE_MAX);
        buffer_init(&out, AGENT_MESSAGE_MAX);
        assert_int_equal(buffer_append(&in, cases[i].bytes, cases[i].n), 0);
        assert_int_equal(agent_take(&agent, &in, &out, &detail), 0);
        assert_int_equal(agent.state, AGENT_REFUSED);
        assert_int_equal(buffer_size(&out), 5);
        assert_memory_equal(buffer_head(&out), "\0\0\0\1\5", 5);
        assert_true(detail.text[0]);
        buffer_free(&in);
        buffer_free(&out);
    }
}

static int make_keys(void **state)
{
    (void)state;
    keygen_directory(directory);
    keygen_key(directory, "ed25519", "ed25519", NULL);
    keygen_key(directory, "ecdsa", "ecdsa", NULL);
    keygen_key(directory, "rsa", "rsa", "2048");
    return 0;
}

static int remove_keys(void **state)
{
    (void)state;
    keygen_remove(directory);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_key_is_listed_once),
        cmocka_unit_test(a_login_is_signed_so_that_it_holds),
        cmocka_unit_test(every_type_of_key_signs_by_its_own_algorithms),
        cmocka_unit_test(nothing_but_this_login_is_signed),
        cmocka_unit_test(one_wrong_byte_anywhere_refuses),
        cmocka_unit_test(a_message_in_pieces_waits_for_its_end),
        cmocka_unit_test(what_is_no_request_is_refused),
    };
    return cmocka_run_group_tests(tests, make_keys, remove_keys);
}
