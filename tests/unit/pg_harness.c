/* A gate of nothing but PostgreSQL, for tests and measurements: listens on a loopback port, logs in to a
 * server that trusts everybody, lets sessions run between.
 *
 *   pg_harness PORT SERVER_SOCKET DATABASE LOGIN RECORDING [OUTPUT_LIMIT]
 *
 * `drop`, `truncate` and unbounded writes are denied by the rule "no-drop"; the rest of SQL is allowed.
 * With PG_HARNESS_CATALOG set, names are resolved over a side connection, as a gate does; if it is "effects",
 * statements are read from stdin, and their effects printed, instead (pg_effects.h). Prints the reason of
 * every session's end. SIGUSR1 breaks the recording: what happens when its disk is full.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <fcntl.h>
#include "base/chain.h"
#include "base/io.h"
#include "channels/pg/catalog_link.h"
#include "channels/pg/session.h"
#include "channels/pg/wire.h"
#include "pg_effects.h"
#include "policy/sql.h"

enum { MESSAGE_MAX = 65536, WAIT_MS = 10000, SETTINGS_MAX = 64 };

struct harness;

struct client {
    struct client *next;
    struct harness *harness;
    struct pg_session *session;
    struct timer *login; /* answers after ask_login has returned */
    struct buffer startup;
};

struct harness {
    struct pg_host host;
    struct recorder *recorder;
    const char *server, *database, *login;
    struct client *clients;
    uint32_t streams;
    int recording, listener;
    struct timer *side_login;
    struct buffer side_startup;
};

/* ---- logging in ---- */

static int server_connect(const struct harness *h)
{
    struct sockaddr_un to = { .sun_family = AF_UNIX };
    (void)snprintf(to.sun_path, sizeof(to.sun_path), "%s", h->server);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0) {
        perror("connect");
        fd_close(STEAL_FD(fd));
    }
    return fd;
}

static int put_startup(struct buffer *out, const struct harness *h, Ipc__Variable *const *options, size_t n)
{
    struct buffer body;
    buffer_init(&body, MESSAGE_MAX);
    int r = buffer_put_u32(&body, 3 << 16);
    const char *const fixed[] = { "user", h->login, "database", h->database };
    for (size_t i = 0; r == 0 && i < 4; i++)
        r = buffer_put_cstring(&body, fixed[i]);
    for (size_t i = 0; r == 0 && i < n; i++) {
        r = buffer_put_cstring(&body, options[i]->name);
        r = r ? r : buffer_put_cstring(&body, options[i]->value);
    }
    r = r ? r : buffer_put_u8(&body, 0);
    r = r ? r : buffer_put_u32(out, (uint32_t)buffer_size(&body) + 4);
    r = r ? r : buffer_append(out, buffer_head(&body), buffer_size(&body));
    buffer_free(&body);
    return r;
}

struct greeting {
    Ipc__Connected connected;
    Ipc__Variable items[SETTINGS_MAX], *list[SETTINGS_MAX];
    char *strings[2 * SETTINGS_MAX];
    uint8_t key[PG_KEY_MAX];
    bool ready, failed;
};

static void take_setting(struct greeting *g, struct reader body)
{
    struct pg_setting setting;
    size_t at = g->connected.n_parameters;
    if (at == SETTINGS_MAX || !pg_read_setting(body, &setting))
        return;
    ipc__variable__init(&g->items[at]);
    g->items[at].name = g->strings[2 * at] = strdup(setting.name);
    g->items[at].value = g->strings[2 * at + 1] = strdup(setting.value);
    g->list[at] = &g->items[at];
    g->connected.parameters = g->list;
    g->connected.n_parameters++;
}

static void take_message(struct greeting *g, uint8_t type, struct reader body)
{
    if (type == 'S')
        take_setting(g, body);
    if (type == 'K' && reader_u32(&body, &g->connected.pid)) {
        g->connected.key.len = reader_left(&body);
        memcpy(g->key, body.next, reader_left(&body));
        g->connected.key.data = g->key;
    }
    g->ready = type == 'Z';
    g->failed = g->failed || type == 'E';
}

static int server_login(int fd, const struct buffer *startup, struct greeting *g)
{
    uint8_t header[PG_HEADER], body[MESSAGE_MAX];
    ipc__connected__init(&g->connected);
    int r = fd_write_all(fd, buffer_head(startup), buffer_size(startup), WAIT_MS);
    while (r == 0 && !g->ready && !g->failed) {
        struct pg_header message = { 0 };
        r = fd_read_all(fd, header, PG_HEADER, WAIT_MS);
        if (r == 0 && pg_header_read(header, PG_HEADER, &message) == 0 && message.body <= MESSAGE_MAX)
            r = fd_read_all(fd, body, message.body, WAIT_MS);
        if (r == 0)
            take_message(g, message.type, reader_of(body, message.body));
    }
    return g->failed ? -EACCES : r;
}

static void login_now(void *owner)
{
    struct client *c = owner;
    struct greeting g = { .ready = false };
    int fd = server_connect(c->harness);
    int r = fd < 0 ? -EIO : server_login(fd, &c->startup, &g);
    if (r == 0) {
        pg_session_connected(c->session, &g.connected, fd);
    } else {
        fd_close(fd);
        pg_session_refused(c->session, "target_unavailable", "the target is not available");
    }
    for (size_t i = 0; i < 2 * SETTINGS_MAX; i++)
        free(g.strings[i]);
}

static void side_login_now(void *owner)
{
    struct harness *h = owner;
    struct greeting g = { .ready = false };
    int fd = server_connect(h);
    int r = fd < 0 ? -EIO : server_login(fd, &h->side_startup, &g);
    if (r == 0) {
        catalog_link_connected(h->host.catalog, fd, NULL, 0);
    } else {
        fd_close(fd);
        catalog_link_refused(h->host.catalog);
    }
    for (size_t i = 0; i < 2 * SETTINGS_MAX; i++)
        free(g.strings[i]);
    buffer_free(&h->side_startup);
}

/* ---- what sessions ask ---- */

static int ask_side_login(void *owner, Ipc__Variable *const *options, size_t n)
{
    struct harness *h = owner;
    buffer_init(&h->side_startup, MESSAGE_MAX);
    int r = put_startup(&h->side_startup, h, options, n);
    timer_set(h->side_login, 0);
    return r;
}

static const struct catalog_calls side_calls = { ask_side_login };

static int ask_login(void *owner, Ipc__Variable *const *options, size_t n)
{
    struct client *c = owner;
    buffer_init(&c->startup, MESSAGE_MAX);
    int r = put_startup(&c->startup, c->harness, options, n);
    timer_set(c->login, 0);
    return r;
}

static void ask_cancel(void *owner, uint32_t pid, const uint8_t *key, size_t n)
{
    struct client *c = owner;
    struct buffer out;
    buffer_init(&out, MESSAGE_MAX);
    int fd = server_connect(c->harness);
    int r = buffer_put_u32(&out, (uint32_t)(12 + n));
    r = r ? r : buffer_put_u32(&out, 1234 << 16 | 5678);
    r = r ? r : buffer_put_u32(&out, pid);
    r = r ? r : buffer_append(&out, key, n);
    r = r ? r : fd_write_all(fd, buffer_head(&out), buffer_size(&out), WAIT_MS);
    printf("cancel %s\n", r ? "failed" : "sent");
    buffer_free(&out);
    fd_close(fd);
}

/* Nobody tells when the server has read it. */
static int ask_cancel_end(void *owner, uint32_t pid, const uint8_t *key, size_t n)
{
    ask_cancel(owner, pid, key, n);
    return -ENOTSUP;
}

static void client_free(struct client *c)
{
    struct client **at = &c->harness->clients;
    while (*at != c)
        at = &(*at)->next;
    *at = c->next;
    pg_session_free(c->session);
    timer_free(c->login);
    buffer_free(&c->startup);
    free(c);
}

static void ended(void *owner, const char *reason)
{
    printf("ended: %s\n", reason);
    client_free(owner);
}

static const struct pg_calls calls = {
    .ask_login = ask_login, .ask_cancel = ask_cancel, .ask_cancel_end = ask_cancel_end, .ended = ended
};

/* ---- the process ---- */

static void accept_one(void *owner, uint32_t ready)
{
    struct harness *h = owner;
    (void)ready;
    int fd = accept4(h->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    struct client *c = fd < 0 ? NULL : calloc(1, sizeof(*c));
    if (!c)
        return;
    fd_nodelay(fd);
    c->harness = h;
    c->next = h->clients;
    h->clients = c;
    if (timer_new(h->host.loop, login_now, c, &c->login) < 0 ||
        pg_session_new(&h->host, duplex_of_socket(fd), h->recorder, ++h->streams, true, c, &c->session) < 0)
        abort();
}

static void on_signal(void *owner, int number)
{
    struct harness *h = owner;
    if (number != SIGUSR1) {
        loop_stop(h->host.loop, 0);
        return;
    }
    /* The recorder keeps its descriptor's number; behind it is now a disk that is always full. */
    int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    if (full >= 0 && dup2(full, h->recording) < 0)
        abort();
    fd_close(full);
}

static int listen_on(const char *port)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port)) };
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0 || listen(fd, 128) < 0) {
        perror("listen");
        exit(1);
    }
    return fd;
}

static int open_recorder(struct harness *h, const char *path, uint64_t limit)
{
    uint8_t key[CHAIN_KEY] = { 1 }, tag[CHAIN_TAG] = { 2 };
    Ipc__AnswerRecording answer = IPC__ANSWER_RECORDING__INIT;
    answer.id = (char *)(uintptr_t) "harness";
    answer.chain_key = (ProtobufCBinaryData){ sizeof(key), key };
    answer.chain_tag = (ProtobufCBinaryData){ sizeof(tag), tag };
    h->recording = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    return recorder_new(h->recording, &answer, limit, false, &h->recorder);
}

static int rules_new(struct rulebook **ret)
{
    static char deny[] = "deny", allow[] = "allow", name[] = "no-drop", rest[] = "rest", drop[] = "drop",
                truncate[] = "truncate", any[] = "*",
                reason[] = "destructive statements need a second pair of eyes";
    static char *kinds[] = { drop, truncate }, *targets[] = { any };
    static Ipc__Match matches[2], *list[] = { &matches[0], &matches[1] };
    static Ipc__Rule rules[2], *both[] = { &rules[0], &rules[1] };
    static Ipc__Config config;
    ipc__config__init(&config);
    for (size_t i = 0; i < 2; i++) {
        ipc__match__init(&matches[i]);
        ipc__rule__init(&rules[i]);
        rules[i].targets = targets;
        rules[i].n_targets = 1;
    }
    matches[0].statements = kinds;
    matches[0].n_statements = 2;
    matches[1].has_unbounded_write = matches[1].unbounded_write = 1;
    rules[0].name = name;
    rules[0].action = deny;
    rules[0].reason = reason;
    rules[0].match = list;
    rules[0].n_match = 2;
    rules[1].name = rest;
    rules[1].action = allow;
    config.rules = both;
    config.n_rules = 2;
    return rulebook_new(&config, ret);
}

int main(int argc, char **argv)
{
    static const int signals[] = { SIGTERM, SIGINT, SIGUSR1, 0 };
    struct rulebook *rulebook = NULL;
    struct source *source = NULL;
    if (argc < 6) {
        fprintf(stderr, "usage: pg_harness PORT SERVER_SOCKET DATABASE LOGIN RECORDING [OUTPUT_LIMIT]\n");
        return 64;
    }
    struct harness h = { .server = argv[2], .database = argv[3], .login = argv[4] };
    (void)signal(SIGPIPE, SIG_IGN);
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    sql_start();
    if (sodium_init() < 0 || rules_new(&rulebook) < 0 || loop_new(&h.host.loop) < 0 ||
        loop_signals(h.host.loop, signals, on_signal, &h) < 0 ||
        open_recorder(&h, argv[5], argc > 6 ? strtoull(argv[6], NULL, 10) : 64 * 1024 * 1024) < 0)
        return 70;
    h.host.rulebook = rulebook;
    h.host.who = (struct circumstances){ .target = "test", .database = h.database };
    h.host.calls = &calls;
    if (getenv("PG_HARNESS_CATALOG") && (timer_new(h.host.loop, side_login_now, &h, &h.side_login) < 0 ||
                                         catalog_link_new(h.host.loop, &side_calls, &h, &h.host.catalog) < 0))
        return 70;
    h.listener = listen_on(argv[1]);
    if (source_new(h.host.loop, h.listener, LOOP_READ, accept_one, &h, &source) < 0)
        return 70;
    printf("READY\n");
    if (h.host.catalog && strcmp(getenv("PG_HARNESS_CATALOG"), "effects") == 0)
        pg_effects_begin(h.host.loop, h.host.catalog);
    int status = loop_run(h.host.loop);
    while (h.clients)
        client_free(h.clients);
    catalog_link_free(h.host.catalog);
    timer_free(h.side_login);
    if (recorder_end(h.recorder, 0, "done") < 0)
        printf("the recording has no end\n");
    recorder_free(h.recorder);
    rulebook_free(rulebook);
    source_free(source);
    fd_close(h.listener);
    loop_free(h.host.loop);
    return status;
}
