/* See provider_fixture.h. */
#include "provider_fixture.h"
#include "check.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/io.h"

enum { SETTINGS_MAX = 4, ROUNDS = 20 };

struct loop *loop;
struct fetcher *fetcher;
struct providers *providers;
char last_form[4096];
uint32_t last_timeout_ms;
static int courier = -1;

/* ---- the clock (linked with --wrap=clock_ms) ---- */

static uint64_t skew_ms;

uint64_t __real_clock_ms(void);
uint64_t __wrap_clock_ms(void);

uint64_t __wrap_clock_ms(void)
{
    return __real_clock_ms() + skew_ms;
}

void settle(void)
{
    for (int i = 0; i < ROUNDS; i++)
        assert_int_equal(loop_round(loop, 0), 0);
}

void pass_ms(uint64_t ms)
{
    skew_ms += ms;
    settle();
}

/* ---- the configuration ---- */

int try_to_take(const struct setting *settings, size_t n, struct detail *detail)
{
    Ipc__Config config = IPC__CONFIG__INIT;
    Ipc__Issuer issuers[SETTINGS_MAX], *pointers[SETTINGS_MAX];
    char *scopes[SETTINGS_MAX];
    assert_true(n <= SETTINGS_MAX);
    for (size_t i = 0; i < n; i++) {
        ipc__issuer__init(&issuers[i]);
        issuers[i].name = (char *)(uintptr_t)settings[i].name;
        issuers[i].issuer = (char *)(uintptr_t)settings[i].issuer;
        if (settings[i].client_id)
            issuers[i].client_id = (char *)(uintptr_t)settings[i].client_id;
        if (settings[i].jwks)
            issuers[i].jwks = (char *)(uintptr_t)settings[i].jwks;
        scopes[i] = (char *)(uintptr_t)settings[i].scope;
        issuers[i].scopes = &scopes[i];
        issuers[i].n_scopes = scopes[i] ? 1 : 0;
        pointers[i] = &issuers[i];
    }
    config.issuers = pointers;
    config.n_issuers = n;
    return providers_take(providers, &config, detail);
}

void take(const struct setting *settings, size_t n)
{
    struct detail detail = { "" };
    if (try_to_take(settings, n, &detail))
        fail_msg("not taken: %s", detail.text);
}

/* ---- the courier ---- */

void link_courier(void)
{
    int pair[2];
    fd_close(STEAL_FD(courier));
    assert_int_equal(fd_pair(SOCK_SEQPACKET, pair), 0);
    courier = pair[1];
    assert_int_equal(fetcher_link(fetcher, pair[0]), 0);
}

void lose_courier(void)
{
    fd_close(STEAL_FD(courier));
    settle();
}

static void keep_form(const Ipc__Fetch *fetch)
{
    size_t at = 0;
    last_form[0] = 0;
    for (size_t i = 0; i < fetch->n_form; i++) {
        at += (size_t)snprintf(last_form + at, sizeof last_form - at, "%s=%s\n", fetch->form[i]->name,
                               fetch->form[i]->value);
        assert_true(at < sizeof last_form);
    }
}

uint32_t expect_fetch(const char *url)
{
    Ipc__Message *message = NULL;
    int fds[IPC_FDS_MAX];
    size_t n = 0;
    if (ipc_receive_now(courier, 0, &message, fds, &n))
        fail_msg("nothing was fetched instead of %s", url);
    assert_int_equal(message->body_case, IPC__MESSAGE__BODY_FETCH);
    assert_int_equal(n, 0);
    assert_string_equal(message->fetch->url, url);
    assert_string_equal(message->fetch->issuer, "corp");
    uint32_t request = message->fetch->request;
    last_timeout_ms = message->fetch->timeout_ms;
    keep_form(message->fetch);
    ipc_message_free(message);
    return request;
}

void expect_no_fetch(void)
{
    Ipc__Message *message = NULL;
    int fds[IPC_FDS_MAX];
    size_t n = 0;
    int r = ipc_receive_now(courier, 0, &message, fds, &n);
    if (r == 0)
        fail_msg("%s was fetched", message->fetch ? message->fetch->url : "something");
    assert_int_equal(r, -ETIMEDOUT);
}

static void send_fetched(Ipc__Fetched *fetched, int fd)
{
    Ipc__Message message = IPC_MESSAGE(FETCHED, fetched, fetched);
    assert_int_equal(ipc_send_now(courier, &message, &fd, fd >= 0 ? 1 : 0, 1000), 0);
    fd_close(fd);
    settle();
}

void answer_fetch(uint32_t request, uint32_t status, const char *body, uint64_t max_age_s)
{
    Ipc__Fetched fetched = IPC__FETCHED__INIT;
    int fd = -1;
    fetched.request = request;
    fetched.status = status;
    fetched.max_age_s = max_age_s;
    if (body)
        assert_int_equal(fd_of_bytes("body", body, strlen(body), &fd), 0);
    send_fetched(&fetched, fd);
}

void fail_fetch(uint32_t request, const char *error)
{
    Ipc__Fetched fetched = IPC__FETCHED__INIT;
    fetched.request = request;
    fetched.error = (char *)(uintptr_t)error;
    send_fetched(&fetched, -1);
}

void serve_keys(uint64_t max_age_s)
{
    answer_fetch(expect_fetch(CORP_WELL), 200, DISCOVERY, max_age_s);
    answer_fetch(expect_fetch(CORP_JWKS), 200, JWKS, max_age_s);
}

/* ---- life ---- */

int fixture_start(void **state)
{
    static const struct setting corp = { "corp", CORP, "gatehouse-cli", NULL, NULL };
    (void)state;
    assert_int_equal(loop_new(&loop), 0);
    assert_int_equal(fetcher_new(loop, &fetcher), 0);
    assert_int_equal(providers_new(loop, fetcher, &providers), 0);
    take(&corp, 1);
    link_courier();
    return 0;
}

int fixture_stop(void **state)
{
    (void)state;
    providers_free(providers);
    fetcher_free(fetcher);
    fd_close(STEAL_FD(courier));
    loop_free(loop);
    return 0;
}
