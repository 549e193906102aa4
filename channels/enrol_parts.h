/* What the enrol*.c files share; nobody else includes this. */
#pragma once
#include "base/buffer.h"
#include "channels/enrol.h"
#include "channels/printer.h"

enum stage {
    STAGE_LOGIN,   /* waits for the key */
    STAGE_CHANNEL, /* waits for a session */
    STAGE_TOKEN,   /* reads stdin */
    STAGE_ISSUER,  /* the issuer has the token */
    STAGE_DEVICE,  /* the issuer waits for a person; Ctrl-C and the channel's end are watched for */
    STAGE_LEAVING, /* the exit status stands; output goes out still */
    STAGE_LEFT
};

struct enrolment {
    enum stage stage;
    struct timer *limit; /* of the stage */
    uint64_t over_ms;    /* end of the whole */
    uint8_t *key;        /* plain, in wire form */
    size_t key_n;
    uint32_t channel;
    bool pty;
    int input;
    struct source *input_source;
    struct buffer token;
    struct printer *out, *err;
    uint32_t status;
};

/* ---- enrol.c ---- */

/* The stage ends by itself after ms, or when the whole is over. */
void enrol_stage(struct enrolment *e, enum stage stage, uint64_t ms);
/* A line or more for the person, on stderr. */
void enrol_complain(struct gate *gate, const char *text);
/* Ends the session: with a status, or with a refusal (contract.md section 3). */
void enrol_leave(struct gate *gate, uint32_t status);
void enrol_fail(struct gate *gate, const char *code, const char *reason);

/* ---- enrol_issuer.c ---- */

/* fd is taken over, also on failure. */
MUST_USE int enrol_meet_issuer(struct gate *gate, int fd);
/* Asks for a certificate by what came on stdin, without the white space around it. */
void enrol_by_token(struct gate *gate, const char *text, size_t n);
/* The same for somebody with a browser; issuer: its name, or empty. */
void enrol_by_device(struct gate *gate, const char *issuer);
