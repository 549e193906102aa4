/* gatehouse-connector towards API servers: whom it trusts, what it adds, that its relay loses nothing, and
 * that the credential is seen by the server alone. The server is kube_server.py. */
#include "check.h"
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/buffer.h"
#include "base/io.h"
#include "connector_work.h"
#include "keygen.h"
#include "tls_house.h"

#define TOKEN "stored-t0ken"
#define WHO   "Impersonate-User: anna\r\nImpersonate-Group: gatehouse:agent\r\n"

enum { ANSWER_MS = 30000, BIG_BLOCK = 65536 };

static struct tls_server server;
static char *pem; /* certificate and key of a client */
static size_t pem_n;

/* ---- the house ---- */

static void concatenate(const char *first, const char *second, char **ret, size_t *ret_n)
{
    size_t n, m;
    CLEANUP(free) char *a = keygen_read(postgres.directory, first, &n);
    CLEANUP(free) char *b = keygen_read(postgres.directory, second, &m);

    *ret = calloc(1, n + m + 1);
    memcpy(*ret, a, n);
    memcpy(*ret + n, b, m);
    *ret_n = n + m;
}

static int start_all(void **state)
{
    const char *d = postgres.directory;

    (void)state;
    keygen_directory(postgres.directory);
    tls_make_ca(d, "ca");
    tls_make_ca(d, "other-ca");
    tls_make_certificate(d, "server", "api", "subjectAltName=DNS:localhost,DNS:api.example,IP:127.0.0.1",
                         "2");
    tls_make_certificate(d, "expired", "api", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-1");
    tls_make_certificate(d, "misnamed", "127.0.0.1", "subjectAltName=DNS:elsewhere.example", "2");
    tls_make_certificate(d, "client", "gatehouse", "extendedKeyUsage=clientAuth", "2");
    tls_make_certificate(d, "past", "gatehouse", "extendedKeyUsage=clientAuth", "-1");
    concatenate("client.pem", "client.key", &pem, &pem_n);
    tls_server_start(&server, d, KUBE_SERVER);
    connector_begin();
    return 0;
}

static int stop_all(void **state)
{
    (void)state;
    tls_server_stop(&server);
    assert_int_equal(process_end(&zygote), 0);
    keygen_remove(postgres.directory);
    free(pem);
    return 0;
}

static Ipc__Target cluster(const char *host, const char *port)
{
    Ipc__Target target = IPC__TARGET__INIT;

    target.name = (char *)"prod";
    target.kind = (char *)"kubernetes";
    target.host = (char *)(uintptr_t)host;
    target.port = tls_server_port(&server, port);
    return target;
}

static Ipc__Job errand(Ipc__Target *target, const char *type)
{
    Ipc__Job job = IPC__JOB__INIT;

    job.target = target;
    job.vault_type = (char *)(uintptr_t)type;
    job.secret.data = (uint8_t *)(uintptr_t)TOKEN;
    job.secret.len = strlen(TOKEN);
    if (strcmp(type, "client-cert") == 0) {
        job.secret.data = (uint8_t *)pem;
        job.secret.len = pem_n;
    }
    job.kube_headers.data = (uint8_t *)(uintptr_t)WHO;
    job.kube_headers.len = strlen(WHO);
    job.timeout_ms = 10000;
    take_ca(&job, "ca.pem");
    return job;
}

/* The gate's stream to an API server that all is well with. */
static int reach(const char *type)
{
    Ipc__Target target = cluster("127.0.0.1", "good");
    Ipc__Job job = errand(&target, type);
    Ipc__Message *message = NULL;
    int fd = log_in(&job, &message);

    assert_true(message->connected->relayed);
    assert_int_equal(message->connected->usable_ms, 0);
    ipc_message_free(message);
    free(job.tls_ca.data);
    return fd;
}

/* ---- a gate ---- */

static void put_frame(int fd, char kind, const void *bytes, size_t n)
{
    uint8_t mark[5] = { (uint8_t)kind, (uint8_t)(n >> 24), (uint8_t)(n >> 16), (uint8_t)(n >> 8),
                        (uint8_t)n };

    assert_int_equal(fd_write_all(fd, mark, sizeof mark, ANSWER_MS), 0);
    assert_int_equal(fd_write_all(fd, bytes, n, ANSWER_MS), 0);
}

static void put_head(int fd, const char *head)
{
    put_frame(fd, 'H', head, strlen(head));
}

/* Reads up to the text, or to the end when it is NULL; malloc'ed. */
static char *read_until(int fd, const char *text)
{
    struct buffer b;
    size_t n = 1;

    buffer_init(&b, 1024 * 1024);
    while (n > 0) {
        assert_int_equal(fd_wait(fd, POLLIN, ANSWER_MS), 0);
        assert_int_equal(buffer_read(&b, fd, text ? 1 : 4096, &n), 0);
        size_t have = buffer_size(&b), want = text ? strlen(text) : 0;
        if (text && have >= want && memcmp(buffer_head(&b) + have - want, text, want) == 0)
            break;
    }
    char *out = calloc(1, buffer_size(&b) + 1);
    if (buffer_size(&b))
        memcpy(out, buffer_head(&b), buffer_size(&b));
    buffer_free(&b);
    return out;
}

static void expect_has(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("\"%s\" without \"%s\"", text, part);
}

static void expect_log(const char *text)
{
    for (int i = 0; i < ANSWER_MS / 20; i++) {
        CLEANUP(free) char *log = keygen_read(postgres.directory, "processes.log", NULL);

        if (strstr(log, text))
            return;
        usleep(20 * 1000);
    }
    fail_msg("the log has no \"%s\"", text);
}

#define GET "GET /version HTTP/1.1\r\nHost: prod\r\n\r\n"

/* ---- what is added ---- */

static void a_token_and_the_identity_are_in_every_request(void **state)
{
    CLEANUP(fd_close) int fd = reach("token");

    (void)state;
    for (int i = 0; i < 3; i++) {
        put_head(fd, GET);
        CLEANUP(free) char *answer = read_until(fd, "}");
        expect_has(answer, "HTTP/1.1 200 OK");
        expect_has(answer, "[\"Authorization\", \"Bearer " TOKEN "\"]");
        expect_has(answer, "[\"Impersonate-User\", \"anna\"], [\"Impersonate-Group\", \"gatehouse:agent\"]");
        expect_has(answer, "\"client\": null");
    }
    close(STEAL_FD(fd));
    assert_int_equal(child_status(), 0);
}

static void a_client_certificate_is_shown_in_the_handshake(void **state)
{
    CLEANUP(fd_close) int fd = reach("client-cert");

    (void)state;
    put_head(fd, GET);
    CLEANUP(free) char *answer = read_until(fd, "}");
    expect_has(answer, "\"client\": \"gatehouse\"");
    expect_has(answer, "[\"Impersonate-User\", \"anna\"]");
    assert_null(strstr(answer, "Authorization"));
    close(STEAL_FD(fd));
    assert_int_equal(child_status(), 0);
}

static void the_gate_says_nothing_of_what_the_vault_says(void **state)
{
    static const char *const bad[] = {
        "GET / HTTP/1.1\r\nImpersonate-User: admin\r\n\r\n",
        "GET / HTTP/1.1\r\nAuthorization: Bearer x\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /secrets HTTP/1.1\r\n\r\n",
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CLEANUP(fd_close) int fd = reach("client-cert");

        put_head(fd, bad[i]);
        CLEANUP(free) char *answer = read_until(fd, NULL);
        assert_string_equal(answer, "");
        assert_int_equal(child_status(), 69);
    }
    expect_log("target_request_refused connection=7 target=prod");
    expect_log("Impersonate-User, which only the vault gives");
}

/* ---- whom it trusts ---- */

static void only_the_server_that_was_meant_is_spoken_to(void **state)
{
    static const struct {
        const char *host, *port, *ca, *name, *log; /* log: NULL when all is well */
    } cases[] = {
        { "127.0.0.1", "good", "ca.pem", "", NULL },
        { "localhost", "good", "ca.pem", "", NULL },
        { "127.0.0.1", "good", "ca.pem", "api.example", NULL },
        { "127.0.0.1", "good", "server.pem", "", NULL }, /* pinned by itself, as Go takes it */
        { "127.0.0.1", "good", "other-ca.pem", "", "certificate verify failed: self-signed certificate" },
        { "127.0.0.1", "good", NULL, "", "tls_ca holds no certificate" },
        { "127.0.0.1", "good", "ca.pem", "api",
          "hostname mismatch" }, /* the subject's name counts for nothing */
        { "127.0.0.1", "misnamed", "ca.pem", "", "IP address mismatch" },
        { "localhost", "misnamed", "ca.pem", "", "hostname mismatch" },
        { "127.0.0.1", "expired", "ca.pem", "", "certificate has expired" },
        { "127.0.0.1", "plain", "ca.pem", "", "TLS: wrong version number" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Ipc__Target target = cluster(cases[i].host, cases[i].port);
        Ipc__Job job = errand(&target, "token");

        free(job.tls_ca.data);
        job.tls_ca = (ProtobufCBinaryData){ 0 };
        if (cases[i].ca)
            take_ca(&job, cases[i].ca);
        target.tls_server_name = (char *)(uintptr_t)cases[i].name;
        if (!cases[i].log) {
            close(log_in(&job, NULL));
            assert_int_equal(child_status(), 0);
        } else {
            char gate[DETAIL_MAX], log[DETAIL_MAX];

            fail_to_log_in(&job, gate, log);
            expect_has(log, cases[i].log);
            assert_null(strstr(gate, TOKEN));
        }
        free(job.tls_ca.data);
    }
}

/* Anything else than what the CA signed: here one byte of the CA's certificate, in turn. */
static void one_byte_of_the_pinned_certificate_changed_is_another_one(void **state)
{
    (void)state;
    for (size_t at = 40; at < 400; at += 97) {
        Ipc__Target target = cluster("127.0.0.1", "good");
        Ipc__Job job = errand(&target, "token");
        char gate[DETAIL_MAX], log[DETAIL_MAX];

        job.tls_ca.data[at] = job.tls_ca.data[at] == 'A' ? 'B' : 'A';
        fail_to_log_in(&job, gate, log);
        free(job.tls_ca.data);
    }
}

static void what_does_not_answer_is_not_waited_for(void **state)
{
    Ipc__Target silent = cluster("127.0.0.1", "silent"), away = silent;
    Ipc__Job job = errand(&silent, "token");
    char gate[DETAIL_MAX], log[DETAIL_MAX];

    (void)state;
    job.timeout_ms = 1000;
    fail_to_log_in(&job, gate, log);
    expect_has(log, "TLS: Connection timed out");
    away.port = 1;
    job.target = &away;
    fail_to_log_in(&job, gate, log);
    expect_has(log, "127.0.0.1 port 1: Connection refused");
    free(job.tls_ca.data);
}

static void an_entry_that_proves_nothing_is_not_tried(void **state)
{
    size_t past_n;
    CLEANUP(free) char *past = NULL;
    concatenate("past.pem", "past.key", &past, &past_n);
    const struct {
        const char *type, *secret;
        size_t n;
        const char *log;
    } cases[] = {
        { "token", "two words", 9, "not a bearer token" },
        { "token", "a\r\nImpersonate-User: b", 22, "not a bearer token" },
        { "token", pem, pem_n, "not a bearer token" },
        { "client-cert", TOKEN, strlen(TOKEN), "no certificate in it" },
        { "client-cert", past, past_n, "the client certificate expired on " },
        { "client-cert", pem, pem_n / 2, "" },
        { "password", TOKEN, strlen(TOKEN), "proves nothing to an API server" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Ipc__Target target = cluster("127.0.0.1", "good");
        Ipc__Job job = errand(&target, cases[i].type);
        char gate[DETAIL_MAX], log[DETAIL_MAX];

        job.secret.data = (uint8_t *)(uintptr_t)cases[i].secret;
        job.secret.len = cases[i].n;
        fail_to_log_in(&job, gate, log);
        expect_has(log, cases[i].log);
        free(job.tls_ca.data);
    }
}

/* ---- bytes ---- */

static void nothing_is_lost_when_the_end_follows_at_once(void **state)
{
    enum { BLOCKS = 300 };
    CLEANUP(fd_close) int fd = reach("token");
    static uint8_t bytes[BIG_BLOCK];
    uint64_t total = 0;

    (void)state;
    put_head(fd, "GET /big?blocks=300 HTTP/1.1\r\n\r\n");
    free(read_until(fd, "\r\n\r\n"));
    usleep(300 * 1000); /* let everything fill up */
    for (;;) {
        ssize_t n = read(fd, bytes, sizeof bytes);

        assert_true(n >= 0);
        if (n == 0)
            break;
        for (ssize_t i = 0; i < n; i++)
            if (bytes[i] != (uint8_t)(total + (uint64_t)i))
                fail_msg("another byte after %llu", (unsigned long long)total);
        total += (uint64_t)n;
    }
    assert_int_equal(total, (uint64_t)BLOCKS * BIG_BLOCK);
    close(STEAL_FD(fd));
    assert_int_equal(child_status(), 0);
}

static void a_body_of_many_frames_arrives_whole(void **state)
{
    enum { FRAMES = 100, FRAME = 200 * 1024 };
    CLEANUP(fd_close) int fd = reach("token");
    CLEANUP(free) uint8_t *frame = malloc(FRAME);
    char head[128], expected[32];

    (void)state;
    assert_int_equal(FRAME % 256, 0);
    for (size_t i = 0; i < FRAME; i++)
        frame[i] = (uint8_t)i;
    snprintf(head, sizeof head, "PUT /upload HTTP/1.1\r\nContent-Length: %d\r\n\r\n", FRAMES * FRAME);
    put_head(fd, head);
    for (int i = 0; i < FRAMES; i++)
        put_frame(fd, 'B', frame, FRAME);
    snprintf(expected, sizeof expected, "\r\n\r\n%d", FRAMES * FRAME);
    CLEANUP(free) char *answer = read_until(fd, expected);
    expect_has(answer, "HTTP/1.1 200 OK");
    put_head(fd, GET); /* and the connection goes on */
    free(read_until(fd, "}"));
    close(STEAL_FD(fd));
    assert_int_equal(child_status(), 0);
}

/* A body that the server does not read yet must stop the gate, not fill the connector. */
static void a_relay_holds_little_however_much_comes(void **state)
{
    enum { FRAME = 64 * 1024, BYTES_MAX = 64 * 1024 * 1024, MORE_KIB = 1024 };
    CLEANUP(fd_close) int fd = reach("token");
    static uint8_t mark[5 + FRAME] = { 'B', 0, 1, 0, 0 };
    size_t total = 0;

    (void)state;
    put_head(fd, "GET /x HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n");
    free(read_until(fd, "\r\n\r\n"));
    long before = child_peak_kib();
    /* The server sends everything back and nobody reads that, so at some point nothing moves. */
    assert_int_equal(fd_nonblock(fd, true), 0);
    while (fd_wait(fd, POLLOUT, 1000) == 0) {
        ssize_t n = write(fd, mark + total % sizeof mark, sizeof mark - total % sizeof mark);

        assert_true(n > 0);
        total += (size_t)n;
        assert_true(total < BYTES_MAX); /* the kernel's own buffers */
    }
    assert_true(child_peak_kib() - before < MORE_KIB);
    close(STEAL_FD(fd));
    assert_int_equal(child_status(), 0);
}

static void another_protocol_goes_through_and_ends_on_both_sides(void **state)
{
    CLEANUP(fd_close) int fd = reach("token");

    (void)state;
    put_head(fd, "GET /x HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n");
    put_frame(fd, 'B', "before the answer", 17); /* waits in the connector until the server has said 101 */
    CLEANUP(free) char *answer = read_until(fd, "before the answer");
    expect_has(answer, "HTTP/1.1 101");
    put_frame(fd, 'B', "and after\x00it", 12);
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    CLEANUP(free) char *rest = read_until(fd, "<the end>");
    assert_int_equal(memcmp(rest, "and after\x00it<the end>", 21), 0);
    CLEANUP(free) char *end = read_until(fd, NULL);
    assert_string_equal(end, "");
    close(STEAL_FD(fd));
    assert_int_equal(child_status(), 0);
}

static void a_protocol_that_the_server_refuses_does_not_begin(void **state)
{
    CLEANUP(fd_close) int fd = reach("client-cert");

    (void)state;
    put_head(fd, "GET /no HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n");
    put_frame(fd, 'B', GET, strlen(GET)); /* would be a request without an identity */
    CLEANUP(free) char *answer = read_until(fd, NULL);
    assert_null(strstr(answer, "client"));
    assert_int_equal(child_status(), 69);
    expect_log("bytes came for a protocol that the server refused");
}

static void a_connection_that_the_server_ends_ends(void **state)
{
    CLEANUP(fd_close) int fd = reach("token");

    (void)state;
    put_head(fd, "GET /last HTTP/1.1\r\n\r\n");
    CLEANUP(free) char *answer = read_until(fd, NULL);
    expect_has(answer, "/last");
    close(STEAL_FD(fd));
    assert_int_equal(child_status(), 0);
}

static void a_bounded_token_begins_no_request_when_its_time_is_over(void **state)
{
    Ipc__Target target = cluster("127.0.0.1", "good");
    Ipc__Job job = errand(&target, "token");
    Ipc__Message *message = NULL;

    (void)state;
    job.usable_ms = 1;
    CLEANUP(fd_close) int fd = log_in(&job, &message);
    assert_int_equal(message->connected->usable_ms, 1);
    ipc_message_free(message);
    free(job.tls_ca.data);
    usleep(5 * 1000);
    put_head(fd, GET);
    CLEANUP(free) char *answer = read_until(fd, NULL);
    assert_string_equal(answer, "");
    assert_int_equal(child_status(), 0);
}

/* ---- TokenRequest ---- */

/* What the vault hears of it; for the caller to free. */
static Ipc__Message *ask_token(Ipc__Target *target, const char *secret)
{
    Ipc__Job job = errand(target, "token");
    struct work work;

    job.secret.data = (uint8_t *)(uintptr_t)secret;
    job.secret.len = strlen(secret);
    job.kube_headers.len = 0;
    job.want_token = true;
    work = give(&job);
    Ipc__Message *done = expect(work.vault, IPC__MESSAGE__BODY_JOB_DONE, ANSWER_MS, NULL);
    expect_end(work.gate, ANSWER_MS);
    close(work.vault);
    close(work.gate);
    free(job.tls_ca.data);
    return done;
}

static void a_bounded_token_is_asked_for_and_told_to_the_vault(void **state)
{
    static const struct {
        const char *account;
        uint64_t lifetime_ms, given_ms;
    } cases[] = {
        { "deployer", 600000, 600000 },
        { "chunked", 3600000, 3600000 },
        { "short", 600000, 20000 },
        { "long", 600000, 600000 }, /* longer than was asked for: not relied on */
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Ipc__Target target = cluster("127.0.0.1", "good");
        Ipc__TokenRequest request = IPC__TOKEN_REQUEST__INIT;

        request.namespace_ = (char *)"ops";
        request.service_account = (char *)(uintptr_t)cases[i].account;
        request.lifetime_ms = cases[i].lifetime_ms;
        target.token_request = &request;
        Ipc__Message *done = ask_token(&target, TOKEN);
        if (!done->job_done->ok)
            fail_msg("%s: %s", cases[i].account, done->job_done->detail);
        assert_true(done->job_done->token.len > strlen(cases[i].account));
        assert_memory_equal(done->job_done->token.data, "bounded-", 8);
        assert_int_equal(done->job_done->token_ms, cases[i].given_ms);
        ipc_message_free(done);
        assert_int_equal(child_status(), 0);
    }
}

static void what_is_wrong_with_a_bounded_token_the_log_says(void **state)
{
    static const struct {
        const char *account, *secret, *log;
    } cases[] = {
        { "missing", TOKEN, "answered 404 NotFound: serviceaccounts \"missing\" not found" },
        { "deployer", "another-token", "answered 401 Unauthorized: Unauthorized" },
        { "gossip", TOKEN, "answered 403 (left out: it repeats the credential)" },
        { "broken", TOKEN, "has no token in it" },
        { "endless", TOKEN, "is no HTTP/1.1 response" }, /* its length alone is too much */
        { "../../pods/x", TOKEN, "Invalid argument" },
        { "", TOKEN, "Invalid argument" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Ipc__Target target = cluster("127.0.0.1", "good");
        Ipc__TokenRequest request = IPC__TOKEN_REQUEST__INIT;

        request.namespace_ = (char *)"ops";
        request.service_account = (char *)(uintptr_t)cases[i].account;
        request.lifetime_ms = 600000;
        target.token_request = &request;
        Ipc__Message *done = ask_token(&target, cases[i].secret);
        assert_false(done->job_done->ok);
        expect_has(done->job_done->detail, cases[i].log);
        assert_null(strstr(done->job_done->detail, TOKEN));
        assert_int_equal(done->job_done->token.len, 0);
        ipc_message_free(done);
        assert_int_equal(child_status(), 69);
    }
}

static void no_credential_is_in_any_log(void **state)
{
    CLEANUP(free) char *log = keygen_read(postgres.directory, "processes.log", NULL);

    (void)state;
    assert_null(strstr(log, TOKEN));
    assert_null(strstr(log, "PRIVATE KEY"));
    assert_null(strstr(log, "child_killed"));
    assert_null(strstr(log, "jail_failed"));
    assert_null(strstr(log, "runtime error"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_and_the_identity_are_in_every_request),
        cmocka_unit_test(a_client_certificate_is_shown_in_the_handshake),
        cmocka_unit_test(the_gate_says_nothing_of_what_the_vault_says),
        cmocka_unit_test(only_the_server_that_was_meant_is_spoken_to),
        cmocka_unit_test(one_byte_of_the_pinned_certificate_changed_is_another_one),
        cmocka_unit_test(what_does_not_answer_is_not_waited_for),
        cmocka_unit_test(an_entry_that_proves_nothing_is_not_tried),
        cmocka_unit_test(nothing_is_lost_when_the_end_follows_at_once),
        cmocka_unit_test(a_body_of_many_frames_arrives_whole),
        cmocka_unit_test(a_relay_holds_little_however_much_comes),
        cmocka_unit_test(another_protocol_goes_through_and_ends_on_both_sides),
        cmocka_unit_test(a_protocol_that_the_server_refuses_does_not_begin),
        cmocka_unit_test(a_connection_that_the_server_ends_ends),
        cmocka_unit_test(a_bounded_token_begins_no_request_when_its_time_is_over),
        cmocka_unit_test(a_bounded_token_is_asked_for_and_told_to_the_vault),
        cmocka_unit_test(what_is_wrong_with_a_bounded_token_the_log_says),
        cmocka_unit_test(no_credential_is_in_any_log),
    };

    return cmocka_run_group_tests(tests, start_all, stop_all);
}
