/* A statement that waits until people have agreed: what a session knows of it. Who is asked, and how, is the
 * gate's (channels/approval.h). */
#pragma once
#include <sodium.h>
#include "channels/pg/decision.h"
#include "channels/pg/prepared.h"
#include "channels/pg/wire.h"
#include "policy/approval_digest.h"

enum {
    HOLD_BIND_MAX = 4 * 1024 * 1024, /* bytes of a Bind; of a longer one nobody could approve the values */
    HOLD_ROUNDS_MAX = 8,             /* times that one statement is asked for, since its effects change */
    HOLD_SETTINGS_MAX = 12,          /* settings from the connection's start that are named one by one */
    HOLD_PREPARED_MAX = 8,           /* prepared statements that one text may execute, if it is held */
    HOLD_VALUE_MAX = 900,            /* bytes of one value in the context; longer ones are cut, and hashed */
    HOLD_NAME_MAX = 256,
    HOLD_WORDS_MAX = 1024,
};

struct preview_plan;

enum hold_state {
    HOLD_NONE,
    HOLD_SETTLES, /* the server has to answer what was sent before */
    HOLD_DUE,     /* those who have to agree are to be asked */
    HOLD_ASKED,   /* they decide */
    HOLD_AGREED,  /* they have agreed, */
    HOLD_USE_DUE, /* so the ledger is to be asked whether this may run now */
    HOLD_USED,    /* it decides */
    HOLD_GO,
    HOLD_REFUSED, /* `verdict` says why */
};

/* What was set in this session, which later statements depend on. */
struct hold_history {
    char *settings[HOLD_SETTINGS_MAX], *values[HOLD_SETTINGS_MAX]; /* at its start */
    size_t n_settings, statements;
    crypto_hash_sha256_state hash; /* of all settings and statements */
    char last[HOLD_NAME_MAX];      /* the beginning of the last statement */
};

/* Embedded by the front. */
struct hold {
    enum hold_state state;
    const struct approval_subject *subject; /* borrowed */
    struct hold_history history;
    uint8_t digest[APPROVAL_DIGEST];
    uint8_t *content; /* HOLD_DUE: an ApprovalContent, packed */
    size_t content_n;
    struct preview_plan *preview; /* HOLD_DUE: what may be shown of it; or NULL */
    struct holders holders;
    struct decision *kept[HOLD_PREPARED_MAX + 1]; /* HOLD_DUE: references; the holders point into them */
    size_t n_kept;
    uint64_t number; /* of the request in the recording */
    unsigned rounds;
    struct verdict verdict;
    char rule[HOLD_NAME_MAX], reason[HOLD_WORDS_MAX], id[16];
};

void hold_init(struct hold *hold);
void hold_free(struct hold *hold);
/* Nothing is held any more; what was set in the session is still known. */
void hold_clear(struct hold *hold);

/* Those who have to agree know what it is: what was for them alone is freed. */
void hold_forget_question(struct hold *hold);

/* A setting that the connection began with, or a statement that may have set something. -ENOMEM. */
MUST_USE int hold_note_setting(struct hold *hold, const char *name, const char *value);
void hold_note_statement(struct hold *hold, const char *text, size_t n);

/* What would run. */
struct held {
    struct decision *decision;
    const struct pg_bind *bind; /* whole; NULL: a Query */
    uint64_t of;                /* number of the request that prepared it; or 0 */
    const uint32_t *types;      /* of its values, as the Parse had them; n_types may be less */
    size_t n_types;
    struct decision *executed[HOLD_PREPARED_MAX]; /* what the text executes by name */
    const char *names[HOLD_PREPARED_MAX];
    size_t n_executed;
    bool overflow; /* it executes more than that */
};

/* All that is approved, packed and freed by the caller, and its digest. APPROVAL_TOO_LARGE, -ENOMEM. */
MUST_USE int hold_content(const struct hold *hold, const struct held *held, uint8_t **ret, size_t *ret_n,
                          uint8_t digest[APPROVAL_DIGEST]);
