/* Statements a minute: the ledger counts them, since it alone sees all connections of an identity. */
#include "channels/stream_parts.h"

#include <errno.h>
#include <stdlib.h>

int stream_ask_count(void *owner, const struct budget_use *uses, size_t n)
{
    struct stream *stream = owner;
    struct gate *gate = stream->channel->gate;
    if (!gate->ledger)
        return -EPIPE;
    CLEANUP(free) Ipc__StatementUse *all = calloc(n, sizeof *all);
    CLEANUP(free) Ipc__StatementUse **list = calloc(n, sizeof *list);
    if (!all || !list)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++) {
        all[i] = (Ipc__StatementUse)IPC__STATEMENT_USE__INIT;
        all[i].rule = uses[i].rule->name;
        all[i].per_minute = uses[i].rule->limits->statements_per_minute;
        all[i].statements = uses[i].statements;
        list[i] = &all[i];
    }
    Ipc__AskStatements ask = IPC__ASK_STATEMENTS__INIT;
    stream->count_request = ask.request = gate_request(gate);
    ask.target = stream->channel->target->name;
    ask.n_uses = n;
    ask.uses = list;
    Ipc__Message message = IPC_MESSAGE(ASK_STATEMENTS, ask_statements, &ask);
    return ipc_peer_send(gate->ledger, &message, NULL, 0);
}

int stream_answer_count(void *owner, const Ipc__Message *message, int *fds, size_t n_fds)
{
    const struct gate *gate = owner;
    const Ipc__AnswerStatements *answer = message->answer_statements;
    struct stream *stream = gate->streams;
    (void)fds, (void)n_fds;
    while (stream && stream->count_request != answer->request)
        stream = stream->next;
    if (!stream)
        return 0; /* its client has gone meanwhile */
    stream->count_request = 0;
    pg_session_counted(stream->session, answer->rule, answer->wait_s);
    return 0;
}
