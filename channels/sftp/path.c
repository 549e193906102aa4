/* Lexically; what links make of a path only the target knows (resolve.c). */
#include "channels/sftp/path.h"
#include <errno.h>
#include <string.h>

static bool is_part(const char *part, size_t n, const char *text)
{
    return n == strlen(text) && memcmp(part, text, n) == 0;
}

/* Where the last component of out[0, n) begins; never before the root's slash. */
static size_t last_part(const char *out, size_t n)
{
    while (n > 0 && out[n - 1] != '/')
        n--;
    return n;
}

static size_t drop_part(const char *out, size_t n, bool absolute)
{
    size_t at = last_part(out, n);
    return at > (absolute ? 1U : 0U) ? at - 1 : at;
}

/* Every written component is at most as long as what was read of it, so `out` may be `path`. */
int path_normalise(const char *path, char *out)
{
    bool absolute = path[0] == '/';
    size_t n = 0;
    if (strlen(path) >= PATH_TEXT_MAX)
        return -ENAMETOOLONG;
    if (absolute)
        out[n++] = '/';
    for (const char *at = path; *at;) {
        while (*at == '/')
            at++;
        size_t part = strcspn(at, "/");
        bool up = is_part(at, part, "..");
        size_t last = last_part(out, n);
        if (part == 0 || is_part(at, part, ".")) {
            at += part;
            continue;
        }
        if (up && (absolute || (n > 0 && !is_part(out + last, n - last, "..")))) {
            n = drop_part(out, n, absolute);
        } else {
            if (n > 0 && out[n - 1] != '/')
                out[n++] = '/';
            memmove(out + n, at, part);
            n += part;
        }
        at += part;
    }
    if (n == 0)
        out[n++] = '.';
    out[n] = 0;
    return 0;
}

int path_join(const char *directory, const char *name, char *out)
{
    size_t d = strlen(directory), n = strlen(name);
    bool slash = d > 0 && directory[d - 1] != '/';
    if (name[0] == '/')
        d = 0, slash = false;
    if (d + slash + n >= PATH_TEXT_MAX)
        return -ENAMETOOLONG;
    memmove(out, directory, d);
    if (slash)
        out[d] = '/';
    memcpy(out + d + slash, name, n + 1);
    return 0;
}

bool path_split(const char *path, char *directory, const char **ret_name)
{
    size_t n = strlen(path), end = n;
    while (end > 0 && path[end - 1] == '/')
        end--;
    size_t at = last_part(path, end), slashes = at;
    if (end == at || n >= PATH_TEXT_MAX || is_part(path + at, end - at, ".") ||
        is_part(path + at, end - at, ".."))
        return false;
    while (slashes > 1 && path[slashes - 1] == '/')
        slashes--;
    memcpy(directory, at == 0 ? "." : path, at == 0 ? 1 : slashes);
    directory[at == 0 ? 1 : slashes] = 0;
    *ret_name = path + at;
    return true;
}

bool path_is_name(const char *name)
{
    return name[0] && !strchr(name, '/') && strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}
