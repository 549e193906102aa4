/* One PostgreSQL connection of a channel: a forward, or what psql in the sandbox has opened. Joins the
 * protocol (channels/pg) with the vault, the recording and the rules. */
#pragma once
#include "base/duplex.h"
#include "channels/channel.h"

/* client: unwatched; the stream's from here on, also on failure. record_output: the server's answers are
 * recorded as they are (not so for tools, whose terminal is recorded). channel->recorder is there. */
MUST_USE int stream_new(struct channel *channel, struct duplex client, bool record_output,
                        struct stream **ret);
void stream_free(struct stream *stream);
/* Fails closed: the client gets the refusal as a FATAL error; what was under way is not answered. */
void stream_stop(struct stream *stream, const struct refusal *why);

/* Handler: vault AnswerLogin. */
int stream_answer_login(void *gate, const Ipc__Message *message, int *fds, size_t n_fds);
/* Handler: vault AnswerCancel; ledger AnswerStatements. */
int stream_answer_cancel(void *gate, const Ipc__Message *message, int *fds, size_t n_fds);
int stream_answer_count(void *gate, const Ipc__Message *message, int *fds, size_t n_fds);
/* Logins that wait are refused. */
void streams_vault_gone(struct gate *gate);
