/* The process that accepts connections and keeps all others running: what the listener*.c files share. */
#pragma once
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/types.h>
#include "base/ipc.h"
#include "base/jail.h"
#include "base/loop.h"
#include "server/known_keys.h"
#include "server/limits.h"

enum {
    LISTENER_ADDRESSES_MAX = 16,
    LISTENER_READY_MS = 20000,  /* for a process to become ready; longer than LEDGER_LOCK_MS */
    LISTENER_RELOAD_MS = 10000, /* for the configuration to be read again */
    LISTENER_BACKOFF_MS = 100,  /* before the first restart of a process that died */
    LISTENER_BACKOFF_MAX_MS = 5000,
    LISTENER_LINKS = 4,          /* pairs of services that talk to each other */
    LISTENER_GATES_MAX = 16,     /* gates that one connection may have had at a time */
    LISTENER_OUTER_MAX = 4096,   /* bytes that a gate may say of a connection inside of its own */
    LISTENER_HASTE_MS = 1000,    /* the same, when told to end at once */
    LISTENER_FAREWELL_MS = 4000, /* for connections to end by themselves, at the end */
    LISTENER_END_MS = 3000,      /* for processes then */
    LISTENER_BUCKETS = 1024
};

struct listener;

/* An address of Config.listen. */
struct address {
    char *text;
    int fd;
    struct source *source;
    struct listener *listener;
};

/* A process that we have executed: a service or a zygote. */
struct process {
    struct process *next;
    struct listener *listener;
    enum process_kind kind;
    pid_t pid;
    struct ipc_peer *peer; /* NULL for the connector zygote, which the vault controls; or when it is lost */
    bool ready;
    bool retired;        /* a zygote that lives on for its children */
    struct timer *limit; /* until it must be ready */
    uint64_t started_ms;
};

/* A child that a zygote forked for a connection: its front, or a gate. */
struct part {
    struct connection *connection;
    struct process *zygote; /* NULL once it is dead */
    struct ipc_peer *peer;  /* NULL once the child has closed it, which is when it ended */
    bool exited;            /* ChildExited has come */
};

enum connection_phase {
    CONNECTION_WAITING,   /* no process yet */
    CONNECTION_LOGIN,     /* a front serves it */
    CONNECTION_ENROLLING, /* a gate serves enroll@: no certificate yet, but a key was proven */
    CONNECTION_ADMITTED   /* a gate has let the user in, or had let: it never goes back */
};

struct connection {
    struct connection *next, **slot;                /* in the table by id */
    struct connection *later, *earlier;             /* while it is CONNECTION_WAITING: in the queue */
    struct connection *login_later, *login_earlier; /* while it is CONNECTION_LOGIN */
    struct listener *listener;
    uint64_t id;
    enum connection_phase phase;
    int fd; /* -1 once a front has it */
    struct source *source;
    bool heard;                                               /* the client has sent something */
    bool was_silent;                                          /* a front was made before it had */
    bool exempt;                                              /* of penalties */
    enum { WANTS_NOTHING, WANTS_GATE, WANTS_TO_ENROL } wants; /* given once the services are ready */
    struct timer *enrol_limit;                                /* of one that enrols */
    struct limits_key key;
    char address[64];
    uint32_t port;
    uint64_t accepted_us, accepted_ms, front_ms;
    struct part front, gates[LISTENER_GATES_MAX];
    size_t n_gates;
    uint64_t outer;      /* id of the connection that this one runs inside of; 0: of none */
    uint8_t *outer_says; /* what that one's gate says to this one's */
    size_t outer_says_n;
    unsigned inner; /* live connections inside of this one */
};

struct queue {
    struct connection *first, *last;
    size_t n;
};

struct listener {
    struct loop *loop;
    const Ipc__Start *start; /* ours */
    Ipc__Config *config;
    int config_fd;
    int revocations_fd; /* the newest list; -1: none yet */
    int host_keys[IPC_FDS_MAX];
    size_t n_host_keys;
    Ipc__FrontSettings front;
    uint8_t ticket_key[32];

    struct address addresses[LISTENER_ADDRESSES_MAX];
    size_t n_addresses;
    struct timer *accept_again;
    size_t waiting_max;

    struct process *processes;
    struct process *current[PROCESS_KINDS]; /* ready ones; NULL: not now */
    struct timer *restart[PROCESS_KINDS];
    uint64_t backoff_ms[PROCESS_KINDS];
    bool announced; /* READY was said */

    struct limits *limits;
    struct known_keys known_keys;
    struct connection *table[LISTENER_BUCKETS];
    struct queue waiting, logins;
    size_t connections, fronts, silent_fronts, enrolling;
    uint64_t last_id;
    struct timer *sweep;
    uint64_t refused, refused_logged_ms;

    struct reload *reload;
    enum { LISTENER_RUNNING, LISTENER_DRAINING, LISTENER_FAREWELL, LISTENER_ENDING } phase;
    struct timer *phase_over;
};

/* ---- listener_bind.c ---- */

/* Makes our sockets those of config.listen: new ones are bound, missing ones closed. On failure nothing has
 * changed. */
MUST_USE int listener_bind(struct listener *l, const Ipc__Config *config, struct detail *detail);
void listener_unbind(struct listener *l);

/* ---- listener_accept.c: connections without a process ---- */

/* A socket has connections to accept. */
void listener_accept(struct address *address);
/* Waits for the first bytes of a fresh connection, which gets a process then. */
void listener_watch(struct connection *c);
/* Gives processes to those that wait for one, as far as the limits let. */
void listener_pump(struct listener *l);
void listener_sweep(void *listener);

/* ---- listener_table.c: where connections stand ---- */

void table_add(struct connection *c);
void table_remove(struct connection *c);
struct connection *connection_by_id(struct listener *l, uint64_t id);
void queue_add(struct queue *queue, struct connection *c, bool of_logins);
void queue_remove(struct queue *queue, struct connection *c, bool of_logins);

/* ---- listener_connection.c: connections with processes ---- */

struct connection *connection_new(struct listener *l, int fd, const struct sockaddr_storage *from);
/* One that runs inside of another, and counts for the same source. */
struct connection *connection_new_inner(struct connection *outer, int fd, const uint8_t *says, size_t n);
/* Forgets the connection and everything of it; its processes notice that their control socket closed. */
void connection_free(struct connection *c);
/* Has the front zygote serve it. */
MUST_USE int connection_start(struct connection *c);
void connection_enter(struct connection *c, enum connection_phase phase);
MUST_USE int connection_spawn(struct connection *c, struct process *zygote, bool enrol, const int *fds,
                              size_t n);
/* Makes the part's control socket; ret_child_end is the child's. */
MUST_USE int part_make(struct connection *c, struct part *part, struct process *zygote, const char *name,
                       const struct ipc_rule *rules, size_t n_rules, int *ret_child_end);
bool part_ended(const struct part *part);
/* What a zygote says of a child. */
void connection_child_exited(struct listener *l, struct process *zygote, const Ipc__ChildExited *exited);
/* No more will be heard of this zygote's children but that their control sockets close. */
void connections_lost_zygote(struct listener *l, struct process *zygote);

/* ---- listener_gate.c ---- */

/* Gives a gate to a front that waits for one, if all services are there. */
void connection_give_gate(struct connection *c);
/* A newer list of what is revoked, for every live gate. */
void connections_tell_revocations(struct listener *l);

/* ---- listener_process.c: services and zygotes ---- */

/* Starts all kinds. */
void processes_start(struct listener *l);
/* Starts one anew; a zygote of the same kind serves on until the new one is ready. */
void process_start(struct listener *l, enum process_kind kind);
/* A child of it died by a signal: no more children from the same memory layout. */
void process_replace(struct listener *l, enum process_kind kind, struct process *process);
/* Takes leave of children that ended (SIGCHLD). */
void processes_reap(struct listener *l);
/* Everything that a new connection or gate needs is ready. At first that is all of them; later enrolment
 * alone suffers when the issuer or the courier is away. */
bool processes_ready(const struct listener *l);

/* ---- listener_links.c: what services get from each other ---- */

/* A service has become ready: those that it talks to get a socket of it, and it of them. */
void links_make(struct listener *l, enum process_kind kind);
/* Takes over the newest list of what is revoked, and passes it on. */
void revocations_take(struct listener *l, int *fd);
/* For a process that starts later than the list; nothing for kinds that do not need it. */
void revocations_tell(struct listener *l, struct process *p);

/* ---- listener_jump.c: connections inside of others ---- */

/* Handler: gate Jump. */
int jump_asked(void *part, const Ipc__Message *message, int *fds, size_t n_fds);

/* ---- listener_enrol.c: connections without a certificate ---- */

/* Whether one more may enrol; why not is fit for the user. */
bool enrol_may_start(struct connection *c, const char **ret_why);
/* Counts the connection as enrolling, and ends it when its time is over. */
MUST_USE int enrol_begin(struct connection *c);

/* ---- listener_reload.c ---- */

void listener_reload(struct listener *l);
/* True when pid was the one that read the configuration. */
bool listener_reload_reap(struct listener *l, pid_t pid, int status);

/* ---- listener_end.c ---- */

/* No new connections; ends when those that are have ended, or when the drain time is over. */
void listener_drain(struct listener *l);
/* Ends at once. */
void listener_stop(struct listener *l);
/* A connection or a process has ended: perhaps nothing is left to wait for. */
void listener_check_end(struct listener *l);
/* Tells systemd (sd_notify(3)); nothing without NOTIFY_SOCKET. */
void listener_notify(const char *state);
