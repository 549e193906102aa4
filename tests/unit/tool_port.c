/* What becomes of a forwarded port, and what its end is worth. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "channels/tool_port.h"

enum { EVENTS_MAX = 5, NONE = -1 };

#define REACHED TOOL_PORT_REACHED
#define OPENED  TOOL_PORT_OPENED
#define ENDED   TOOL_PORT_ENDED
#define FAILED  TOOL_PORT_FAILED
#define CLOSED  TOOL_PORT_CLOSED

static const struct {
    int events[EVENTS_MAX];
    uint32_t status; /* of the tool */
    bool by_signal;
    uint32_t becomes;
    bool still;
    unsigned limit_ms;
} ends[] = {
    { { NONE }, 0, false, 0, false, 0 }, /* --help */
    { { NONE }, 1, false, 1, false, 0 }, /* no such pod */
    { { CLOSED, NONE }, 1, false, 1, false, TOOL_PORT_END_MS },
    { { REACHED, NONE }, 0, false, 1, false, TOOL_PORT_TAKE_MS },
    { { REACHED, OPENED, NONE }, 0, false, 1, false, 0 }, /* cut off */
    { { REACHED, OPENED, NONE }, 0, true, 0, true, 0 },
    { { REACHED, OPENED, CLOSED, NONE }, 0, true, 0, true, TOOL_PORT_END_MS },
    { { REACHED, OPENED, FAILED, CLOSED, NONE }, 0, false, 1, false, TOOL_PORT_END_MS },
    { { REACHED, OPENED, FAILED, ENDED, NONE }, 0, false, 1, false, 0 },
    { { REACHED, OPENED, ENDED, FAILED, NONE }, 0, false, 1, false, 0 },
    { { REACHED, OPENED, ENDED, CLOSED, NONE }, 0, false, 0, false, TOOL_PORT_END_MS },
    { { REACHED, OPENED, ENDED, CLOSED, NONE }, 0, true, 0, false, TOOL_PORT_END_MS }, /* it had to be killed
                                                                                        */
    { { REACHED, OPENED, ENDED, CLOSED, NONE }, 1, false, 1, false, TOOL_PORT_END_MS },
    { { REACHED, OPENED, ENDED, NONE }, 0, true, 0, true, 0 }, /* not by us */
    { { OPENED, ENDED, NONE }, 1, false, 1, false, 0 },
};

static void success_is_what_ended_in_order(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        struct tool_port port = { 0 };
        bool by_signal = ends[i].by_signal;
        for (size_t k = 0; ends[i].events[k] != NONE; k++)
            tool_port_event(&port, (enum tool_port_event)ends[i].events[k]);
        unsigned limit_ms = tool_port_limit_ms(&port);
        uint32_t status = tool_port_status(&port, ends[i].status, &by_signal);
        if (status != ends[i].becomes || by_signal != ends[i].still || limit_ms != ends[i].limit_ms)
            fail_msg("case %zu: status %u, signal %d, limit %u", i, status, by_signal, limit_ms);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(success_is_what_ended_in_order) };
    return cmocka_run_group_tests_name("tool_port", tests, NULL, NULL);
}
