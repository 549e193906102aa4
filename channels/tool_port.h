/* How far a tool has come with the one connection that it forwards (kubectl port-forward), and what its end
 * is worth. No I/O. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

enum {
    TOOL_PORT_TAKE_MS = 15 * 1000, /* from the pod's being reached to the connection's being taken up */
    TOOL_PORT_END_MS = 5 * 1000,   /* from the connection's end to the tool's */
};

enum tool_port_event {
    TOOL_PORT_REACHED, /* the API server forwards ports of the pod */
    TOOL_PORT_OPENED,  /* the connection began */
    TOOL_PORT_ENDED,   /* the pod has said all, in order */
    TOOL_PORT_FAILED,  /* the server said why there is no connection, or cut it off */
    TOOL_PORT_CLOSED,  /* nothing more comes out of the tool: it is asked to end */
};

enum tool_port_state { TOOL_PORT_SEEKS, TOOL_PORT_WAITS, TOOL_PORT_TALKS, TOOL_PORT_HEARD, TOOL_PORT_BROKEN };

/* All zero at first. */
struct tool_port {
    enum tool_port_state state;
    bool closed;
};

void tool_port_event(struct tool_port *port, enum tool_port_event event);
/* For how long the present may last; 0: as long as it likes. */
unsigned tool_port_limit_ms(const struct tool_port *port);
/* How it ended for the user, given how the tool ended: 0 is for what ended in order alone. A signal that
 * ended the tool counts no more when *by_signal comes back false. */
uint32_t tool_port_status(const struct tool_port *port, uint32_t status, bool *by_signal);
