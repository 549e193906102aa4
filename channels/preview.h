/* Asks a target what people are shown of a held statement, on a connection of its own, and tells the ledger.
 * Nobody waits for it: what can't be had in time is not shown. */
#pragma once
#include "channels/gate.h"

enum {
    PREVIEW_WAIT_MS = 6 * 1000, /* for all of it, the login included */
    PREVIEWS_AT_ONCE = 4,       /* connections of one gate */
    PREVIEWS_MAX = 64,          /* of one gate, with those that wait for one of these; more have none */
    PREVIEW_IDS_MAX = 16,       /* requests that one is for */
};

struct preview_plan;

/* plan: the preview's from here on. ids: of the requests; copied. It ends, and frees itself, in its own time.
 */
void preview_start(struct gate *gate, const Ipc__Target *target, struct preview_plan *plan,
                   const char *const *ids, size_t n_ids);
/* Vault AnswerLogin: false when it is not to a preview's question. */
bool preview_answer_login(struct gate *gate, const Ipc__AnswerLogin *answer, int *fds, size_t n_fds);
/* Those that wait for the vault end. */
void previews_vault_gone(struct gate *gate);
