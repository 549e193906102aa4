/* See courier_fixture.h. */
#include "courier_fixture.h"
#include <setjmp.h>
#include <stdarg.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/io.h"
#include "house.h"
#include "keygen.h"
#include "tls_house.h"

enum { ISSUERS = 7, HOOKS = 16, URL_MAX = COURIER_URL_MAX };

int courier = -1;
static struct process process;
static char directory[KEYGEN_PATH], log_path[KEYGEN_PATH + 16];
static struct tls_server server;

unsigned courier_port(const char *name)
{
    return tls_server_port(&server, name);
}

/* ---- the configuration ---- */

struct setting {
    Ipc__Config config;
    Ipc__Issuer issuers[ISSUERS], *pointers[ISSUERS];
    char urls[ISSUERS][URL_MAX], host[2][URL_MAX];
    char *hosts[2];
    Ipc__Notify hooks[HOOKS], *hook_pointers[HOOKS];
    char hook_urls[HOOKS][URL_MAX];
};

/* ---- webhooks ---- */

char *courier_hook(char out[COURIER_URL_MAX], const char *path, const char *port)
{
    snprintf(out, COURIER_URL_MAX, "https://localhost:%u%s", courier_port(port), path);
    return out;
}

static void add_hooks(struct setting *s)
{
    static const struct {
        const char *path, *port, *ca;
    } hooks[] = {
        { "/hook/200/plain", "good", "ca.pem" },     { "/hook/204/plain?key=a%20b", "good", "ca.pem" },
        { "/hook/200/announced", "good", "ca.pem" }, { "/hook/200/endless", "good", "ca.pem" },
        { "/hook/200/half", "good", "ca.pem" },      { "/hook/429/plain", "good", "ca.pem" },
        { "/hook/302/moved", "good", "ca.pem" },     { "/silent", "good", "ca.pem" },
        { "/hook/200/plain", "expired", "ca.pem" },  { "/hook/200/plain?other", "good", "other.pem" },
        { "/hook/200/plain", "closed", "ca.pem" },   { "/garbage", "good", "ca.pem" },
        { "/continue", "good", "ca.pem" },
    };
    for (size_t i = 0; i < sizeof hooks / sizeof *hooks; i++) {
        ipc__notify__init(&s->hooks[i]);
        s->hooks[i].webhook = courier_hook(s->hook_urls[i], hooks[i].path, hooks[i].port);
        s->hooks[i].tls_ca_pem.data =
            (uint8_t *)keygen_read(directory, hooks[i].ca, &s->hooks[i].tls_ca_pem.len);
        s->hook_pointers[i] = &s->hooks[i];
        s->config.n_notify++;
    }
    s->config.notify = s->hook_pointers;
}

char *courier_take_file(const char *name, size_t *ret_n)
{
    char path[2 * KEYGEN_PATH];
    uint8_t *bytes = NULL;
    snprintf(path, sizeof path, "%s/%s", directory, name);
    CLEANUP(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return NULL;
    assert_int_equal(fd_contents(fd, 1024 * 1024, &bytes, ret_n), 0);
    assert_int_equal(unlink(path), 0);
    return (char *)bytes;
}

/* ---- issuers ---- */

static void add_issuer(struct setting *s, const char *name, const char *url, const char *port, const char *ca)
{
    size_t i = s->config.n_issuers++;
    Ipc__Issuer *issuer = &s->issuers[i];
    assert_true(i < ISSUERS);
    ipc__issuer__init(issuer);
    snprintf(s->urls[i], URL_MAX, "https://%s:%u/some/path", url, courier_port(port));
    issuer->name = (char *)(uintptr_t)name;
    issuer->issuer = s->urls[i];
    if (ca)
        issuer->tls_ca_pem.data = (uint8_t *)keygen_read(directory, ca, &issuer->tls_ca_pem.len);
    s->pointers[i] = issuer;
}

/* corp: its own host and two more, but not the provider's other ports. */
static int make_config(bool changed)
{
    struct setting s = { .config = IPC__CONFIG__INIT };
    add_issuer(&s, "corp", changed ? "elsewhere.example" : "localhost", "good", "ca.pem");
    add_issuer(&s, "expired", "localhost", "expired", "ca.pem");
    add_issuer(&s, "misnamed", "localhost", "misnamed", "ca.pem");
    add_issuer(&s, "foreign", "localhost", "good", "other.pem");
    add_issuer(&s, "system", "localhost", "good", NULL);
    add_issuer(&s, "old", "localhost", "old", "ca.pem");
    add_issuer(&s, "away", "nowhere.example", "closed", "ca.pem");
    snprintf(s.host[0], URL_MAX, "[::1]:%u", courier_port("six"));
    snprintf(s.host[1], URL_MAX, "LOCALHOST:%u", courier_port("closed"));
    s.hosts[0] = s.host[0];
    s.hosts[1] = s.host[1];
    s.issuers[0].hosts = s.hosts;
    s.issuers[0].n_hosts = changed ? 0 : 2;
    s.config.issuers = s.pointers;
    if (!changed)
        add_hooks(&s);
    size_t n = ipc__config__get_packed_size(&s.config);
    uint8_t *bytes = malloc(n);
    int fd = -1;
    assert_non_null(bytes);
    assert_int_equal(ipc__config__pack(&s.config, bytes), n);
    assert_int_equal(fd_of_bytes("config", bytes, n, &fd), 0);
    for (size_t i = 0; i < s.config.n_issuers; i++)
        free(s.issuers[i].tls_ca_pem.data);
    for (size_t i = 0; i < s.config.n_notify; i++)
        free(s.hooks[i].tls_ca_pem.data);
    free(bytes);
    return fd;
}

/* ---- the courier ---- */

void courier_send_config(int fd)
{
    Ipc__Reload reload = IPC__RELOAD__INIT;
    Ipc__Message message = IPC_MESSAGE(RELOAD, reload, &reload);
    assert_int_equal(ipc_send_now(process.control, &message, &fd, 1, 1000), 0);
    close(fd);
}

void courier_reload(bool changed)
{
    courier_send_config(make_config(changed));
}

int courier_link(const char *name)
{
    Ipc__Link link = IPC__LINK__INIT;
    Ipc__Message message = IPC_MESSAGE(LINK, link, &link);
    int pair[2];
    assert_int_equal(fd_pair(SOCK_SEQPACKET, pair), 0);
    link.process = (char *)(uintptr_t)name;
    assert_int_equal(ipc_send_now(process.control, &message, &pair[1], 1, 1000), 0);
    close(pair[1]);
    return pair[0];
}

bool courier_lives(void)
{
    return waitpid(process.pid, NULL, WNOHANG) == 0;
}

size_t courier_descriptors(void)
{
    char path[64];
    size_t n = 0;
    snprintf(path, sizeof path, "/proc/%d/fd", (int)process.pid);
    DIR *entries = opendir(path);
    while (entries && readdir(entries))
        n++;
    if (entries)
        closedir(entries);
    return n;
}

int courier_start(void **state)
{
    Ipc__Start start = IPC__START__INIT;
    (void)state;
    keygen_directory(directory);
    snprintf(log_path, sizeof log_path, "%s/log", directory);
    tls_make_ca(directory, "ca");
    tls_make_ca(directory, "other");
    tls_make_certificate(directory, "server", "localhost", "subjectAltName=DNS:localhost,IP:::1", "2");
    tls_make_certificate(directory, "expired", "localhost", "subjectAltName=DNS:localhost", "-1");
    tls_make_certificate(directory, "misnamed", "localhost", "subjectAltName=DNS:elsewhere.example", "2");
    tls_server_start(&server, directory, COURIER_SERVER);
    /* What somebody left in the environment moves nothing. */
    (void)setenv("https_proxy", "http://127.0.0.1:1", 1);
    (void)setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
    int config = make_config(false);
    process = process_start(COURIER, &start, &config, 1, log_path);
    ipc_message_free(expect(process.control, IPC__MESSAGE__BODY_READY, FETCH_LIMIT_MS, NULL));
    courier = courier_link("issuer");
    return 0;
}

int courier_stop(void **state)
{
    (void)state;
    tls_server_stop(&server);
    fd_close(courier);
    assert_int_equal(process_end(&process), 0);
    keygen_remove(directory);
    return 0;
}

/* ---- fetching ---- */

static void send_fetch(int link, Ipc__Fetch *fetch)
{
    Ipc__Message message = IPC_MESSAGE(FETCH, fetch, fetch);
    assert_int_equal(ipc_send_now(link, &message, NULL, 0, FETCH_LIMIT_MS), 0);
}

void ask(int link, uint32_t request, const char *issuer, const char *url, uint32_t timeout_ms)
{
    Ipc__Fetch fetch = IPC__FETCH__INIT;
    fetch.request = request;
    fetch.issuer = (char *)(uintptr_t)issuer;
    fetch.url = (char *)(uintptr_t)url;
    fetch.timeout_ms = timeout_ms;
    send_fetch(link, &fetch);
}

void ask_form(int link, uint32_t request, const char *issuer, const char *url, Ipc__Variable **form,
              size_t n_form)
{
    Ipc__Fetch fetch = IPC__FETCH__INIT;
    fetch.request = request;
    fetch.issuer = (char *)(uintptr_t)issuer;
    fetch.url = (char *)(uintptr_t)url;
    fetch.form = form;
    fetch.n_form = n_form;
    send_fetch(link, &fetch);
}

struct fetched wait_fetched(int link)
{
    Ipc__Message *message = NULL;
    int fds[IPC_FDS_MAX];
    size_t n_fds = 0;
    struct fetched fetched = { 0 };
    int r = ipc_receive_now(link, FETCH_LIMIT_MS, &message, fds, &n_fds);
    if (r)
        fail_msg("nothing came back: %s", strerror(-r));
    assert_int_equal(message->body_case, IPC__MESSAGE__BODY_FETCHED);
    fetched.request = message->fetched->request;
    fetched.status = message->fetched->status;
    fetched.max_age_s = message->fetched->max_age_s;
    snprintf(fetched.error, sizeof fetched.error, "%s", message->fetched->error);
    snprintf(fetched.type, sizeof fetched.type, "%s", message->fetched->content_type);
    assert_int_equal(n_fds, fetched.status ? 1 : 0);
    if (n_fds) {
        assert_int_equal(fd_contents(fds[0], 1024 * 1024, &fetched.body, &fetched.n), 0);
        close(fds[0]);
    }
    assert_int_equal(fetched.status == 0, fetched.error[0] != 0);
    ipc_message_free(message);
    return fetched;
}

struct fetched fetch(const char *issuer, const char *url, const char *port)
{
    static uint32_t request;
    char text[URL_MAX];
    snprintf(text, sizeof text, "%.*s%u%s", (int)(strchr(url, '@') - url), url, courier_port(port),
             strchr(url, '@') + 1);
    ask(courier, ++request, issuer, text, 5000);
    struct fetched fetched = wait_fetched(courier);
    assert_int_equal(fetched.request, request);
    return fetched;
}

void fetched_free(struct fetched *fetched)
{
    free(STEAL(fetched->body));
}
