/* CancelRequest to a PostgreSQL server (protocol §55.2.9 "Canceling Requests in Progress"), encrypted when
 * the target's connections are: libpq sends it in clear text until version 17. */
#pragma once
#include "vault/connector.h"

/* 0 when the server took it, which says nothing about what it did. */
MUST_USE int cancel_run(const struct job *job, struct detail *detail);
