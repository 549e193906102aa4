/* gatehouse-courier: the only process besides connectors that has a network, and it has nothing else: no
 * secret, no policy, no client's bytes. For the issuer it fetches documents over HTTPS, from the hosts that
 * its own configuration names for an issuer (courier_place.c), and hands over what came, unread. For the
 * ledger it posts documents to the webhooks of its own configuration, and tells what status came back.
 *
 * Landlock leaves it the files that name resolution and TLS read; its seccomp list has sockets of the
 * Internet families, and threads for libcurl's resolver, but no fork. */
#include "server/courier.h"

#include <errno.h>
#include <libgen.h>
#include <malloc.h>
#include <netdb.h>
#include <nss.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/io.h"
#include "base/log.h"
#include "base/start.h"
#include "base/text.h"
#include "server/courier_place.h"
#include "server/courier_post.h"
#include "server/courier_web.h"

enum { EXIT_SOFTWARE = 70 };

struct errand;

struct courier {
    struct loop *loop;
    struct ipc_peer *control;
    Ipc__Config *config;
    struct web *web;
    struct client *clients; /* list */
    size_t n_clients;
};

/* A service that asks. */
struct client {
    struct courier *courier;
    struct client *next;
    struct ipc_peer *peer;
    char name[16];
    struct errand *errands; /* list */
};

/* One Fetch or Post under way. */
struct errand {
    struct client *client;
    struct errand *next;
    struct transfer *transfer;
    uint32_t request;
};

static void catch_up(struct courier *courier);

/* ---- errands ---- */

static void errand_free(struct errand *errand)
{
    struct errand **slot = &errand->client->errands;
    while (*slot && *slot != errand)
        slot = &(*slot)->next;
    if (*slot)
        *slot = errand->next;
    free(errand);
}

static void answer(struct client *client, uint32_t request, const struct web_answer *came)
{
    Ipc__Fetched fetched = IPC__FETCHED__INIT;
    Ipc__Message message = IPC_MESSAGE(FETCHED, fetched, &fetched);
    CLEANUP(fd_close) int body = -1;
    fetched.request = request;
    fetched.status = came->status;
    fetched.error = (char *)(uintptr_t)came->error;
    fetched.max_age_s = came->max_age_s;
    fetched.content_type = (char *)(uintptr_t)(came->content_type ? came->content_type : "");
    if (came->status && fd_of_bytes("fetched", came->body, came->n, &body)) {
        fetched.status = 0;
        fetched.error = (char *)(uintptr_t) "the courier is out of memory";
    }
    (void)!ipc_peer_send(client->peer, &message, &body, fetched.status ? 1 : 0);
}

static void fetch_done(void *owner, const struct web_answer *came)
{
    struct errand *errand = owner;
    log_event(LOG_DEBUG, "fetched", "request", U64(errand->request), "status", U64(came->status), "bytes",
              U64(came->n), "error", came->error[0] ? came->error : NULL, NULL);
    answer(errand->client, errand->request, came);
    errand_free(errand);
}

/* Takes over request->place and request->headers. */
static int errand_start(struct client *client, uint32_t number, struct web_request *request,
                        web_handler *handler, struct detail *detail)
{
    struct errand *errand = calloc(1, sizeof *errand);
    if (!errand) {
        curl_url_cleanup(request->place);
        curl_slist_free_all(request->headers);
        return -ENOMEM;
    }
    *errand = (struct errand){ .client = client, .next = client->errands, .request = number };
    int r = web_start(client->courier->web, request, handler, errand, &errand->transfer);
    if (r) {
        free(errand);
        return r == -EBUSY   ? detail_fail(detail, r, "too many transfers at a time")
               : r == -E2BIG ? detail_fail(detail, r, "it is more than can be posted")
                             : r;
    }
    client->errands = errand;
    return 0;
}

static int fetch_start(struct client *client, const Ipc__Fetch *fetch, struct detail *detail)
{
    const Ipc__Issuer *issuer = place_issuer(client->courier->config, fetch->issuer);
    struct web_request request = { .form = fetch->form,
                                   .n_form = fetch->n_form,
                                   .timeout_ms = fetch->timeout_ms };
    if (!issuer)
        return detail_fail(detail, -ENOENT, "the courier's configuration has no such issuer");
    int r = place_judge(issuer, fetch->url, &request.place, detail);
    if (r)
        return r;
    request.party = issuer->name;
    request.trust = issuer->tls_ca_pem;
    return errand_start(client, fetch->request, &request, fetch_done, detail);
}

static int on_fetch(void *owner, const Ipc__Message *message, int *fds, size_t n_fds)
{
    struct client *client = owner;
    struct detail detail = { "" };
    catch_up(client->courier);
    int r = fetch_start(client, message->fetch, &detail);
    (void)fds;
    (void)n_fds;
    if (r == 0)
        return 0;
    if (!detail.text[0])
        detail_set(&detail, "%s", strerror(-r));
    log_event(LOG_WARNING, "fetch_refused", "issuer", message->fetch->issuer, "detail", detail.text, NULL);
    answer(client, message->fetch->request, &(struct web_answer){ .error = detail.text });
    return 0;
}

/* ---- posts ---- */

static void answer_post(struct client *client, uint32_t request, uint32_t status, const char *error)
{
    Ipc__Posted posted = IPC__POSTED__INIT;
    Ipc__Message message = IPC_MESSAGE(POSTED, posted, &posted);
    posted.request = request;
    posted.status = status;
    posted.error = (char *)(uintptr_t)error;
    (void)!ipc_peer_send(client->peer, &message, NULL, 0);
}

static void post_done(void *owner, const struct web_answer *came)
{
    struct errand *errand = owner;
    log_event(LOG_DEBUG, "posted", "request", U64(errand->request), "status", U64(came->status), "error",
              came->error[0] ? came->error : NULL, NULL);
    answer_post(errand->client, errand->request, came->status, came->error);
    errand_free(errand);
}

static int post_start(struct client *client, const Ipc__Post *post, struct detail *detail)
{
    const Ipc__Notify *webhook = NULL;
    struct web_request request = { .post = true, .document = post->body, .timeout_ms = post->timeout_ms };
    int r = place_webhook(client->courier->config, post->url, &webhook, &request.place, detail);
    if (r)
        return r;
    r = post_headers(post->headers, post->n_headers, &request.headers, detail);
    if (r) {
        curl_url_cleanup(request.place);
        return r;
    }
    request.party = webhook->webhook;
    request.trust = webhook->tls_ca_pem;
    return errand_start(client, post->request, &request, post_done, detail);
}

static int on_post(void *owner, const Ipc__Message *message, int *fds, size_t n_fds)
{
    struct client *client = owner;
    struct detail detail = { "" };
    (void)fds, (void)n_fds;
    catch_up(client->courier);
    int r = post_start(client, message->post, &detail);
    if (r == 0)
        return 0;
    if (!detail.text[0])
        detail_set(&detail, "%s", strerror(-r));
    log_event(LOG_WARNING, "post_refused", "detail", detail.text, NULL);
    answer_post(client, message->post->request, 0, detail.text);
    return 0;
}

/* ---- services ---- */

/* What each of them may ask for. */
static const struct ipc_rule issuer_rules[] = {
    { .body = IPC__MESSAGE__BODY_FETCH, .states = 1, .handle = on_fetch },
};
static const struct ipc_rule ledger_rules[] = {
    { .body = IPC__MESSAGE__BODY_POST, .states = 1, .handle = on_post },
};

static const struct ipc_rule *rules_for(const char *name)
{
    if (strcmp(name, process_name(PROCESS_ISSUER)) == 0)
        return issuer_rules;
    return strcmp(name, process_name(PROCESS_LEDGER)) == 0 ? ledger_rules : NULL;
}

static void client_free(struct client *client)
{
    struct client **slot = &client->courier->clients;
    while (*slot && *slot != client)
        slot = &(*slot)->next;
    if (*slot) {
        *slot = client->next;
        client->courier->n_clients--;
    }
    while (client->errands) {
        web_cancel(client->errands->transfer);
        errand_free(client->errands);
    }
    ipc_peer_free(client->peer);
    free(client);
}

static void client_gone(void *owner, const char *reason)
{
    struct client *client = owner;
    log_event(LOG_DEBUG, "link_gone", "process", client->name, "reason", reason, NULL);
    client_free(client);
}

static int client_new(struct courier *courier, const char *name, const struct ipc_rule *rules, int fd)
{
    struct client *client = courier->n_clients < COURIER_CLIENTS_MAX ? calloc(1, sizeof *client) : NULL;
    if (!client) {
        fd_close(fd);
        return -ENOMEM;
    }
    client->courier = courier;
    (void)snprintf(client->name, sizeof client->name, "%s", name);
    int r = ipc_peer_new(courier->loop, fd, client->name, rules, 1, client_gone, client, &client->peer);
    if (r) {
        client_free(client);
        return r;
    }
    client->next = courier->clients;
    courier->clients = client;
    courier->n_clients++;
    return 0;
}

/* ---- the listener ---- */

static int on_link(void *owner, const Ipc__Message *message, int *fds, size_t n_fds)
{
    const char *name = message->link->process;
    const struct ipc_rule *rules = rules_for(name);
    (void)n_fds;
    int r = rules ? client_new(owner, name, rules, STEAL_FD(fds[0])) : -EPERM;
    if (r)
        log_event(LOG_ERROR, "link_refused", "process", name, "detail", strerror(-r), NULL);
    return 0;
}

static int take_config(struct courier *courier, int fd)
{
    Ipc__Config *config = NULL;
    int r = process_config(fd, &config);
    if (r)
        return r;
    if (courier->config)
        ipc__config__free_unpacked(courier->config, NULL);
    courier->config = config;
    return 0;
}

static int on_reload(void *owner, const Ipc__Message *message, int *fds, size_t n_fds)
{
    int r = take_config(owner, fds[0]);
    (void)message;
    (void)n_fds;
    if (r)
        log_event(LOG_ERROR, "reload_failed", "detail", strerror(-r), NULL);
    return 0;
}

static const struct ipc_rule control_rules[] = {
    { .body = IPC__MESSAGE__BODY_LINK, .states = 1, .fds_min = 1, .fds_max = 1, .handle = on_link },
    { .body = IPC__MESSAGE__BODY_RELOAD, .states = 1, .fds_min = 1, .fds_max = 1, .handle = on_reload },
};

static void control_gone(void *owner, const char *reason)
{
    struct courier *courier = owner;
    log_event(LOG_DEBUG, "control_gone", "reason", reason, NULL);
    loop_stop(courier->loop, 0);
}

/* A service that got a new configuration asks by it, over another socket than the one by which ours comes: so
 * what the listener has sent by now is looked at before a request is judged. */
static void catch_up(struct courier *courier)
{
    Ipc__Message *message = NULL;
    int fds[IPC_FDS_MAX];
    size_t n_fds = 0;
    while (ipc_receive_now(CONTROL_FD, 0, &message, fds, &n_fds) == 0) {
        if (message->body_case == IPC__MESSAGE__BODY_RELOAD && n_fds == 1)
            (void)on_reload(courier, message, fds, n_fds);
        else if (message->body_case == IPC__MESSAGE__BODY_LINK && n_fds == 1)
            (void)on_link(courier, message, fds, n_fds);
        else
            loop_stop(courier->loop, EXIT_SOFTWARE);
        for (size_t i = 0; i < n_fds; i++)
            fd_close(fds[i]);
        ipc_message_free(STEAL(message));
    }
}

static int send_ready(struct courier *courier)
{
    Ipc__Ready ready = IPC__READY__INIT;
    Ipc__Message message = IPC_MESSAGE(READY, ready, &ready);
    return ipc_peer_send(courier->control, &message, NULL, 0);
}

/* ---- the start ---- */

/* Names come from files and DNS, both inside libc: modules that /etc/nsswitch.conf may name can't be loaded
 * inside the jail. The resolver's threads share one arena, so that malloc has no need to count processors. */
static void warm_up(void)
{
    struct addrinfo *found = NULL;
    const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
    (void)mallopt(M_ARENA_MAX, 1);
    (void)__nss_configure_lookup("hosts", "files dns");
    if (getaddrinfo("localhost", "443", &hints, &found) == 0)
        freeaddrinfo(found);
}

/* Editors, DHCP clients and updates of packages replace these files, so their directories are named. */
static int enter_jail(const struct web *web, struct detail *detail)
{
    char ca[512];
    (void)snprintf(ca, sizeof ca, "%s", web_ca_file(web) ? web_ca_file(web) : "/etc/ssl/certs");
    const struct jail_path paths[] = {
        { "/etc", false },
        { "/run/systemd/resolve", false },
        { "/run/NetworkManager", false },
        { "/run/resolvconf", false },
        { dirname(ca), false },
    };
    bool landlock = false;
    int r = jail_enter(PROCESS_COURIER, paths, sizeof paths / sizeof paths[0], &landlock, detail);
    if (r == 0 && !landlock)
        log_event(LOG_WARNING, "no_landlock", NULL);
    return r;
}

static int set_up(struct courier *courier, int config, struct detail *detail)
{
    int r = take_config(courier, config);
    if (r)
        return detail_fail(detail, r, "the configuration can't be read: %s", strerror(-r));
    r = loop_new(&courier->loop);
    if (r == 0)
        r = web_new(courier->loop, &courier->web, detail);
    if (r == 0) {
        warm_up();
        r = enter_jail(courier->web, detail);
    }
    return r;
}

static int serve(struct courier *courier)
{
    int r = ipc_peer_new(courier->loop, CONTROL_FD, "listener", control_rules,
                         sizeof control_rules / sizeof control_rules[0], control_gone, courier,
                         &courier->control);
    if (r == 0)
        r = send_ready(courier);
    return r ? r : loop_run(courier->loop);
}

static void courier_end(struct courier *courier)
{
    while (courier->clients)
        client_free(courier->clients);
    web_free(courier->web);
    ipc_peer_free(courier->control);
    loop_free(courier->loop);
    if (courier->config)
        ipc__config__free_unpacked(courier->config, NULL);
}

/* Ctrl-C in the terminal of `gatehouse serve` is the listener's to handle. */
static void ignore_terminal_signals(void)
{
    static const int ignored[] = { SIGINT, SIGQUIT, SIGHUP, SIGTSTP, SIGTERM };
    for (size_t i = 0; i < sizeof ignored / sizeof ignored[0]; i++)
        (void)signal(ignored[i], SIG_IGN);
}

int main(void)
{
    CLEANUP(ipc_message_free) Ipc__Message *start = NULL;
    int fds[IPC_FDS_MAX];
    if (process_begin(PROCESS_COURIER, &start, fds))
        return 78;
    ignore_terminal_signals();
    struct courier courier = { 0 };
    struct detail detail = { "" };
    int r = set_up(&courier, fds[0], &detail);
    for (size_t i = 0; i < IPC_FDS_MAX; i++)
        fd_close(fds[i]);
    if (r == 0)
        r = serve(&courier);
    courier_end(&courier);
    if (r < 0)
        log_event(LOG_ERROR, "courier_failed", "detail", detail.text[0] ? detail.text : strerror(-r), NULL);
    return r < 0 ? EXIT_SOFTWARE : r;
}
