/* The inside of an scp conversation, shared by scp.c (lines and acknowledgements), scp_item.c (what a line
 * names, and what is decided) and scp_data.c (a file's bytes). */
#pragma once
#include "channels/sftp/path.h"
#include "channels/sftp/scp.h"

/* Stays inside of these files. */
enum { SHORT = -1000 };

enum scp_state {
    SCP_HELLO,    /* the receiver's first acknowledgement */
    SCP_LINE,     /* the sender's next line */
    SCP_RESOLVE,  /* where it leads is asked */
    SCP_HELD,     /* people decide on it */
    SCP_ACK,      /* the receiver's word on it */
    SCP_DATA,     /* the file's bytes */
    SCP_STATUS,   /* the sender's word on it */
    SCP_DATA_ACK, /* the receiver's */
    SCP_OVER,     /* somebody has given up */
};

/* The file or directory of the line that is looked at. */
struct scp_item {
    char kind; /* 'C', 'D'; 'T', 'E': no item */
    uint64_t size;
    char name[PATH_TEXT_MAX];
    char path[PATH_TEXT_MAX];
    uint64_t number, started_us;
    struct digest *digest;
    uint64_t left, put; /* bytes that still come from the sender; that went to the receiver */
    struct detect_stream *stream;
    struct file_verdict verdict; /* once it was held: */
    bool held, decided;
    char judged[PATH_TEXT_MAX]; /* with this path */
    bool look, fired, failed;
    char note[FILE_MESSAGE_MAX];
};

struct scp {
    struct transfer transfer;
    struct transfer_command command;
    enum scp_state state;
    struct scp_item item;
    char directory[PATH_TEXT_MAX]; /* in which what is named is, below the top; "" at the top */
    size_t ends[SCP_DEPTH_MAX];    /* lengths of `directory` outside of each one */
    size_t depth;
    bool asking_top, top_known; /* an upload's path at the top was asked for */
    bool top_is_directory;
    char resolved[PATH_TEXT_MAX]; /* of the item; or "" */
    bool asking, answered, unknown;
};

static inline struct scp *scp_of(struct transfer *transfer)
{
    return (struct scp *)(void *)transfer;
}

/* scp.c: the sender of an upload is the client, that of a download the target. */
struct buffer *scp_from_sender(struct scp *s);
struct buffer *scp_to_receiver(struct scp *s);
MUST_USE int scp_fault(struct scp *s, bool sender, const char *what);

/* scp_item.c */
/* What a C or D line names; false: it does not add up. */
MUST_USE bool scp_read_item(const char *line, struct scp_item *ret);
void scp_item_clear(struct scp_item *item);
/* Fills in the item's path. */
MUST_USE int scp_item_path(struct scp *s);
/* Where it leads, one question after the other: 0 and *ret_done, 0 once more, or SHORT: an answer is missing.
 */
MUST_USE int scp_resolve_item(struct scp *s, bool *ret_done);
void scp_resolved(struct transfer *transfer, const struct resolved_path *path);
MUST_USE int scp_decide(struct scp *s, struct file_verdict *ret);
/* People have decided on the item: scp.c goes on. */
void scp_decided(struct transfer *transfer, const struct file_verdict *verdict);
/* It was allowed, and begins. */
MUST_USE int scp_item_begin(struct scp *s, const struct file_verdict *verdict);
void scp_leave_directory(struct scp *s);
/* It has ended: file_transfer.state. */
MUST_USE int scp_tell(struct scp *s, const char *state);

/* scp_data.c: SHORT, or 0 and some of it is through; all of it when item.left is 0. */
MUST_USE int scp_take_data(struct scp *s);
