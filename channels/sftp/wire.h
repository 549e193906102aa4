/* Packets of SFTP version 3 (draft-ietf-secsh-filexfer-02) and of OpenSSH's extensions (its PROTOCOL, section
 * 4), as bytes: requests in, requests and answers out. No I/O. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/buffer.h"

enum {
    SFTP_VERSION = 3,
    SFTP_PACKET_MAX = 256 * 1024, /* bytes of a packet that must be there as a whole; OpenSSH's own limit */
    SFTP_BULK_MAX = 16 * 1024 * 1024,                          /* bytes of one whose data streams through */
    SFTP_HANDLE_MAX = 256,                                     /* draft section 6.3 */
    SFTP_PATH_MAX = 4095,                                      /* bytes of a path */
    SFTP_WRITE_HEAD = 4 + 1 + 4 + 4 + SFTP_HANDLE_MAX + 8 + 4, /* of a WRITE, in front of the data, at most */
    SFTP_DATA_HEAD = 4 + 1 + 4 + 4,                            /* of DATA */
};

enum sftp_type {
    SFTP_INIT = 1,
    SFTP_VERSION_IS = 2,
    SFTP_OPEN = 3,
    SFTP_CLOSE = 4,
    SFTP_READ = 5,
    SFTP_WRITE = 6,
    SFTP_LSTAT = 7,
    SFTP_FSTAT = 8,
    SFTP_SETSTAT = 9,
    SFTP_FSETSTAT = 10,
    SFTP_OPENDIR = 11,
    SFTP_READDIR = 12,
    SFTP_REMOVE = 13,
    SFTP_MKDIR = 14,
    SFTP_RMDIR = 15,
    SFTP_REALPATH = 16,
    SFTP_STAT = 17,
    SFTP_RENAME = 18,
    SFTP_READLINK = 19,
    SFTP_SYMLINK = 20,
    SFTP_STATUS = 101,
    SFTP_HANDLE = 102,
    SFTP_DATA = 103,
    SFTP_NAME = 104,
    SFTP_ATTRS = 105,
    SFTP_EXTENDED = 200,
    SFTP_EXTENDED_REPLY = 201,
};

enum sftp_code {
    SFTP_OK = 0,
    SFTP_EOF = 1,
    SFTP_NO_SUCH_FILE = 2,
    SFTP_PERMISSION_DENIED = 3,
    SFTP_FAILURE = 4,
    SFTP_BAD_MESSAGE = 5,
    SFTP_OP_UNSUPPORTED = 8,
};

/* Draft section 6.3; of OPEN. */
enum {
    SFTP_FLAG_READ = 0x01,
    SFTP_FLAG_WRITE = 0x02,
    SFTP_FLAG_APPEND = 0x04,
    SFTP_FLAG_CREAT = 0x08,
    SFTP_FLAG_TRUNC = 0x10,
    SFTP_FLAG_EXCL = 0x20,
};

/* What a request is about; extended ones have their own. In the order of the table in wire.c. */
enum sftp_action {
    ACT_OPEN,
    ACT_CLOSE,
    ACT_READ,
    ACT_WRITE,
    ACT_LSTAT,
    ACT_FSTAT,
    ACT_SETSTAT,
    ACT_FSETSTAT,
    ACT_OPENDIR,
    ACT_READDIR,
    ACT_REMOVE,
    ACT_MKDIR,
    ACT_RMDIR,
    ACT_REALPATH,
    ACT_STAT,
    ACT_RENAME,
    ACT_READLINK,
    ACT_SYMLINK,
    ACT_POSIX_RENAME,
    ACT_STATVFS,
    ACT_FSTATVFS,
    ACT_HARDLINK,
    ACT_FSYNC,
    ACT_LSETSTAT,
    ACT_LIMITS,
    ACT_EXPAND_PATH,
    ACT_COPY_DATA,
    ACT_HOME,
    ACT_USERS,
    SFTP_ACTIONS
};

struct sftp_kind {
    uint8_t type;
    enum sftp_action action;
    const char *name;      /* in recordings */
    const char *extension; /* of SFTP_EXTENDED */
    const char *revision;  /* of the extension, as a server announces it */
    const char *form;      /* s path, h handle, u uint32, q uint64, a attributes, d data, b any string */
};

struct sftp_attributes {
    bool has_size, has_owner, has_mode, has_times;
    uint64_t size;
    uint32_t uid, gid, mode, atime, mtime;
};

/* A request as it was read; strings point into the bytes. */
struct sftp_request {
    const struct sftp_kind *kind;
    uint32_t id;
    struct reader path[2], handle[2], blob[2];
    struct reader raw_attributes;
    struct sftp_attributes attributes;
    uint32_t number;    /* OPEN: flags; READ: length */
    uint64_t offset[3]; /* READ, WRITE: offset; copy-data: offset, length, offset */
    uint32_t data;      /* WRITE: bytes of data that follow what was read */
};

enum sftp_fault {
    SFTP_SHORT = 1,   /* the bytes end inside the packet, or in front of a WRITE's data */
    SFTP_MALFORMED,   /* what no client sends */
    SFTP_UNSUPPORTED, /* whole and sound, and nothing that we know; ret's id is set */
};

/* The request at `bytes`. Of a WRITE the data need not be there. *ret_size: bytes of the packet, without that
 * data. 0 or an sftp_fault; of an unsupported one *ret_size is set too, as soon as it is there. */
MUST_USE int sftp_read_request(const uint8_t *bytes, size_t n, struct sftp_request *ret, size_t *ret_size);
/* Appends it with another id, and with other paths and handles where they are not NULL. Of a WRITE without
 * its data.
 */
MUST_USE int sftp_put_request(struct buffer *out, const struct sftp_request *request, uint32_t id,
                              const char *const path[2], const struct reader *const handle[2]);
/* Length and type of what starts at `bytes`. 0, SFTP_SHORT or SFTP_MALFORMED. */
MUST_USE int sftp_read_head(const uint8_t *bytes, size_t n, uint32_t *ret_length, uint8_t *ret_type);
/* At the beginning of ATTRS' or a request's attributes; takes them. */
MUST_USE bool sftp_read_attributes(struct reader *in, struct sftp_attributes *ret);
/* Whether an extension that a server announces is one we handle. */
bool sftp_knows_extension(struct reader name, struct reader revision);
/* NULL: not one of ours. */
const struct sftp_kind *sftp_kind_of(enum sftp_action action);

/* Each appends one packet; -ENOBUFS, -ENOMEM. */
MUST_USE int sftp_put_status(struct buffer *out, uint32_t id, uint32_t code, const char *message);
MUST_USE int sftp_put_handle(struct buffer *out, uint32_t id, const void *handle, size_t n);
MUST_USE int sftp_put_path(struct buffer *out, uint8_t type, uint32_t id,
                           const char *path); /* REALPATH, LSTAT … */
MUST_USE int sftp_put_handle_request(struct buffer *out, uint8_t type, uint32_t id, struct reader handle);
MUST_USE int sftp_put_read(struct buffer *out, uint32_t id, struct reader handle, uint64_t offset,
                           uint32_t n);
MUST_USE int sftp_put_init(struct buffer *out);
