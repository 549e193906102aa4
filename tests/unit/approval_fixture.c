/* See approval_fixture.h. */
#include "approval_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "check.h"
#include "policy/ticket.h"
#include "replay/approval.h"

static char message_text[512];

const char *last_message(void)
{
    return message_text;
}

static char *lent(const char *text)
{
    return (char *)(uintptr_t)(text ? text : "");
}

int gate_of(struct bench *bench, uint64_t connection, const struct somebody *who)
{
    int gate = gate_new(bench, connection, NULL, NULL);
    char *roles[] = { lent(who->role), lent(who->second_role) }, *may[] = { lent(who->may) };
    Ipc__Identity identity = IPC__IDENTITY__INIT;
    Ipc__Claims claims = IPC__CLAIMS__INIT;
    Ipc__Ticket *ticket = NULL;
    identity.name = lent(who->name);
    identity.connection = connection;
    identity.source_address = (char[]){ "192.0.2.4" };
    identity.roles = roles;
    identity.n_roles = who->second_role ? 2 : 1;
    identity.may = may;
    identity.n_may = who->may ? 1 : 0;
    identity.hardware = who->hardware;
    identity.claims = &claims;
    claims.subject = lent(who->subject);
    claims.actor = lent(who->actor);
    assert_int_equal(ticket_issue(bench->ticket_key, &identity, &ticket), 0);
    Ipc__Introduce body = IPC__INTRODUCE__INIT;
    body.ticket = ticket;
    Ipc__Message message = IPC_MESSAGE(INTRODUCE, introduce, &body);
    gate_send(gate, &message);
    ipc__ticket__free_unpacked(ticket, NULL);
    return gate;
}

/* ---- asking ---- */

/* Borrows from asked. */
struct content {
    Ipc__ApprovalContent content;
    Ipc__ApprovalValue value, *values[1];
    char *effects[1];
};

static const char *or_else(const char *text, const char *otherwise)
{
    return text ? text : otherwise;
}

static void fill_content(const struct asked *asked, struct content *c)
{
    const char *statement = or_else(asked->statement, "DELETE FROM orders");
    ipc__approval_content__init(&c->content);
    ipc__approval_value__init(&c->value);
    c->content.statement = (ProtobufCBinaryData){ strlen(statement), (uint8_t *)lent(statement) };
    c->value.value =
        (ProtobufCBinaryData){ asked->value ? strlen(asked->value) : 0, (uint8_t *)lent(asked->value) };
    c->values[0] = &c->value;
    c->content.values = c->values;
    c->content.n_values = asked->value ? 1 : 0;
    c->effects[0] = lent("delete public.orders");
    c->content.effects = c->effects;
    c->content.n_effects = 1;
}

void digest_of(const struct somebody *who, const struct asked *asked, uint8_t ret[APPROVAL_DIGEST])
{
    struct content c;
    struct approval_subject subject = { "sql",
                                        who->name,
                                        or_else(who->actor, ""),
                                        or_else(asked->target, "orders"),
                                        "app",
                                        or_else(asked->policy, "p1") };
    fill_content(asked, &c);
    approval_digest(&subject, &c.content, ret);
}

static void send_question(int gate, const struct asked *asked, Ipc__Approve *approve)
{
    struct content c;
    CLEANUP(fd_close) int fd = -1;
    Ipc__AskApproval body = IPC__ASK_APPROVAL__INIT;
    fill_content(asked, &c);
    size_t n = ipc__approval_content__get_packed_size(&c.content);
    CLEANUP(free) uint8_t *bytes = malloc(n);
    assert_non_null(bytes);
    (void)ipc__approval_content__pack(&c.content, bytes);
    assert_int_equal(fd_of_bytes("content", bytes, n, &fd), 0);
    body.request = 9;
    body.target = lent(or_else(asked->target, "orders"));
    body.login = lent("app");
    body.kind = lent("sql");
    body.rule = lent(or_else(asked->rule, "destructive"));
    body.reason = lent("a second pair of eyes");
    body.policy = lent(or_else(asked->policy, "p1"));
    body.recording = lent(asked->recording);
    body.number = 3;
    body.approve = approve;
    Ipc__Message message = IPC_MESSAGE(ASK_APPROVAL, ask_approval, &body);
    assert_int_equal(ipc_send_now(gate, &message, &fd, 1, 2000), 0);
}

/* The answer of this kind; news that came before it are skipped. NULL: the gate was dropped. */
static Ipc__Message *answer_of(int gate, Ipc__Message__BodyCase body, int *ret_fd)
{
    for (;;) {
        int fd = -1;
        Ipc__Message *reply = gate_receive(gate, &fd);
        if (!reply || reply->body_case == body) {
            *ret_fd = fd;
            return reply;
        }
        assert_int_equal(reply->body_case, IPC__MESSAGE__BODY_APPROVAL_NEWS);
        fd_close(fd);
        ipc_message_free(reply);
    }
}

Ipc__Message *ask(int gate, const struct asked *asked)
{
    Ipc__Approve approve = IPC__APPROVE__INIT;
    Ipc__RoleGroup groups[2] = { IPC__ROLE_GROUP__INIT, IPC__ROLE_GROUP__INIT };
    Ipc__RoleGroup *list[] = { &groups[0], &groups[1] };
    char *roles[] = { lent(or_else(asked->by[0], "dba")), lent(asked->by[1]) };
    for (size_t i = 0; i < 2; i++) {
        groups[i].roles = &roles[i];
        groups[i].n_roles = 1;
    }
    approve.by = list;
    approve.n_by = asked->by[1] ? 2 : 1;
    approve.quorum = asked->quorum ? asked->quorum : 1;
    approve.wait_ms = asked->wait_ms ? asked->wait_ms : 600000;
    approve.mode = lent(or_else(asked->mode, "hold"));
    approve.for_ms = asked->for_ms;
    approve.touch = asked->touch;
    approve.must_sign = asked->must_sign;
    send_question(gate, asked, &approve);
    int fd = -1;
    Ipc__Message *reply = answer_of(gate, IPC__MESSAGE__BODY_ANSWER_APPROVAL, &fd);
    if (reply)
        assert_int_equal(reply->answer_approval->request, 9);
    return reply;
}

void ask_open(int gate, const struct asked *asked, char id[8])
{
    CLEANUP(ipc_message_free) Ipc__Message *reply = ask(gate, asked);
    assert_non_null(reply);
    if (reply->answer_approval->refusal)
        fail_msg("%s", reply->answer_approval->refusal->message);
    assert_int_equal(reply->answer_approval->state, IPC__APPROVAL_STATE__APPROVAL_OPEN);
    assert_int_equal(strlen(reply->answer_approval->id), APPROVAL_ID);
    strcpy(id, reply->answer_approval->id);
}

/* ---- what others say ---- */

static void keep_text(const Ipc__Refusal *refusal)
{
    (void)snprintf(message_text, sizeof message_text, "%s", refusal ? refusal->message : "");
}

void send_consume(int gate, const struct somebody *who, const struct asked *asked, const char *id)
{
    uint8_t digest[APPROVAL_DIGEST];
    Ipc__Consume body = IPC__CONSUME__INIT;
    digest_of(who, asked, digest);
    body.request = 11;
    body.id = lent(id);
    body.digest = (ProtobufCBinaryData){ sizeof digest, digest };
    Ipc__Message message = IPC_MESSAGE(CONSUME, consume, &body);
    gate_send(gate, &message);
}

const char *consume(int gate, const struct somebody *who, const struct asked *asked, const char *id)
{
    static char code[64];
    int fd = -1;
    send_consume(gate, who, asked, id);
    CLEANUP(ipc_message_free) Ipc__Message *reply = answer_of(gate, IPC__MESSAGE__BODY_ANSWER_CONSUME, &fd);
    assert_non_null(reply);
    assert_int_equal(reply->answer_consume->request, 11);
    keep_text(reply->answer_consume->refusal);
    (void)snprintf(code, sizeof code, "%s",
                   reply->answer_consume->refusal ? reply->answer_consume->refusal->code : "");
    return code;
}

void send_decision(int gate, const char *id, bool approve, const char *reason, uint64_t for_ms)
{
    Ipc__Decide body = IPC__DECIDE__INIT;
    body.request = 12;
    body.id = lent(id);
    body.approve = approve;
    body.reason = lent(reason);
    body.for_ms = for_ms;
    Ipc__Message message = IPC_MESSAGE(DECIDE, decide, &body);
    gate_send(gate, &message);
}

static const char *answer_to_decision(int gate)
{
    static char code[64];
    int fd = -1;
    CLEANUP(ipc_message_free) Ipc__Message *reply = answer_of(gate, IPC__MESSAGE__BODY_ANSWER_DECIDE, &fd);
    assert_non_null(reply);
    assert_int_equal(reply->answer_decide->request, 12);
    keep_text(reply->answer_decide->refusal);
    (void)snprintf(code, sizeof code, "%s",
                   reply->answer_decide->refusal ? reply->answer_decide->refusal->code
                                                 : approval_state_name(reply->answer_decide->state));
    return code;
}

const char *decide_signed(int gate, const char *id, bool approve, uint64_t for_ms, size_t n)
{
    uint8_t signature[64 * 1024];
    memset(signature, 'S', sizeof signature);
    assert_true(n <= sizeof signature);
    Ipc__Decide body = IPC__DECIDE__INIT;
    body.request = 12;
    body.id = lent(id);
    body.approve = approve;
    body.for_ms = for_ms;
    body.signature = (ProtobufCBinaryData){ n, signature };
    Ipc__Message message = IPC_MESSAGE(DECIDE, decide, &body);
    gate_send(gate, &message);
    return answer_to_decision(gate);
}

const char *decide(int gate, const char *id, bool approve, const char *reason, uint64_t for_ms)
{
    send_decision(gate, id, approve, reason, for_ms);
    return answer_to_decision(gate);
}

void expect_news(int gate, const char *id, Ipc__ApprovalState state)
{
    for (;;) {
        int fd = -1;
        CLEANUP(ipc_message_free) Ipc__Message *news = gate_receive(gate, &fd);
        fd_close(fd);
        assert_non_null(news);
        assert_int_equal(news->body_case, IPC__MESSAGE__BODY_APPROVAL_NEWS);
        if (strcmp(news->approval_news->id, id) == 0 && news->approval_news->state == state)
            return;
    }
}

void withdraw(int gate, const char *id)
{
    Ipc__Withdraw body = IPC__WITHDRAW__INIT;
    body.id = lent(id);
    body.why = lent("cancelled");
    Ipc__Message message = IPC_MESSAGE(WITHDRAW, withdraw, &body);
    gate_send(gate, &message);
}

void follow(int gate)
{
    Ipc__FollowApprovals body = IPC__FOLLOW_APPROVALS__INIT;
    body.on = true;
    Ipc__Message message = IPC_MESSAGE(FOLLOW_APPROVALS, follow_approvals, &body);
    gate_send(gate, &message);
}

char *list_of(int gate, const char *form, const char *id, bool closed, bool grants)
{
    CLEANUP(fd_close) int fd = -1;
    uint8_t *bytes = NULL;
    size_t n = 0;
    Ipc__AskApprovals body = IPC__ASK_APPROVALS__INIT;
    body.form = lent(form);
    body.id = lent(id);
    body.closed = closed;
    body.grants = grants;
    Ipc__Message message = IPC_MESSAGE(ASK_APPROVALS, ask_approvals, &body);
    gate_send(gate, &message);
    CLEANUP(ipc_message_free) Ipc__Message *reply = answer_of(gate, IPC__MESSAGE__BODY_ANSWER_APPROVALS, &fd);
    assert_non_null(reply);
    assert_null(reply->answer_approvals->refusal);
    assert_int_equal(fd_contents(fd, 64 << 20, &bytes, &n), 0);
    return (char *)bytes;
}

const char *revoke_grant(int gate, const char *id)
{
    static char code[64];
    int fd = -1;
    Ipc__RevokeGrant body = IPC__REVOKE_GRANT__INIT;
    body.id = lent(id);
    body.reason = lent("enough");
    Ipc__Message message = IPC_MESSAGE(REVOKE_GRANT, revoke_grant, &body);
    gate_send(gate, &message);
    CLEANUP(ipc_message_free)
    Ipc__Message *reply = answer_of(gate, IPC__MESSAGE__BODY_ANSWER_REVOKE_GRANT, &fd);
    assert_non_null(reply);
    (void)snprintf(code, sizeof code, "%s",
                   reply->answer_revoke_grant->refusal ? reply->answer_revoke_grant->refusal->code : "");
    return code;
}

/* ---- the audit chain ---- */

size_t chain_count(const struct bench *bench, const char *text)
{
    char path[256];
    size_t n, found = 0;
    (void)snprintf(path, sizeof path, "%s/audit/chain.ghaud", bench->house.state);
    CLEANUP(free) uint8_t *chain = slurp(path, &n);
    for (uint8_t *at = chain; (at = memmem(at, n - (size_t)(at - chain), text, strlen(text))); at++)
        found++;
    return found;
}

bool chain_has(const struct bench *bench, const char *text)
{
    return chain_count(bench, text) > 0;
}
