/* See holders.h. */
#include "policy/holders.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void holders_add(struct holders *holders, const struct holder *holder)
{
    for (size_t i = 0; i < holders->n; i++)
        if (holders->items[i].approve == holder->approve)
            return;
    if (holders->n == HOLDERS_MAX)
        holders->overflow = true;
    else
        holders->items[holders->n++] = *holder;
}

void holders_add_all(struct holders *holders, const struct holders *others)
{
    for (size_t i = 0; i < others->n; i++)
        holders_add(holders, &others->items[i]);
    holders->overflow |= others->overflow;
}

void holders_add_statement(struct holders *holders, const struct rulebook *rulebook,
                           const struct circumstances *who, const struct effects *effects)
{
    const Ipc__Rule *rules[HOLDERS_MAX];
    size_t n = rulebook_holding(rulebook, who, effects, rules, HOLDERS_MAX);
    holders->overflow |= n > HOLDERS_MAX;
    for (size_t i = 0; i < n && i < HOLDERS_MAX; i++) {
        const struct holder holder = { rules[i]->name, rules[i]->reason, rules[i]->approve };
        holders_add(holders, &holder);
    }
}

struct words {
    char *at;
    size_t left;
};

__attribute__((format(printf, 2, 3))) static void say(struct words *words, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int n = vsnprintf(words->at, words->left, format, arguments);
    va_end(arguments);
    size_t said = n < 0 ? 0 : (size_t)n < words->left ? (size_t)n : words->left - 1;
    words->at += said;
    words->left -= said;
}

char *holder_by(const Ipc__Approve *approve, char out[HOLDER_BY_MAX])
{
    struct words words = { out, HOLDER_BY_MAX };
    out[0] = 0;
    if (approve->quorum > approve->n_by && approve->quorum > 1)
        say(&words, "%u of ", (unsigned)approve->quorum);
    for (size_t g = 0; g < approve->n_by; g++)
        for (size_t i = 0; i < approve->by[g]->n_roles; i++)
            say(&words, "%s%s", i ? " or " : g ? " and " : "", approve->by[g]->roles[i]);
    return out;
}
