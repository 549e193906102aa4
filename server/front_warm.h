/* What every connection would have to set up anew is set up once, in the zygote. */
#pragma once
#include <libssh/libssh.h>
#include <libssh/server.h>

/* Runs key exchanges with itself, so that the cryptographic library has looked up its algorithms before the
 * first fork: children share that memory and are spared the time. Failing does no harm. */
void front_warm(ssh_bind bind);
