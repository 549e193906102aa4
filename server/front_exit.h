/* How a front ends, as exit status: what the listener learns of a connection. */
#pragma once

enum front_exit {
    FRONT_EXIT_DONE = 0,         /* the user was admitted, and the connection ended in whatever way */
    FRONT_EXIT_FAILED = 1,       /* our own fault */
    FRONT_EXIT_NO_LOGIN = 10,    /* it ended before anything was offered to authenticate with */
    FRONT_EXIT_LOGIN_FAILED = 11 /* keys or certificates were offered, none was admitted */
};
