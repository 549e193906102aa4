/* Who an API server is told that a session belongs to: header lines from the configuration's templates and
 * the identity that the vault itself found in the certificate. No I/O. */
#pragma once
#include "base/buffer.h"
#include "base/ipc.h"

enum {
    IMPERSONATE_VALUE_MAX = 1024,      /* bytes of one user or group */
    IMPERSONATE_GROUPS_MAX = 128,      /* lines */
    IMPERSONATE_BYTES_MAX = 32 * 1024, /* of all lines */
};

/* Appends whole lines with CRLF (Impersonate-User, then Impersonate-Group) to out. -EACCES, with words for
 * the person: what the identity says can't stand there, or it lacks what the target asks for. */
MUST_USE int impersonate_lines(const Ipc__Impersonate *templates, const Ipc__Identity *identity,
                               struct buffer *out, struct detail *detail);
