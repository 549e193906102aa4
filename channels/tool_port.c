/* What is told comes from the API server's side of the connection (kube_talk.c): kubectl 1.20 goes on after a
 * failure, and has no exit status for it.
 *
 *   SEEKS ──reached──▶ WAITS ──opened──▶ TALKS ──ended──▶ HEARD        any ──failed──▶ BROKEN */
#include "channels/tool_port.h"

void tool_port_event(struct tool_port *port, enum tool_port_event event)
{
    static const struct {
        enum tool_port_state from, to;
    } moves[] = {
        [TOOL_PORT_REACHED] = { TOOL_PORT_SEEKS, TOOL_PORT_WAITS },
        [TOOL_PORT_OPENED] = { TOOL_PORT_WAITS, TOOL_PORT_TALKS },
        [TOOL_PORT_ENDED] = { TOOL_PORT_TALKS, TOOL_PORT_HEARD },
    };
    if (event == TOOL_PORT_CLOSED)
        port->closed = true;
    else if (event == TOOL_PORT_FAILED)
        port->state = TOOL_PORT_BROKEN;
    else if (port->state == moves[event].from)
        port->state = moves[event].to;
}

unsigned tool_port_limit_ms(const struct tool_port *port)
{
    return port->closed ? TOOL_PORT_END_MS : port->state == TOOL_PORT_WAITS ? TOOL_PORT_TAKE_MS : 0;
}

uint32_t tool_port_status(const struct tool_port *port, uint32_t status, bool *by_signal)
{
    bool well = port->state == TOOL_PORT_HEARD;
    if (*by_signal && well && port->closed) {
        *by_signal = false; /* it was ours: it took too long to end */
        return 0;
    }
    bool silent = status == 0 && !*by_signal;
    return silent && !well && port->state != TOOL_PORT_SEEKS ? 1 : status; /* SEEKS: --help */
}
