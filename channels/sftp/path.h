/* Paths as text: what can be said about them without asking the target. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include "base/error.h"

enum { PATH_TEXT_MAX = 4096 }; /* bytes, terminating NUL included */

/* Without "." and "..", double and trailing slashes; ".." above the root is the root, above a relative
 * beginning stays. "." for nothing. -ENAMETOOLONG. `out` has PATH_TEXT_MAX bytes and may be `path`. */
MUST_USE int path_normalise(const char *path, char *out);
/* directory/name; an absolute name by itself; an empty directory is none. Not normalised. */
MUST_USE int path_join(const char *directory, const char *name, char *out);
/* The directory that the last component is in: "/" of "/a", "." of "a". False when there is no last component
 * that names an entry of it ("/", "", "a/..", "."): then the path as a whole is what it is about. *ret_name
 * points into path, trailing slashes and all. */
MUST_USE bool path_split(const char *path, char *directory, const char **ret_name);
/* A name in a directory, and nothing else: no slash, not empty, not "." or "..". */
bool path_is_name(const char *name);
