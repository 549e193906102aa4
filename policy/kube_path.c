/* See kube_path.h. A set of states is followed, as "**" may stand for more or for less: no way back is
 * needed, whatever the pattern. */
#include "policy/kube_path.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int bad(struct detail *detail, const char *why)
{
    return detail_fail(detail, KUBE_PATH_BAD, "%s", why);
}

static int add(struct kube_path *path, struct kube_part part, struct detail *detail)
{
    if (path->n == KUBE_PATH_PARTS_MAX)
        return detail_fail(detail, KUBE_PATH_BAD, "it has more than %d parts", KUBE_PATH_PARTS_MAX);
    path->parts[path->n++] = part;
    return 0;
}

/* "*", "**" or a key, which are not inside of brackets. */
static int add_plain(struct kube_path *path, const char *text, size_t n, struct detail *detail)
{
    struct kube_part part = { .kind = KUBE_PART_KEY, .key = text, .n = n };
    if (n == 1 && *text == '*')
        part.kind = KUBE_PART_ANY;
    else if (n == 2 && memcmp(text, "**", 2) == 0)
        part.kind = KUBE_PART_MANY;
    else if (memchr(text, '*', n) || memchr(text, '?', n))
        return bad(detail, "a part is a name, * or **: a name has no * or ? in it");
    return add(path, part, detail);
}

/* "[*]" or "[KEY]"; *text stands behind it afterwards. */
static int add_bracket(struct kube_path *path, const char **text, struct detail *detail)
{
    const char *key = *text + 1, *end = strchr(key, ']');
    struct kube_part part = { .kind = KUBE_PART_KEY, .key = key };
    if (!end || end == key)
        return bad(detail, "a bracket holds * or a key, and is closed");
    part.n = (size_t)(end - key);
    if (part.n == 1 && *key == '*')
        part.kind = KUBE_PART_ELEMENT;
    else if (strspn(key, "0123456789") == part.n)
        return bad(detail, "elements of a list are written [*]");
    *text = end + 1;
    return add(path, part, detail);
}

static int parse(struct kube_path *path, struct detail *detail)
{
    const char *at = path->text;
    int r = 0;
    while (r == 0 && *at) {
        size_t n = strcspn(at, ".[");
        if (n == 0 && *at != '[')
            return bad(detail, "it has an empty part");
        if (n > 0)
            r = add_plain(path, at, n, detail);
        at += n;
        while (r == 0 && *at == '[')
            r = add_bracket(path, &at, detail);
        if (r == 0 && *at == '.' && !*++at)
            return bad(detail, "it has an empty part");
    }
    return r ? r : path->n ? 0 : bad(detail, "it is empty");
}

int kube_path_parse(const char *text, struct kube_path *ret, struct detail *detail)
{
    struct kube_path path = { .text = strdup(text) };
    if (!path.text)
        return -ENOMEM;
    int r = parse(&path, detail);
    if (r)
        kube_path_clear(&path);
    else
        *ret = path;
    return r;
}

void kube_path_clear(struct kube_path *path)
{
    free(path->text);
    *path = (struct kube_path){ 0 };
}

/* The state itself, and those that are there without a further step. */
static uint64_t with_shortcuts(const struct kube_path *path, size_t state)
{
    uint64_t states = UINT64_C(1) << state;
    while (state < path->n && path->parts[state].kind == KUBE_PART_MANY)
        states |= UINT64_C(1) << ++state;
    return states;
}

uint64_t kube_path_start(const struct kube_path *path)
{
    return with_shortcuts(path, 0);
}

static bool part_takes(const struct kube_part *part, const char *key, size_t n)
{
    switch (part->kind) {
    case KUBE_PART_KEY:
        return key && part->n == n && memcmp(part->key, key, n) == 0;
    case KUBE_PART_ELEMENT:
        return !key;
    case KUBE_PART_ANY:
    case KUBE_PART_MANY:
        break;
    }
    return true;
}

uint64_t kube_path_step(const struct kube_path *path, uint64_t states, const char *key, size_t n)
{
    uint64_t reached = 0;
    for (size_t i = 0; i < path->n && states >> i; i++) {
        if (!(states >> i & 1) || !part_takes(&path->parts[i], key, n))
            continue;
        reached |= with_shortcuts(path, path->parts[i].kind == KUBE_PART_MANY ? i : i + 1);
    }
    return reached;
}

bool kube_path_is_met(const struct kube_path *path, uint64_t states)
{
    return states >> path->n & 1;
}
