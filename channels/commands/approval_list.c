/* See approval_list.h. */
#include "channels/commands/approval_list.h"

#include <errno.h>

#include "base/io.h"

int approval_list_read(int fd, Ipc__ApprovalList **ret)
{
    CLEANUP(free) uint8_t *bytes = NULL;
    size_t n = 0;
    int r = fd < 0 ? -EBADF : fd_contents(fd, APPROVAL_LIST_MAX, &bytes, &n);
    if (r)
        return r;
    *ret = ipc__approval_list__unpack(NULL, n, bytes);
    return *ret ? 0 : -EBADMSG;
}

void approval_list_free(Ipc__ApprovalList *list)
{
    if (list)
        ipc__approval_list__free_unpacked(list, NULL);
}
