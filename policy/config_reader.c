/* The readers of single values. A value that was reported once (CONFIG_BROKEN, a missing key) stays silent.
 */
#include "policy/config_reader.h"
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include "base/text.h"

static const char *const KIND_WORDS[] = {
    [CONFIG_TEXT] = "text", [CONFIG_LIST] = "a list", [CONFIG_MAP] = "a map", [CONFIG_BROKEN] = "broken"
};

void config_fault(struct config_reader *reader, const struct config_node *place, const char *format, ...)
{
    char message[CONFIG_MESSAGE_MAX];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    config_faults_add(reader->faults, place->line, place->column, "%s", message);
}

const char *config_subject(const struct config_node *node, char out[CONFIG_SUBJECT_MAX])
{
    if (!*node->name)
        snprintf(out, CONFIG_SUBJECT_MAX, "the file");
    else
        snprintf(out, CONFIG_SUBJECT_MAX, "%s\"%.64s\"", node->key ? "" : "an item of ", node->name);
    return out;
}

/* The node is there, was not reported before, and is of this kind; reported when it is of another. */
static bool is_kind(struct config_reader *reader, const struct config_node *node, enum config_kind kind)
{
    char subject[CONFIG_SUBJECT_MAX];

    if (!node || node->kind == CONFIG_BROKEN)
        return false;
    if (node->kind == kind && !config_node_is_null(node))
        return true;
    if (config_node_is_null(node))
        config_fault(reader, node, "%s has no value", config_subject(node, subject));
    else
        config_fault(reader, node, "%s must be %s, not %s", config_subject(node, subject), KIND_WORDS[kind],
                     KIND_WORDS[node->kind]);
    return false;
}

static bool has_control_character(const struct config_node *node)
{
    for (size_t i = 0; i < node->size; i++) {
        unsigned char c = (unsigned char)node->text[i];
        if (c < 0x20 || c == 0x7f)
            return true;
    }
    return false;
}

bool config_text(struct config_reader *reader, const struct config_node *node, const char **ret)
{
    char subject[CONFIG_SUBJECT_MAX];

    if (!is_kind(reader, node, CONFIG_TEXT))
        return false;
    config_subject(node, subject);
    if (!node->size) {
        config_fault(reader, node, "%s is empty", subject);
        return false;
    }
    if (node->size > CONFIG_TEXT_MAX) {
        config_fault(reader, node, "%s is longer than %d bytes", subject, CONFIG_TEXT_MAX);
        return false;
    }
    if (has_control_character(node)) {
        config_fault(reader, node, "%s must be one line without control characters", subject);
        return false;
    }
    *ret = node->text;
    return true;
}

/* Letters and digits, and of these others; beginning with one of the former. */
static bool read_name(struct config_reader *reader, const struct config_node *node, const char *others,
                      size_t max, const char **ret)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    char subject[CONFIG_SUBJECT_MAX];
    const char *text = NULL;

    if (!config_text(reader, node, &text))
        return false;
    if (node->size > max) {
        config_fault(reader, node, "%s is longer than %zu bytes", config_subject(node, subject), max);
        return false;
    }
    const char *at = strchr(letters, text[0]) ? text : NULL;
    while (at && *at && (strchr(letters, *at) || strchr(others, *at)))
        at++;
    if (!at || *at) {
        config_fault(reader, node, "\"%s\" is no name: letters, digits and %s, the first a letter or digit",
                     text, others);
        return false;
    }
    *ret = text;
    return true;
}

bool config_name(struct config_reader *reader, const struct config_node *node, const char **ret)
{
    return read_name(reader, node, "._-@", CONFIG_NAME_MAX, ret);
}

bool config_credential(struct config_reader *reader, const struct config_node *node, const char **ret)
{
    return read_name(reader, node, "._-@+/", CONFIG_CREDENTIAL_MAX, ret);
}

bool config_flag(struct config_reader *reader, const struct config_node *node, bool *ret)
{
    if (!is_kind(reader, node, CONFIG_TEXT))
        return false;
    if (!node->plain || (strcmp(node->text, "true") && strcmp(node->text, "false"))) {
        config_fault(reader, node, "\"%s\" must be true or false", node->name);
        return false;
    }
    *ret = node->text[0] == 't';
    return true;
}

bool config_duration(struct config_reader *reader, const struct config_node *node, uint64_t min, uint64_t max,
                     uint64_t *ret_ms)
{
    char shortest[24], longest[24];
    const char *text = NULL;
    uint64_t ms = 0;

    if (!config_text(reader, node, &text))
        return false;
    if (!text_to_duration(text, &ms)) {
        config_fault(reader, node, "\"%s\" is no duration; write 500ms, 30s, 15m, 12h or 90d", text);
        return false;
    }
    if (ms < min || ms > max) {
        config_fault(reader, node, "\"%s\" must be between %s and %s", node->name,
                     text_duration(shortest, min), text_duration(longest, max));
        return false;
    }
    *ret_ms = ms;
    return true;
}

bool config_size(struct config_reader *reader, const struct config_node *node, uint64_t min, uint64_t max,
                 uint64_t *ret_bytes)
{
    const char *text = NULL;
    uint64_t bytes = 0;

    if (!config_text(reader, node, &text))
        return false;
    if (!text_to_size(text, &bytes)) {
        config_fault(reader, node, "\"%s\" is no size; write 64KiB, 10MiB or 1GiB", text);
        return false;
    }
    if (bytes < min || bytes > max) {
        config_fault(reader, node, "\"%s\" must be between %" PRIu64 "KiB and %" PRIu64 "GiB", node->name,
                     min >> 10, max >> 30);
        return false;
    }
    *ret_bytes = bytes;
    return true;
}

/* Adds "a, b, c" of the words to out. */
static void list_words(const char *const *words, char *out, size_t size)
{
    size_t used = 0;

    for (size_t i = 0; words[i] && used < size; i++) {
        int n = snprintf(out + used, size - used, "%s%s", i ? ", " : "", words[i]);
        used += n > 0 ? (size_t)n : 0;
    }
}

bool config_choice(struct config_reader *reader, const struct config_node *node, const char *const *words,
                   const char **ret)
{
    char known[CONFIG_MESSAGE_MAX / 2], near[CONFIG_HINT_MAX], subject[CONFIG_SUBJECT_MAX];
    const char *text = NULL;

    if (!config_text(reader, node, &text))
        return false;
    struct config_hint hint = config_hint_for(reader->faults, text);
    for (size_t i = 0; words[i]; i++) {
        if (!strcmp(words[i], text)) {
            *ret = words[i];
            return true;
        }
        config_hint_try(&hint, words[i]);
    }
    list_words(words, known, sizeof known);
    config_fault(reader, node, "%s must be one of %s, not \"%.80s\"%s", config_subject(node, subject), known,
                 text, config_hint_text(&hint, near));
    return false;
}

const struct config_node *config_list(struct config_reader *reader, const struct config_node *node,
                                      enum config_emptiness emptiness)
{
    if (!is_kind(reader, node, CONFIG_LIST))
        return NULL;
    if (!node->first && emptiness == CONFIG_NOT_EMPTY)
        config_fault(reader, node, "\"%s\" is an empty list", node->name);
    if (node->count > CONFIG_LIST_MAX) {
        config_fault(reader, node, "\"%s\" has more than %d items", node->name, CONFIG_LIST_MAX);
        return NULL;
    }
    return node->first;
}

static void check_entry(struct config_reader *reader, const struct config_node *map,
                        const struct config_node *value)
{
    const struct config_node *key = value->key;

    if (key->kind != CONFIG_TEXT)
        return;
    if (!key->size || key->size > CONFIG_TEXT_MAX || has_control_character(key))
        config_fault(reader, key,
                     "a key of \"%s\" must be one line of 1 to %d bytes without control characters",
                     map->name, CONFIG_TEXT_MAX);
    for (const struct config_node *first = map->first; first != value; first = first->next)
        if (first->key->kind == CONFIG_TEXT && !strcmp(first->key->text, key->text)) {
            config_fault(reader, key, "\"%.80s\" is given twice, first in line %u", key->text,
                         first->key->line);
            return;
        }
}

const struct config_node *config_entries(struct config_reader *reader, const struct config_node *node)
{
    if (!is_kind(reader, node, CONFIG_MAP))
        return NULL;
    if (!node->first)
        config_fault(reader, node, "\"%s\" is an empty map", node->name);
    if (node->count > CONFIG_ENTRIES_MAX) {
        config_fault(reader, node, "\"%s\" has more than %d entries", node->name, CONFIG_ENTRIES_MAX);
        return NULL;
    }
    for (const struct config_node *value = node->first; value; value = value->next)
        check_entry(reader, node, value);
    return node->first;
}

void config_set(struct config_reader *reader, char **slot, const char *text)
{
    char *copy = strdup(text);

    if (copy)
        *slot = copy;
    else
        reader->no_memory = true;
}

bool config_grow(struct config_reader *reader, size_t count, void ***list)
{
    void **grown = realloc(*list, (count + 1) * sizeof *grown);

    if (!grown) {
        reader->no_memory = true;
        return false;
    }
    *list = grown;
    return true;
}

void config_push(struct config_reader *reader, size_t *count, char ***list, const char *text)
{
    char *copy = strdup(text);

    if (!copy || !config_grow(reader, *count, (void ***)list)) {
        free(copy);
        reader->no_memory = true;
        return;
    }
    (*list)[(*count)++] = copy;
}

bool config_repeats(struct config_reader *reader, const struct config_node *item, const char *text,
                    size_t count, char *const *list)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(list[i], text) != 0)
            continue;
        config_fault(reader, item, "\"%.80s\" is listed twice", text);
        return true;
    }
    return false;
}

void config_texts(struct config_reader *reader, const struct config_node *node, size_t *count, char ***list)
{
    const struct config_node *item = config_list(reader, node, CONFIG_NOT_EMPTY);
    const char *text = NULL;

    for (; item; item = item->next)
        if (config_text(reader, item, &text) && !config_repeats(reader, item, text, *count, *list))
            config_push(reader, count, list, text);
}

void config_text_or_texts(struct config_reader *reader, const struct config_node *node, size_t *count,
                          char ***list)
{
    const char *text = NULL;

    if (node && node->kind == CONFIG_LIST)
        config_texts(reader, node, count, list);
    else if (config_text(reader, node, &text))
        config_push(reader, count, list, text);
}
