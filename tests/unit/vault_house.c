/* See vault_house.h. */
#include "vault_house.h"
#include "check.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/io.h"
#include "keygen.h"
#include "policy/ticket.h"
#include "vault/admin.h"

enum { ANSWER_MS = 30000 };

static const uint8_t ticket_key[TICKET_KEY] = "a key for tickets of thirty two.";

void vault_house_prepare(struct vault_house *house)
{
    keygen_directory(house->state);
    assert_int_equal(chmod(house->state, 0711), 0);
    snprintf(house->log, sizeof house->log, "%s/processes.log", house->state);
    keygen_key(house->state, "user-ca", "ed25519", NULL);
    keygen_key(house->state, "user", "ed25519", NULL);
    assert_int_equal(vault_admin_init(house->state, NULL), 0);
}

void vault_house_start(struct vault_house *house, int connector_config, int vault_config)
{
    Ipc__Start start = IPC__START__INIT;
    int fds[2] = { connector_config };

    house->zygote = process_start(CONNECTOR, &start, fds, 1, house->log);
    start.state = house->state;
    start.ticket_key.data = (uint8_t *)(uintptr_t)ticket_key;
    start.ticket_key.len = TICKET_KEY;
    fds[0] = vault_config;
    fds[1] = process_control(&house->zygote);
    house->vault = process_start(VAULT, &start, fds, 2, house->log);
    ipc_message_free(expect(house->vault.control, IPC__MESSAGE__BODY_READY, ANSWER_MS, NULL));
    vault_house_link_ledger(house);
}

void vault_house_stop(struct vault_house *house)
{
    assert_int_equal(process_end(&house->vault), 0);
    assert_int_equal(process_end(&house->zygote), 0);
    close(house->ledger);
    keygen_remove(house->state);
}

int vault_house_config(const struct vault_house *house, Ipc__Target **targets, size_t n)
{
    char *star[] = { (char *)"*" }, *agent_list[] = { (char *)"agent" };
    Ipc__Role agent = IPC__ROLE__INIT, *roles[] = { &agent };
    Ipc__Rule rule = IPC__RULE__INIT, *rules[] = { &rule };
    Ipc__Config config = IPC__CONFIG__INIT;
    Ipc__Ca ca = IPC__CA__INIT;
    int fd = -1;

    agent.name = (char *)"agent";
    rule.name = (char *)"rule";
    rule.action = (char *)"allow";
    rule.roles = agent_list;
    rule.targets = star;
    rule.n_roles = rule.n_targets = 1;
    ca.blob.data = keygen_blob(house->state, "user-ca.pub", &ca.blob.len);
    config.user_ca_public = &ca;
    config.roles = roles;
    config.n_roles = config.n_rules = 1;
    config.targets = targets;
    config.n_targets = n;
    config.rules = rules;
    size_t size = ipc__config__get_packed_size(&config);
    CLEANUP(free) uint8_t *bytes = malloc(size);
    ipc__config__pack(&config, bytes);
    assert_int_equal(fd_of_bytes("config", bytes, size, &fd), 0);
    free(ca.blob.data);
    return fd;
}

int vault_house_set(const struct vault_house *house, const char *name, const char *type, const void *value,
                    size_t n, struct detail *detail)
{
    CLEANUP(fd_close) int fd = -1;

    assert_int_equal(fd_of_bytes("stdin", value, n, &fd), 0);
    return vault_admin_set(house->state, name, type, fd, detail);
}

void vault_house_link_ledger(struct vault_house *house)
{
    Ipc__Link link = IPC__LINK__INIT;
    Ipc__Message message = IPC_MESSAGE(LINK, link, &link);
    int pair[2];

    link.process = (char *)"ledger";
    assert_int_equal(fd_pair(SOCK_SEQPACKET, pair), 0);
    assert_int_equal(ipc_send_now(house->vault.control, &message, &pair[1], 1, ANSWER_MS), 0);
    close(pair[1]);
    house->ledger = pair[0];
}

int vault_house_gate(const struct vault_house *house)
{
    static uint64_t connections;
    Ipc__Peer peer = IPC__PEER__INIT;
    Ipc__Message message = IPC_MESSAGE(PEER, peer, &peer);
    Ipc__Present body = IPC__PRESENT__INIT;
    Ipc__Message presented = IPC_MESSAGE(PRESENT, present, &body);
    const char *const options[] = { "-I", "corp/anna", "-n", "agent", NULL };
    int pair[2];

    assert_int_equal(fd_pair(SOCK_SEQPACKET, pair), 0);
    peer.connection = ++connections;
    peer.source_address = (char *)"192.0.2.7";
    assert_int_equal(ipc_send_now(house->vault.control, &message, &pair[1], 1, ANSWER_MS), 0);
    close(pair[1]);
    body.certificate.data = keygen_certify(house->state, "user", "user-ca", options, &body.certificate.len);
    assert_int_equal(ipc_send_now(pair[0], &presented, NULL, 0, ANSWER_MS), 0);
    free(body.certificate.data);
    Ipc__Message *answer = expect(pair[0], IPC__MESSAGE__BODY_VOUCHED, ANSWER_MS, NULL);
    assert_non_null(answer->vouched->ticket);
    ipc_message_free(answer);
    return pair[0];
}

/* ---- the log ---- */

size_t vault_house_log_count(const struct vault_house *house, const char *text)
{
    CLEANUP(free) char *log = keygen_read(house->state, "processes.log", NULL);
    size_t count = 0;

    for (const char *at = log; (at = strstr(at, text)); at += strlen(text))
        count++;
    return count;
}

void vault_house_expect_log_times(const struct vault_house *house, const char *text, size_t times)
{
    for (uint64_t until = clock_ms() + ANSWER_MS; clock_ms() < until; usleep(20 * 1000))
        if (vault_house_log_count(house, text) >= times)
            return;
    fail_msg("the log has no \"%s\"", text);
}

void vault_house_expect_log(const struct vault_house *house, const char *text)
{
    vault_house_expect_log_times(house, text, 1);
}
