/* An SSH agent (draft-miller-ssh-agent) with one key, for one login: it lists the key once and signs once,
 * what is a publickey request (RFC 4252 §7) of this login with this key and nothing else. No I/O here. */
#pragma once
#include "base/buffer.h"

struct certificate_signer;

enum {
    AGENT_MESSAGE_MAX =
        16 * 1024, /* bytes of one message; an RSA key of 16384 bits stands twice in a request */
};

enum agent_state {
    AGENT_SERVING,
    AGENT_SIGNED,  /* the one signature is in the answer */
    AGENT_REFUSED, /* the answer is a failure; why is in the detail */
};

struct agent {
    const struct certificate_signer *signer;
    const char *login; /* the user name at the target */
    enum agent_state state;
    bool listed; /* the key was */
};

/* Borrows both. */
struct agent agent_for(const struct certificate_signer *signer, const char *login);
/* Consumes one whole message from `in`, if there is one, and appends its answer to `out`: 0, -EAGAIN when
 * there is none yet, or negative when no answer can be made. Once the state is not AGENT_SERVING nothing more
 * is to be taken. */
MUST_USE int agent_take(struct agent *agent, struct buffer *in, struct buffer *out, struct detail *detail);
