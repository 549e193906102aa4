/* A packed list of requests, as the ledger gives it. */
#pragma once
#include "base/ipc.h"

enum { APPROVAL_LIST_MAX = 16 * 1024 * 1024 }; /* bytes */

/* fd: borrowed; -1 fails. */
MUST_USE int approval_list_read(int fd, Ipc__ApprovalList **ret);
void approval_list_free(Ipc__ApprovalList *list);
DEFINE_CLEANUP(Ipc__ApprovalList *, approval_list_free)
