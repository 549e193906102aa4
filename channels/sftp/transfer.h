/* A conversation between a client and a program of the target that moves files: bytes of both in, bytes for
 * both out, every file operation decided and told of. No I/O. The kinds are sftp.h, scp.h and opaque.h. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/buffer.h"
#include "channels/sftp/digest.h"
#include "policy/ssh_effects.h"

struct detect_how;
struct detectors;

enum {
    TRANSFER_HIGH = 256 * 1024, /* bytes that wait to go out before nothing more is taken in */
    TRANSFER_READ_MAX = 128 * 1024,
    FILE_EFFECTS_MAX = 6,
    FILE_MESSAGE_MAX = 512, /* bytes of a refusal's text, NUL included */
    FILE_CODE_MAX = 32,
    FILE_HELD_MAX = 16, /* requests of one session that people decide on at once; the next one waits */
};

struct file_effect {
    enum file_operation operation;
    const char *path;
};

/* Something that a client wants to do to files. */
struct file_request {
    const char *what; /* "open", "remove" …; for the recording */
    const char *text; /* for people: "open /srv/a (read)" */
    struct file_effect effects[FILE_EFFECTS_MAX];
    size_t n_effects;
    bool any;    /* a look at attributes: it suffices when one of the effects is allowed */
    bool opened; /* only what an open file was opened for: people are not asked once more */
};

struct file_verdict {
    bool allowed;
    bool held;                      /* not allowed yet: people are asked; transfer_decided() follows */
    bool look;                      /* allowed, unless a detector fires in the file */
    uint64_t number;                /* of the request in the recording */
    char code[FILE_CODE_MAX];       /* of a refusal; "": denied */
    char message[FILE_MESSAGE_MAX]; /* of a refusal: contract.md §3, in one line */
};

/* A file that went through, or did not. */
struct file_transfer {
    uint64_t of;          /* file_verdict.number */
    const char *program;  /* "sftp", "scp" … */
    bool upload;          /* to the target */
    const char *path;     /* as it was asked for */
    const char *resolved; /* as the target knows it; "" when it was not asked */
    struct digest_result digest;
    bool has_size;
    uint64_t size; /* of the file, where it is known */
    uint64_t duration_us;
    const char *state; /* "complete", "failed", "refused", "cut" */
    const char *note;  /* what there is to say about it; or "" */
};

/* Who decides and keeps. Each returns a negative errno when nothing can be recorded any more: then the
 * transfer must stop. */
struct transfer_host {
    void *owner;
    int (*decide)(void *owner, const struct file_request *request, struct file_verdict *ret);
    int (*ended)(void *owner, const struct file_transfer *transfer);
    /* Where a path leads at the target, for conversations that can't ask it themselves: transfer_resolved()
     * follows, also from inside this call. NULL: nobody can tell, and what is not known is refused. */
    void (*resolve)(void *owner, const char *path);
    bool asks_paths;             /* some rule looks at paths: they are resolved first */
    struct detectors *detectors; /* of files that are looked through; borrowed; NULL: none are */
    const struct detect_how *how;
};

enum transfer_fault {
    TRANSFER_CLIENT = 1, /* the client broke the protocol */
    TRANSFER_TARGET,     /* the target did */
    TRANSFER_UNRECORDED, /* the recording can't be written */
};

struct transfer;

/* Where a path leads. */
struct resolved_path {
    const char *path; /* absolute, without links; NULL: it can't be told */
    bool directory;   /* there is one */
};

struct transfer_kind {
    /* Takes what is there, as far as it can. */
    int (*run)(struct transfer *transfer);
    /* Whether more of this side would get any further now. */
    bool (*wants_client)(const struct transfer *transfer);
    bool (*wants_target)(const struct transfer *transfer);
    /* Nothing more comes: what was under way is told of. */
    int (*end)(struct transfer *transfer);
    void (*free)(struct transfer *transfer);
    /* The answer to host.resolve. NULL for kinds that never ask. */
    void (*resolved)(struct transfer *transfer, const struct resolved_path *path);
    /* What became of a request that was held: its number is in the verdict. */
    void (*decided)(struct transfer *transfer, const struct file_verdict *verdict);
};

/* Whether its program may run at the target. */
enum transfer_stage { TRANSFER_GOES, TRANSFER_WAITS, TRANSFER_REFUSED };

/* Embedded first by each kind. Its owner fills the from_ buffers, and empties the to_ ones. */
struct transfer {
    const struct transfer_kind *kind;
    struct transfer_host host;
    struct buffer from_client, to_target, from_target, to_client;
    bool client_ended, target_ended; /* set by the owner: behind what is in the buffer nothing comes */
    /* Before TRANSFER_GOES the target's program must not be started; transfer_run() and transfer_resolved()
     * change it. */
    enum transfer_stage stage;
    char refusal[FILE_MESSAGE_MAX]; /* of TRANSFER_REFUSED, */
    char refusal_code[FILE_CODE_MAX];
    struct detail why; /* of a transfer_fault */
};

/* Takes over what was put in. 0, a transfer_fault or -ENOMEM: the transfer is over. */
MUST_USE int transfer_run(struct transfer *transfer);
bool transfer_wants_client(const struct transfer *transfer);
bool transfer_wants_target(const struct transfer *transfer);
/* path is borrowed. transfer_run() has to follow. */
void transfer_resolved(struct transfer *transfer, const struct resolved_path *path);
/* People have decided on a request that was held: it is allowed, or refused with a message. transfer_run()
 * has to follow. What the request leads to is looked up once more before it is used. */
void transfer_decided(struct transfer *transfer, const struct file_verdict *verdict);
/* The last call before transfer_free: files that are still under way are told of. 0 or a transfer_fault. */
MUST_USE int transfer_end(struct transfer *transfer);
void transfer_free(struct transfer *transfer);
DEFINE_CLEANUP(struct transfer *, transfer_free)

/* ---- for the kinds ---- */

/* whole_max: bytes of the largest message that has to be there as a whole. */
void transfer_init(struct transfer *transfer, const struct transfer_kind *kind,
                   const struct transfer_host *host, size_t whole_max);
/* Whether more may go to it: below TRANSFER_HIGH. */
bool transfer_takes(const struct buffer *out);
/* Moves n bytes at the head of one buffer to the end of the other. */
MUST_USE int transfer_move(struct buffer *from, struct buffer *to, size_t n);
/* Decides and records. 0 or TRANSFER_UNRECORDED. */
MUST_USE int transfer_decide(struct transfer *transfer, const struct file_request *request,
                             struct file_verdict *ret);
MUST_USE int transfer_tell(struct transfer *transfer, const struct file_transfer *told);
