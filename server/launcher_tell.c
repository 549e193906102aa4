/* See launcher_tell.h. A failed send needs no care here: the peer reports it as gone from the loop. */
#include "server/launcher_tell.h"
#include <string.h>
#include <sys/wait.h>

static char *text(const char *s)
{
    return (char *)(uintptr_t)s; /* messages are only read, but their strings are not const */
}

static void say(struct ipc_peer *gate, const Ipc__Message *message, const int *fds, size_t n_fds)
{
    if (gate)
        (void)ipc_peer_send(gate, message, fds, n_fds);
}

void tell_refused(struct ipc_peer *gate, uint32_t request, const char *code, const char *message)
{
    Ipc__Refusal refusal = IPC__REFUSAL__INIT;
    refusal.code = text(code);
    refusal.message = text(message);
    Ipc__AnswerRun answer = IPC__ANSWER_RUN__INIT;
    answer.request = request;
    answer.refusal = &refusal;
    Ipc__Message packet = IPC_MESSAGE(ANSWER_RUN, answer_run, &answer);
    say(gate, &packet, NULL, 0);
}

void tell_running(struct ipc_peer *gate, uint32_t request, const int *fds, size_t n_fds, bool forwards)
{
    Ipc__AnswerRun answer = IPC__ANSWER_RUN__INIT;
    answer.request = request;
    answer.forwards = forwards;
    Ipc__Message packet = IPC_MESSAGE(ANSWER_RUN, answer_run, &answer);
    say(gate, &packet, fds, n_fds);
}

void tell_connected(struct ipc_peer *gate, uint32_t request, int stream)
{
    Ipc__ToolConnected connected = IPC__TOOL_CONNECTED__INIT;
    connected.request = request;
    Ipc__Message packet = IPC_MESSAGE(TOOL_CONNECTED, tool_connected, &connected);
    say(gate, &packet, &stream, 1);
}

void tell_exited(struct ipc_peer *gate, uint32_t request, int wait_status)
{
    Ipc__ToolExited exited = IPC__TOOL_EXITED__INIT;
    exited.request = request;
    exited.status = WIFEXITED(wait_status) ? (uint32_t)WEXITSTATUS(wait_status) : 0;
    const char *signal = WIFSIGNALED(wait_status) ? sigabbrev_np(WTERMSIG(wait_status)) : NULL;
    exited.signal = text(signal ? signal : "");
    Ipc__Message packet = IPC_MESSAGE(TOOL_EXITED, tool_exited, &exited);
    say(gate, &packet, NULL, 0);
}
