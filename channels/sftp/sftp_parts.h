/* The inside of an SFTP session, shared by sftp.c (running), sftp_client.c (requests), sftp_resolve.c (where
 * paths lead), sftp_held.c (what people decide on), sftp_target.c (answers), sftp_file.c (what is open) and
 * sftp_scan.c (files that are looked through first). */
#pragma once
#include "channels/sftp/path.h"
#include "channels/sftp/sftp.h"
#include "channels/sftp/wire.h"

/* Stays inside of these files. */
enum { SHORT = -1000 }; /* nothing more can be taken for now */

enum { NO_FILE = UINT32_MAX, CLIENT_HANDLE = 8, PENDING_SPARE = 8 };

/* What an answer of the target is for. */
enum pending_for {
    FOR_FREE,   /* the slot is not used */
    FOR_CLIENT, /* passed on as it is */
    FOR_OPEN,
    FOR_READ,
    FOR_CLOSE,
    FOR_RESOLVE,   /* ours: where a path leads, before the decision */
    FOR_NAME,      /* ours: the same, for the recording only */
    FOR_RECHECK,   /* ours: the same, now that the file is open */
    FOR_SCAN_STAT, /* ours: what kind of file it is that shall be looked through */
    FOR_SCAN,      /* ours: its bytes */
    FOR_NOTHING,   /* ours: a CLOSE */
};

struct pending {
    enum pending_for what;
    uint32_t client_id;
    uint32_t file; /* index, or NO_FILE */
    uint32_t next; /* in the list of free ones */
    uint64_t offset;
    uint32_t length;
    uint32_t answers; /* bit per type, see sftp_target.c */
};

struct sftp_scan;

enum file_state { FILE_FREE, FILE_OPENING, FILE_OPEN, FILE_CLOSING };

struct sftp_file {
    enum file_state state;
    uint32_t serial;    /* tells this use of the index from earlier ones */
    size_t outstanding; /* answers of the target that will name it */
    bool directory;
    bool look;          /* it is looked through */
    uint32_t flags;     /* of OPEN */
    uint32_t client_id; /* of OPEN, until it is answered */
    bool there;         /* the target has opened it */
    bool to_check;      /* FOR_RECHECK is under way */
    bool failed;        /* some answer about its bytes was not OK */
    bool stopped;       /* a detector fired: nothing goes to it any more */
    bool eof;           /* its end was seen */
    char *path, *resolved;
    uint8_t handle[SFTP_HANDLE_MAX]; /* the target's */
    size_t handle_n;
    uint64_t number, started_us;
    struct digest *down, *up;
    struct sftp_scan *scan; /* what was looked through, and may be read; or NULL: all of it */
    struct detail note;     /* for the recording */
};

/* How a path is meant. */
enum path_mode {
    PATH_FOLLOWED, /* links are followed, the last one too */
    PATH_ENTRY,    /* the last component is the entry itself */
    PATH_CONTENT,  /* what a link will hold: relative to where the link is */
};

enum resolve_step { RESOLVE_WHOLE, RESOLVE_PARENT, RESOLVE_ABSENT };

/* A request that people decide on: it stands aside, and later ones go on. */
struct sftp_held {
    struct sftp_held *next;
    uint8_t *packet;
    size_t n;
    char *text; /* what they are asked about */
    bool decided;
    struct file_verdict verdict;
};

/* A request waits for where its paths lead. */
struct resolving {
    bool active, done;
    struct sftp_held *held; /* whose request it is: one that was held; or NULL: the one at the head */
    enum path_mode mode[2];
    size_t order[2], count, at; /* which path comes first, how many, which it is now */
    enum resolve_step step;
    char asked[2][PATH_TEXT_MAX], path[2][PATH_TEXT_MAX]; /* path: the answer */
    char wanted[PATH_TEXT_MAX];                           /* what the target was asked */
    char name[PATH_TEXT_MAX];                             /* the last component, put behind it */
    uint32_t status;                                      /* not 0: it can't be told; the client gets this */
    struct detail message;                                /* with this */
};

/* One direction: of the packet that streams. */
struct sftp_stream {
    size_t rest; /* bytes of it that still come */
    bool drop;
    struct sftp_file *file; /* whose digest they belong to; or NULL */
    uint64_t offset;
    struct buffer aside; /* packets of ours that wait for its end */
};

struct sftp {
    struct transfer transfer;
    bool begun, greeted; /* INIT went through; VERSION came back */
    bool openssh;        /* the target announced OpenSSH's extensions: SYMLINK has its order of paths */
    struct pending *pending;
    size_t n_pending, used_pending;
    uint32_t free_pending;
    struct sftp_file **files;
    size_t n_files, open_files;
    uint32_t serial;
    struct resolving resolving;
    struct sftp_held *held; /* in the order in which they came */
    size_t n_held;
    struct sftp_stream up, down;
};

static inline struct sftp *sftp_of(struct transfer *transfer)
{
    return (struct sftp *)(void *)transfer;
}

/* sftp.c */
MUST_USE int sftp_client_fault(struct sftp *s, const char *what);
MUST_USE int sftp_target_fault(struct sftp *s, const char *what);
/* A slot for an answer; its index is the id that the target gets. There is always one while sftp_take_request
 * runs. */
MUST_USE int pending_new(struct sftp *s, const struct pending *pending, uint32_t *ret_id);
void pending_free(struct sftp *s, uint32_t id);
/* Our own requests. */
MUST_USE int sftp_ask_path(struct sftp *s, uint8_t type, enum pending_for what, uint32_t file,
                           const char *path);
MUST_USE int sftp_ask_handle(struct sftp *s, uint8_t type, enum pending_for what, uint32_t file);
/* Where a packet of ours goes: not into the middle of one that streams. */
struct buffer *sftp_to_client(struct sftp *s);
struct buffer *sftp_to_target(struct sftp *s);
MUST_USE int sftp_refuse(struct sftp *s, uint32_t client_id, uint32_t code, const char *message);
/* Moves bytes of the packet that streams; what it belongs to learns of them. */
MUST_USE int sftp_stream_up(struct sftp *s);
MUST_USE int sftp_stream_down(struct sftp *s);

/* sftp_client.c */
MUST_USE int sftp_take_request(struct sftp *s); /* SHORT: not now */

/* sftp_held.c */
/* Puts the request at the head of from_client aside. */
MUST_USE int sftp_hold(struct sftp *s, size_t size, const char *text, const struct file_verdict *verdict);
/* The first that was decided on; or NULL. */
struct sftp_held *sftp_next_held(const struct sftp *s);
void sftp_held_free(struct sftp *s, struct sftp_held *held);
void sftp_decided(struct transfer *transfer, const struct file_verdict *verdict);

/* sftp_resolve.c: begins, or tells that it is done. True in *ret_done: resolving.path (or .status) is there.
 */
MUST_USE int sftp_resolve(struct sftp *s, const struct sftp_request *request, const enum path_mode modes[2],
                          bool *ret_done);
MUST_USE int sftp_resolved(struct sftp *s, uint8_t type, struct reader body);
/* The path of a NAME with one entry; false for anything else, or a path that is not absolute. */
MUST_USE bool sftp_read_name(struct reader body, char path[PATH_TEXT_MAX]);

/* sftp_target.c */
MUST_USE int sftp_take_answer(struct sftp *s); /* SHORT: not now */

/* sftp_file.c. */
MUST_USE int file_new(struct sftp *s, const char *path, const char *resolved, uint32_t *ret_index);
struct sftp_file *file_at(struct sftp *s, uint32_t index);
/* The open file that the client means; NULL when there is none. */
struct sftp_file *file_of_handle(struct sftp *s, struct reader handle, uint32_t *ret_index);
void file_client_handle(const struct sftp *s, uint32_t index, uint8_t handle[CLIENT_HANDLE]);
struct reader file_target_handle(const struct sftp_file *file);
/* One answer less; frees what nobody will name any more. */
void file_answered(struct sftp *s, uint32_t index);
/* It is not open any more: told of, and freed once nothing is outstanding. state: file_transfer.state. */
MUST_USE int file_gone(struct sftp *s, uint32_t index, const char *state);
/* The target opened it, and what is to be known about it is known: the client gets the handle. */
MUST_USE int file_ready(struct sftp *s, uint32_t index);
/* It was opened, but the client must not have it. */
MUST_USE int file_withhold(struct sftp *s, uint32_t index, const char *message);
void file_free(struct sftp_file *file);
MUST_USE int file_hash(struct digest **digest, uint64_t offset, const void *bytes, size_t n);
/* Where an opening stands, after each of its answers. */
MUST_USE int file_go_on(struct sftp *s, uint32_t index);

/* sftp_scan.c */
MUST_USE int scan_begin(struct sftp *s, uint32_t index);
MUST_USE int scan_stated(struct sftp *s, uint32_t index, uint8_t type, struct reader body);
MUST_USE int scan_read(struct sftp *s, const struct pending *pending, uint8_t type, struct reader body);
void scan_free(struct sftp_scan *scan);
bool scan_is_over(const struct sftp_scan *scan);
/* Bytes of the file that were looked through. */
uint64_t scan_size(const struct sftp_scan *scan);
/* Bytes for a file that is written; file->stopped afterwards, with a note: they must not pass, nor any later
 * ones. */
MUST_USE int scan_written(struct sftp *s, struct sftp_file *file, uint64_t offset, const void *bytes,
                          size_t n);
/* Nothing more is written: a detector may fire only now. */
MUST_USE int scan_closed(struct sftp *s, struct sftp_file *file);
