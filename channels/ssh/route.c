/* See route.h. */
#include "channels/ssh/route.h"

#include <string.h>

static const char blanks[] = " \t\r\n";

bool route_read(const char *name, size_t n, struct route *ret)
{
    const char *plus = memrchr(name, '+', n);
    size_t login = plus ? (size_t)(plus - name) : 0, target = plus ? n - login - 1 : n;
    if (n >= ROUTE_NAME_MAX || target == 0 || (plus && login == 0))
        return false;
    *ret = (struct route){ .login = "" };
    memcpy(ret->login, name, login);
    memcpy(ret->target, name + n - target, target);
    return true;
}

bool route_line_read(const char *line, struct route_line *ret)
{
    line += strspn(line, blanks);
    line += strcspn(line, blanks);
    line += strspn(line, blanks);
    size_t n = strcspn(line, blanks);
    if (n == 0)
        return false;
    *ret = (struct route_line){ .route = line, .route_n = n, .rest = line + n + strspn(line + n, blanks) };
    return true;
}
