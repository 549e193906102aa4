/* `kubectl port-forward` listens at a port of its own machine. Here it does so in its cage, where the
 * supervisor offers it one connection (sandbox_notice.h), which is the user's standard input and output: so
 * one port, and no choice of where it listens. Of LOCAL:REMOTE the first part means nothing. */
#include "server/launcher_kubectl_parts.h"

/* Words that are neither options nor values of options, from `at` on: all of those behind "--" are. */
static size_t count_plain(const struct line *line, size_t at)
{
    size_t n = line->n > line->end ? line->n - line->end - 1 : 0;
    for (size_t i = kubectl_next_plain(line, at); i < line->end; i = kubectl_next_plain(line, i + 1))
        n++;
    return n;
}

/* TYPE/NAME and a port; kubectl itself says when there are fewer. */
int kubectl_forward(const struct line *line, struct command *command)
{
    int r = 0;
    if (count_plain(line, line->verb + 1) > 2)
        return kubectl_refuse(line, "port-forward of several ports",
                              "it is standard input and output, which are one connection; `ssh -N -L "
                              "8001:TARGET:443 BASTION` and kubectl on your side forward any number");
    for (size_t i = 0; i < line->n && r == 0; i++) {
        r = command_argument(command, line->words[i]);
        if (r == 0 && i == line->verb)
            r = command_argument(command, "--address=127.0.0.1");
    }
    command->forwards = true;
    return r;
}
