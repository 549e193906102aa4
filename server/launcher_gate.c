/* What a gate says: who it works for (once, first), then which tools to run and which signals to pass on.
 *
 * The launcher decides by itself what a tool may be told, since a gate reads what agents send: the arguments
 * of psql and kubectl are checked, their environment is ours. It does not look at the policy: a tool reaches
 * nothing but this very gate, which asks the vault, which decides. */
#include "server/launcher_gate.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "base/io.h"
#include "base/log.h"
#include "base/text.h"
#include "server/launcher_command.h"
#include "server/launcher_kubectl.h"
#include "server/launcher_psql.h"
#include "server/launcher_tell.h"
#include "server/launcher_tool.h"

enum gate_state { GATE_NEW = 1, GATE_INTRODUCED = 2 };

enum {
    NAME_MAX_BYTES = 128, /* of a target */
    KUBECONFIG_MAX = 2048,
};

struct gate {
    struct launcher *launcher;
    struct gate *next;
    struct ipc_peer *peer;
    uint64_t connection;
    char *source_address;
    Ipc__Identity *identity; /* NULL until introduced */
};

static void gate_free(struct gate *gate)
{
    if (!gate)
        return;
    if (gate->peer)
        tool_abandon_all(gate->launcher, gate->peer);
    if (gate->launcher->scratch[0])
        scratch_remove(gate->launcher->scratch, gate->connection);
    ipc_peer_free(gate->peer);
    if (gate->identity)
        ipc__identity__free_unpacked(gate->identity, NULL);
    free(gate->source_address);
    free(gate);
}
DEFINE_CLEANUP(struct gate *, gate_free)

static void gate_unlink(struct gate *gate)
{
    struct gate **at = &gate->launcher->gates;
    while (*at != gate)
        at = &(*at)->next;
    *at = gate->next;
    gate->launcher->n_gates--;
}

static void gate_gone(void *owner, const char *reason)
{
    struct gate *gate = owner;
    log_event(LOG_DEBUG, "gate_gone", "connection", U64(gate->connection), "reason", reason, NULL);
    gate_unlink(gate);
    gate_free(gate);
}

/* ---- what it says ---- */

static int introduce(void *owner, const Ipc__Message *message, int *fds, size_t n_fds)
{
    (void)fds;
    (void)n_fds;
    struct gate *gate = owner;
    Ipc__Identity *identity = NULL;
    if (!message->introduce->ticket)
        return -EBADMSG;
    int r = ticket_check(gate->launcher->ticket_key, message->introduce->ticket, &identity);
    if (r)
        return r;
    /* A ticket is for one connection: another gate's must not serve. */
    bool same = identity->connection == gate->connection &&
                strcmp(identity->source_address, gate->source_address) == 0;
    if (!same) {
        ipc__identity__free_unpacked(identity, NULL);
        return -EACCES;
    }
    gate->identity = identity;
    ipc_peer_state(gate->peer, GATE_INTRODUCED);
    return 0;
}

/* A refusal is an answer: the gate goes on. */
static int answer_refused(struct gate *gate, uint32_t request, const char *code, const char *why)
{
    tell_refused(gate->peer, request, code, why);
    return 0;
}

/* What psql shows as the user: the identity, as far as it is fit for a prompt. */
static void shown_user(const struct gate *gate, char out[PSQL_USER_MAX + 1])
{
    const char *name = gate->identity->name;
    text_escape(out, PSQL_USER_MAX + 1, name, strlen(name), false);
    if (!out[0])
        strcpy(out, "gatehouse");
}

/* Targets are named by the configuration; this is only to keep nonsense out of an environment. */
static bool is_name(const char *name)
{
    size_t n = strlen(name);
    return n > 0 && n <= NAME_MAX_BYTES && text_is_utf8(name, n) && !strpbrk(name, "=/ \t\r\n'\\");
}

static int psql_command(struct gate *gate, const Ipc__AskRun *ask, struct command *command,
                        struct detail *detail)
{
    char user[PSQL_USER_MAX + 1];
    shown_user(gate, user);
    if (!is_name(ask->target))
        return detail_fail(detail, COMMAND_USAGE, "psql: which target?");
    int r = psql_arguments(sandbox_program(gate->launcher->psql.sandbox), ask->arguments, ask->n_arguments,
                           command, detail);
    return r ? r
             : psql_environment(ask->target, user, ask->pty ? ask->pty->term : NULL, ask->environment,
                                ask->n_environment, command);
}

/* The player's words come from the gate's own parser of `replay`; it has nothing but the recording. */
static int player_command(struct gate *gate, const Ipc__AskRun *ask, struct command *command,
                          struct detail *detail)
{
    int r = command_argument(command, sandbox_program(gate->launcher->player.sandbox));
    for (size_t i = 0; i < ask->n_arguments && r == 0; i++)
        r = command_argument(command, ask->arguments[i]);
    if (r == -E2BIG)
        return detail_fail(detail, COMMAND_USAGE, "replay: more arguments than are taken");
    return r ? r : psql_environment("replay", "replay", ask->pty ? ask->pty->term : NULL, NULL, 0, command);
}

/* kubectl has a directory of its own for its configuration and for what it remembers of the server. */
static int kubectl_command(struct gate *gate, const Ipc__AskRun *ask, const char *scratch,
                           struct command *command, struct detail *detail)
{
    char config[KUBECONFIG_MAX];
    int r = kubectl_arguments(sandbox_program(gate->launcher->kubectl.sandbox), ask->arguments,
                              ask->n_arguments, command, detail);
    if (r)
        return r;
    if (command->forwards && ask->pty)
        return detail_fail(
            detail, COMMAND_USAGE,
            "kubectl: port-forward is standard input and output as they are, which a terminal would "
            "change: ssh without -t");
    r = kubectl_config(ask->target, config, sizeof config);
    if (r == 0)
        r = scratch_write(scratch, "config", config);
    return r ? r
             : kubectl_environment(scratch, ask->pty ? ask->pty->term : NULL, ask->environment,
                                   ask->n_environment, command);
}

/* What is run, and with what. */
struct plan {
    const char *name;
    const struct program *program;
    unsigned sockets_per_second;
    char scratch[SCRATCH_PATH_MAX]; /* or "" */
};

static int plan_of(struct gate *gate, const Ipc__AskRun *ask, struct plan *plan)
{
    struct launcher *launcher = gate->launcher;
    *plan = (struct plan){ .sockets_per_second = LAUNCHER_SOCKETS_PER_SECOND };
    switch (ask->tool) {
    case IPC__TOOL__TOOL_PSQL:
        plan->name = "psql";
        plan->program = &launcher->psql;
        return 0;
    case IPC__TOOL__TOOL_PLAYER:
        plan->name = "replay";
        plan->program = &launcher->player;
        return 0;
    case IPC__TOOL__TOOL_KUBECTL:
        plan->name = "kubectl";
        plan->program = &launcher->kubectl;
        plan->sockets_per_second = LAUNCHER_KUBECTL_SOCKETS_PER_SECOND;
        return !launcher->kubectl.sandbox ? 0
               : !is_name(ask->target)
                   ? -EINVAL
                   : scratch_make(launcher->scratch, gate->connection, ask->target, plan->scratch);
    default:
        return -EBADMSG;
    }
}

static int make_command(struct gate *gate, const Ipc__AskRun *ask, const struct plan *plan,
                        struct command *command, struct detail *detail)
{
    if (ask->tool == IPC__TOOL__TOOL_KUBECTL)
        return kubectl_command(gate, ask, plan->scratch, command, detail);
    return ask->tool == IPC__TOOL__TOOL_PSQL ? psql_command(gate, ask, command, detail)
                                             : player_command(gate, ask, command, detail);
}

static const char *code_of(int fault)
{
    return fault == COMMAND_USAGE ? "usage" : "denied";
}

/* What runs, given what its words ask for; NULL: that can't be run here, and the gate was told why. */
static struct sandbox *sandbox_for(struct gate *gate, const Ipc__AskRun *ask, const struct plan *plan,
                                   const struct command *command)
{
    const struct program *program = command->forwards ? &gate->launcher->forwarder : plan->program;
    struct detail detail;
    if (program->sandbox)
        return program->sandbox;
    (void)detail_fail(&detail, 0, "%s can't be run here: %s", plan->name, program->missing.text);
    (void)answer_refused(gate, ask->request, "target_unavailable", detail.text);
    return NULL;
}

static int run(struct gate *gate, const Ipc__AskRun *ask, int extra)
{
    struct plan plan;
    struct detail detail = { "" };
    int r = plan_of(gate, ask, &plan);
    if (r < 0) {
        (void)detail_fail(&detail, 0, "%s can't be run here: its directory: %s", plan.name, strerror(-r));
        return answer_refused(gate, ask->request, "target_unavailable", detail.text);
    }
    CLEANUP(command_free) struct command command = { 0 };
    if (!sandbox_for(gate, ask, &plan, &command))
        return 0;
    r = make_command(gate, ask, &plan, &command, &detail);
    if (r > 0)
        return answer_refused(gate, ask->request, code_of(r), detail.text);
    if (r < 0)
        return answer_refused(gate, ask->request, "limit", "out of memory");
    struct sandbox *sandbox = sandbox_for(gate, ask, &plan, &command);
    if (!sandbox)
        return 0;
    const struct tool_order order = {
        .gate = gate->peer,
        .connection = gate->connection,
        .request = ask->request,
        .name = plan.name,
        .sandbox = sandbox,
        .command = &command,
        .pty = ask->pty,
        .extra = extra,
        .scratch = plan.scratch[0] ? plan.scratch : NULL,
        .sockets_per_second = plan.sockets_per_second,
    };
    r = tool_start(gate->launcher, &order, &detail);
    return r < 0 ? answer_refused(gate, ask->request, "target_unavailable", detail.text) : 0;
}

static int ask_run(void *owner, const Ipc__Message *message, int *fds, size_t n_fds)
{
    struct gate *gate = owner;
    const Ipc__AskRun *ask = message->ask_run;
    bool player = ask->tool == IPC__TOOL__TOOL_PLAYER;
    bool known = player || ask->tool == IPC__TOOL__TOOL_PSQL || ask->tool == IPC__TOOL__TOOL_KUBECTL;
    if (!known || n_fds != (player ? 1 : 0))
        return -EBADMSG;
    if (tool_find(gate->launcher, gate->peer, ask->request))
        return -EEXIST;
    if (tool_count(gate->launcher, gate->peer) >= LAUNCHER_TOOLS_PER_GATE_MAX)
        return answer_refused(gate, ask->request, "limit", "too many tools run in this connection already");
    if (gate->launcher->n_tools >= LAUNCHER_TOOLS_MAX)
        return answer_refused(gate, ask->request, "limit", "too many tools run already, try again later");
    return run(gate, ask, player ? fds[0] : -1);
}

/* The tool may have ended while this was under way: then there is nobody to signal. */
static int pass_signal(void *owner, const Ipc__Message *message, int *fds, size_t n_fds)
{
    (void)fds;
    (void)n_fds;
    struct gate *gate = owner;
    struct tool *tool = tool_find(gate->launcher, gate->peer, message->tool_signal->request);
    if (tool)
        tool_signal(tool, message->tool_signal->name);
    return 0;
}

static const struct ipc_rule gate_rules[] = {
    { .body = IPC__MESSAGE__BODY_INTRODUCE, .states = GATE_NEW, .once = true, .handle = introduce },
    { .body = IPC__MESSAGE__BODY_ASK_RUN, .states = GATE_INTRODUCED, .fds_max = 1, .handle = ask_run },
    { .body = IPC__MESSAGE__BODY_TOOL_SIGNAL, .states = GATE_INTRODUCED, .handle = pass_signal },
};

int gate_new(struct launcher *launcher, const Ipc__Peer *peer, int fd)
{
    int owned = fd;
    CLEANUP(gate_free) struct gate *gate = calloc(1, sizeof *gate);
    char *address = strdup(peer->source_address);
    if (!gate || !address || launcher->n_gates == LAUNCHER_GATES_MAX) {
        free(address);
        fd_close(owned);
        return -ENOMEM;
    }
    *gate = (struct gate){ .launcher = launcher, .connection = peer->connection, .source_address = address };
    int r = ipc_peer_new(launcher->loop, owned, "gate", gate_rules, sizeof gate_rules / sizeof gate_rules[0],
                         gate_gone, gate, &gate->peer);
    if (r < 0)
        return r;
    gate->next = launcher->gates;
    launcher->gates = STEAL(gate);
    launcher->n_gates++;
    return 0;
}

void gate_free_all(struct launcher *launcher)
{
    while (launcher->gates) {
        struct gate *gate = launcher->gates;
        gate_unlink(gate);
        gate_free(gate);
    }
}
