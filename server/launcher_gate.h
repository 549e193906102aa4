/* A gate that may ask for tools. */
#pragma once
#include "server/launcher.h"

/* A gate was born: fd is its control socket, taken also on failure. */
MUST_USE int gate_new(struct launcher *launcher, const Ipc__Peer *peer, int fd);
/* At the very end. */
void gate_free_all(struct launcher *launcher);
