/* What the client asks for once it is logged in, and what the gate answers. The answer to an open or start
 * request waits in its channel (ssh_message kept) until the gate has decided; everything else is answered at
 * once, and what is not known or not allowed is refused. */
#include <errno.h>
#include <libssh/server.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "server/front_channel.h"
#include "server/front_exit.h"

/* Deprecated in favour of callbacks, which can't put off an answer. */
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

static void refuse(struct front *front, ssh_message message)
{
    (void)ssh_message_reply_default(message);
    ssh_message_free(message);
    front->wrote = true;
}

static void accept_request(struct front *front, ssh_message message)
{
    (void)ssh_message_channel_request_reply_success(message);
    ssh_message_free(message);
    front->wrote = true;
}

/* ---- to the gate ---- */

/* Asks the gate for what `open` describes. On failure nothing waits. */
static int ask_gate(struct front_channel *c, Ipc__Open *open, ssh_message message)
{
    struct front *front = c->front;
    int ends[2];
    size_t n;
    open->channel = c->number;
    open->pty = c->pty;
    open->environment = c->environment;
    open->n_environment = c->n_environment;
    int r = front->gate ? channel_make_sockets(c, ends, &n) : -EPIPE;
    if (r == 0) {
        Ipc__Message question = IPC_MESSAGE(OPEN, open, open);
        r = ipc_peer_send(front->gate, &question, ends, n);
        fd_close(ends[0]);
        fd_close(ends[1]);
    }
    if (r == 0) {
        c->waiting = message;
        c->state = CHANNEL_ASKED;
        c->touched = front->touched = true;
    }
    return r;
}

static void open_forward(struct front *front, ssh_message message)
{
    const char *host = ssh_message_channel_request_open_destination(message);
    const char *origin = ssh_message_channel_request_open_originator(message);
    struct front_channel *c;
    if (!front->forwarding_allowed || !host || !origin || strlen(host) > FRONT_HOST_MAX ||
        strlen(origin) > FRONT_HOST_MAX || channel_new(front, false, &c)) {
        refuse(front, message);
        return;
    }
    Ipc__Forward forward = IPC__FORWARD__INIT;
    forward.host = (char *)(uintptr_t)host;
    forward.port = (uint32_t)ssh_message_channel_request_open_destination_port(message);
    forward.origin_address = (char *)(uintptr_t)origin;
    forward.origin_port = (uint32_t)ssh_message_channel_request_open_originator_port(message);
    Ipc__Open open = IPC__OPEN__INIT;
    open.what_case = IPC__OPEN__WHAT_FORWARD;
    open.forward = &forward;
    if (ask_gate(c, &open, message)) {
        channel_free(c);
        refuse(front, message);
    }
}

static void open_session(struct front *front, ssh_message message)
{
    struct front_channel *c;
    if (channel_new(front, true, &c)) {
        refuse(front, message);
        return;
    }
    ssh_channel ssh = ssh_message_channel_request_open_reply_accept(message);
    if (ssh)
        channel_attach(c, ssh);
    else
        channel_free(c);
    ssh_message_free(message);
    front->wrote = true;
}

static void open_request(struct front *front, ssh_message message)
{
    int kind = ssh_message_subtype(message);
    if (front->n_channels >= front->settings->channels_max || front->phase != FRONT_SESSION)
        refuse(front, message);
    else if (kind == SSH_CHANNEL_DIRECT_TCPIP)
        open_forward(front, message);
    else if (kind == SSH_CHANNEL_SESSION)
        open_session(front, message);
    else
        refuse(front, message); /* x11, agents, tunnels, Unix sockets, unknown ones */
}

/* ---- requests on a session ---- */

static void pty_request(struct front_channel *c, ssh_message message)
{
    const char *term = ssh_message_channel_request_pty_term(message);
    Ipc__Pty *pty = NULL;
    if (c->front->pty_allowed && c->state == CHANNEL_FRESH && !c->pty && term &&
        strlen(term) <= FRONT_TERM_MAX)
        pty = malloc(sizeof *pty);
    if (!pty) {
        refuse(c->front, message);
        return;
    }
    ipc__pty__init(pty);
    pty->term = strdup(term);
    pty->columns = (uint32_t)ssh_message_channel_request_pty_width(message);
    pty->rows = (uint32_t)ssh_message_channel_request_pty_height(message);
    pty->width = (uint32_t)ssh_message_channel_request_pty_pxwidth(message);
    pty->height = (uint32_t)ssh_message_channel_request_pty_pxheight(message);
    c->pty = pty;
    accept_request(c->front, message);
}

static void window_change(struct front_channel *c, ssh_message message)
{
    Ipc__Window window = IPC__WINDOW__INIT;
    window.channel = c->number;
    window.columns = (uint32_t)ssh_message_channel_request_pty_width(message);
    window.rows = (uint32_t)ssh_message_channel_request_pty_height(message);
    window.width = (uint32_t)ssh_message_channel_request_pty_pxwidth(message);
    window.height = (uint32_t)ssh_message_channel_request_pty_pxheight(message);
    Ipc__Message news = IPC_MESSAGE(WINDOW, window, &window);
    if (c->pty && c->state == CHANNEL_OPEN && c->front->gate)
        (void)ipc_peer_send(c->front->gate, &news, NULL, 0);
    accept_request(c->front, message);
}

static void environment_request(struct front_channel *c, ssh_message message)
{
    const char *name = ssh_message_channel_request_env_name(message);
    const char *value = ssh_message_channel_request_env_value(message);
    Ipc__Variable *variable = NULL;
    if (c->state == CHANNEL_FRESH && c->n_environment < FRONT_ENV_MAX && name && value &&
        strlen(name) <= FRONT_ENV_NAME_MAX && strlen(value) <= FRONT_ENV_VALUE_MAX)
        variable = malloc(sizeof *variable);
    if (!variable) {
        refuse(c->front, message);
        return;
    }
    ipc__variable__init(variable);
    variable->name = strdup(name);
    variable->value = strdup(value);
    c->environment[c->n_environment++] = variable;
    accept_request(c->front, message);
}

static void start_request(struct front_channel *c, ssh_message message, Ipc__Open__WhatCase what)
{
    Ipc__Open open = IPC__OPEN__INIT;
    const char *text = "";
    open.what_case = what;
    if (what == IPC__OPEN__WHAT_EXEC)
        open.exec = (char *)(uintptr_t)(text = ssh_message_channel_request_command(message));
    else if (what == IPC__OPEN__WHAT_SUBSYSTEM)
        open.subsystem = (char *)(uintptr_t)(text = ssh_message_channel_request_subsystem(message));
    else
        open.shell = true;
    if (c->state != CHANNEL_FRESH || !text || strlen(text) > FRONT_COMMAND_MAX || ask_gate(c, &open, message))
        refuse(c->front, message);
}

/* OpenSSH's eow@openssh.com says that nobody reads the output any more (`ssh bastion … | head -1`); the
 * client then waits for the far side to end. libssh keeps the names of requests that it does not know to
 * itself, but the only other ones of this client want an answer: a refusal that sends nothing was that one.
 */
static void unknown_request(struct front_channel *c, ssh_message message)
{
    struct front *front = c->front;
    const char *version = ssh_get_clientbanner(front->ssh);
    uint64_t sent = front->packets.out_packets;
    refuse(front, message);
    if (front->packets.out_packets == sent && buffer_size(&c->to_client) == 0 && c->state == CHANNEL_OPEN &&
        version && strstr(version, "OpenSSH"))
        channel_stop_output(c);
}

static void channel_request(struct front *front, ssh_message message)
{
    struct front_channel *c = channel_by_ssh(front, ssh_message_channel_request_channel(message));
    if (!c || !c->is_session || c->client_closed || c->state == CHANNEL_CLOSING) {
        refuse(front, message);
        return;
    }
    switch (ssh_message_subtype(message)) {
    case SSH_CHANNEL_REQUEST_PTY:
        pty_request(c, message);
        return;
    case SSH_CHANNEL_REQUEST_ENV:
        environment_request(c, message);
        return;
    case SSH_CHANNEL_REQUEST_WINDOW_CHANGE:
        window_change(c, message);
        return;
    case SSH_CHANNEL_REQUEST_EXEC:
        start_request(c, message, IPC__OPEN__WHAT_EXEC);
        return;
    case SSH_CHANNEL_REQUEST_SHELL:
        start_request(c, message, IPC__OPEN__WHAT_SHELL);
        return;
    case SSH_CHANNEL_REQUEST_SUBSYSTEM:
        start_request(c, message, IPC__OPEN__WHAT_SUBSYSTEM);
        return;
    case SSH_CHANNEL_REQUEST_UNKNOWN:
        unknown_request(c, message);
        return;
    default:
        refuse(front, message); /* x11 */
    }
}

void front_message(struct front *front, ssh_message message)
{
    switch (ssh_message_type(message)) {
    case SSH_REQUEST_CHANNEL_OPEN:
        open_request(front, message);
        return;
    case SSH_REQUEST_CHANNEL:
        channel_request(front, message);
        return;
    default:
        refuse(front, message); /* remote forwarding, services, a second login */
    }
}

/* ---- from the gate ---- */

/* An answer may cross the client's close: numbers once given are unknown, but not wrong. */
static int find(struct front *front, uint32_t number, enum channel_state state, struct front_channel **ret)
{
    *ret = channel_by_number(front, number);
    if (!*ret)
        return number >= 1 && number <= front->last_channel ? 0 : -EPROTO;
    if ((*ret)->state == CHANNEL_CLOSING) {
        *ret = NULL;
        return 0;
    }
    return (*ret)->state == state ? 0 : -EPROTO;
}

/* Gives the client the answer it waits for. False: the channel is no more. */
static bool confirm(struct front_channel *c)
{
    struct front *front = c->front;
    ssh_message message = STEAL(c->waiting);
    front->wrote = true;
    c->state = CHANNEL_OPEN;
    c->touched = front->touched = true;
    if (c->is_session) {
        accept_request(front, message);
        return true;
    }
    ssh_channel ssh = ssh_message_channel_request_open_reply_accept(message);
    ssh_message_free(message);
    if (ssh)
        channel_attach(c, ssh);
    else
        channel_free(c);
    return ssh != NULL;
}

static int on_opened(void *owner, const Ipc__Message *message, int *fds, size_t n_fds)
{
    struct front *front = owner;
    struct front_channel *c;
    int r = find(front, message->opened->channel, CHANNEL_ASKED, &c);
    if (r == 0 && n_fds > 0 && (n_fds != 2 || (c && c->is_session)))
        r = -EPROTO;
    if (r == 0 && c && c->waiting) {
        if (n_fds == 2)
            r = channel_take_pipes(c, fds);
        (void)confirm(c);
    }
    front_settle(front);
    return r;
}

/* A refused session is told in words and with an exit status: a bare failure of the request would say
 * nothing. The failure of an open request can carry no words in libssh. */
static int on_open_refused(void *owner, const Ipc__Message *message, int *fds, size_t n_fds)
{
    struct front *front = owner;
    struct front_channel *c;
    (void)fds;
    (void)n_fds;
    int r = find(front, message->open_refused->channel, CHANNEL_ASKED, &c);
    if (r == 0 && c && c->waiting && c->is_session && confirm(c)) {
        Ipc__Exit exit = IPC__EXIT__INIT;
        exit.status = 77;
        channel_tell(c, message->open_refused->message);
        channel_exit(c, &exit);
        c->data.at_end = c->error.at_end = true; /* the gate may not have closed its ends yet: don't wait */
        channel_gate_lost(c);
    } else if (r == 0 && c && c->waiting && !c->is_session) {
        (void)ssh_send_debug(front->ssh, message->open_refused->message, 1);
        refuse(front, STEAL(c->waiting));
        channel_free(c);
    }
    front_settle(front);
    return r;
}

static int on_exit_message(void *owner, const Ipc__Message *message, int *fds, size_t n_fds)
{
    struct front *front = owner;
    struct front_channel *c;
    (void)fds;
    (void)n_fds;
    int r = find(front, message->exit->channel, CHANNEL_OPEN, &c);
    if (r == 0 && c) {
        channel_exit(c, message->exit);
        channel_serve(c);
    }
    front_settle(front);
    return r;
}

static int on_disconnect(void *owner, const Ipc__Message *message, int *fds, size_t n_fds)
{
    struct front *front = owner;
    (void)fds;
    (void)n_fds;
    front_drain(front, message->disconnect->message, message->disconnect->within_ms);
    return 0;
}

static void gate_gone(void *owner, const char *reason)
{
    struct front *front = owner;
    (void)reason;
    ipc_peer_free(STEAL(front->gate));
    front_drain(front, "gatehouse: the connection was ended by the server", 0);
}

static void listener_gone(void *owner, const char *reason)
{
    struct front *front = owner;
    (void)reason;
    ipc_peer_free(STEAL(front->control_peer));
    front_drain(front, "gatehouse: the server is shutting down", 0);
}

int front_gate_new(struct front *front, int gate_fd)
{
    static const struct ipc_rule gate_rules[] = {
        { IPC__MESSAGE__BODY_OPENED, 1, false, 0, 2, on_opened },
        { IPC__MESSAGE__BODY_OPEN_REFUSED, 1, false, 0, 0, on_open_refused },
        { IPC__MESSAGE__BODY_EXIT, 1, false, 0, 0, on_exit_message },
        { IPC__MESSAGE__BODY_DISCONNECT, 1, true, 0, 0, on_disconnect },
    };
    int r = ipc_peer_new(front->loop, gate_fd, "gate", gate_rules, sizeof gate_rules / sizeof gate_rules[0],
                         gate_gone, front, &front->gate);
    source_free(STEAL(front->control_source));
    if (r == 0)
        r = ipc_peer_new(front->loop, front->control, "listener", NULL, 0, listener_gone, front,
                         &front->control_peer);
    front->control = -1;
    return r;
}
