/* See known_keys.h. A walk through all of them takes a microsecond or two, once per login. */
#include "server/known_keys.h"

bool known_keys_has(const struct known_keys *known, uint64_t key)
{
    for (size_t i = 0; i < KNOWN_KEYS_MAX; i++)
        if (known->keys[i] == key)
            return key != 0;
    return false;
}

void known_keys_add(struct known_keys *known, uint64_t key)
{
    if (key == 0 || known_keys_has(known, key))
        return;
    known->keys[known->next] = key;
    known->next = (known->next + 1) % KNOWN_KEYS_MAX;
}
