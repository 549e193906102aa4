/* The faults of a configuration file: kept with their places, shown in the order of the file. */
#include "policy/config_fault.h"
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "base/text.h"

void config_faults_free(struct config_faults *faults)
{
    for (size_t i = 0; i < faults->count; i++)
        free(faults->items[i].message);
    free(faults->items);
    *faults = (struct config_faults){ 0 };
}

char *config_fault_line(const struct config_fault *fault, const char *path, char *out, size_t size)
{
    if (fault->line)
        snprintf(out, size, "%s:%u:%u: error: %s", path, fault->line, fault->column, fault->message);
    else
        snprintf(out, size, "%s: error: %s", path, fault->message);
    return out;
}

void config_faults_print(const struct config_faults *faults, const char *path, FILE *out)
{
    char line[CONFIG_MESSAGE_MAX + 4096];

    for (size_t i = 0; i < faults->count; i++)
        fprintf(out, "%s\n", config_fault_line(&faults->items[i], path, line, sizeof line));
    if (faults->unreported)
        fprintf(out, "%s: error: %zu more faults are not shown\n", path, faults->unreported);
}

/* A place for one more, or NULL. */
static struct config_fault *add_item(struct config_faults *faults)
{
    if (faults->count >= CONFIG_FAULTS_MAX)
        return NULL;
    struct config_fault *items = realloc(faults->items, (faults->count + 1) * sizeof *items);
    if (!items)
        return NULL;
    faults->items = items;
    return &items[faults->count];
}

void config_faults_add(struct config_faults *faults, unsigned line, unsigned column, const char *format, ...)
{
    char raw[CONFIG_MESSAGE_MAX], safe[CONFIG_MESSAGE_MAX];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(raw, sizeof raw, format, arguments);
    va_end(arguments);
    text_escape(safe, sizeof safe, raw, strlen(raw), false);

    struct config_fault *item = add_item(faults);
    char *message = item ? strdup(safe) : NULL;
    if (!message) {
        faults->unreported++;
        return;
    }
    *item = (struct config_fault){ .line = line, .column = column, .message = message };
    faults->count++;
}

static bool comes_after(const struct config_fault *a, const struct config_fault *b)
{
    return a->line != b->line ? a->line > b->line : a->column > b->column;
}

/* Insertion: stable, and there are at most CONFIG_FAULTS_MAX. */
void config_faults_sort(struct config_faults *faults)
{
    for (size_t i = 1; i < faults->count; i++) {
        struct config_fault moving = faults->items[i];
        size_t j = i;
        for (; j > 0 && comes_after(&faults->items[j - 1], &moving); j--)
            faults->items[j] = faults->items[j - 1];
        faults->items[j] = moving;
    }
}

size_t config_faults_total(const struct config_faults *faults)
{
    return faults->count + faults->unreported;
}

enum { HINT_WORD_MAX = 63 }; /* longer words get no hint */

static bool is_same(char a, char b)
{
    return strncasecmp(&a, &b, 1) == 0;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Edits that make a of b, a swap of neighbours counting as one (optimal string alignment); case ignored. */
static size_t edit_distance(const char *a, size_t a_n, const char *b, size_t b_n)
{
    size_t table[HINT_WORD_MAX + 1][HINT_WORD_MAX + 1]; /* of the first i bytes of a, the first j of b */

    for (size_t i = 0; i <= a_n; i++) {
        for (size_t j = 0; j <= b_n; j++) {
            if (i == 0 || j == 0) {
                table[i][j] = i + j;
                continue;
            }
            size_t replaced = table[i - 1][j - 1] + !is_same(a[i - 1], b[j - 1]);
            table[i][j] = least(replaced, 1 + least(table[i - 1][j], table[i][j - 1]));
            if (i > 1 && j > 1 && is_same(a[i - 1], b[j - 2]) && is_same(a[i - 2], b[j - 1]))
                table[i][j] = least(table[i][j], 1 + table[i - 2][j - 2]);
        }
    }
    return table[a_n][b_n];
}

/* One slip in a short word, up to three in a long one: more would be another word. */
static size_t slips_allowed(size_t length)
{
    return length < 3 ? 0 : length < 6 ? 1 : length < 10 ? 2 : 3;
}

struct config_hint config_hint_for(const struct config_faults *faults, const char *word)
{
    return (struct config_hint){ .word = faults->count < CONFIG_FAULTS_MAX ? word : NULL };
}

void config_hint_try(struct config_hint *hint, const char *known)
{
    size_t n = hint->word ? strlen(hint->word) : 0, known_n = strlen(known);

    if (!n || n > HINT_WORD_MAX || known_n > HINT_WORD_MAX)
        return;
    size_t distance = edit_distance(hint->word, n, known, known_n);
    if (distance > slips_allowed(n > known_n ? n : known_n) || (hint->best && hint->distance <= distance))
        return;
    hint->best = known;
    hint->distance = distance;
}

char *config_hint_text(const struct config_hint *hint, char out[CONFIG_HINT_MAX])
{
    out[0] = '\0';
    if (hint->best)
        snprintf(out, CONFIG_HINT_MAX, "; did you mean \"%s\"?", hint->best);
    return out;
}
