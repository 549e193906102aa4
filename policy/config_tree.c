/* libyaml's events into a tree, the one file that touches libyaml.
 *
 * Only what a configuration needs is let in: one document of maps with plain keys, lists and scalars.
 * Anchors, aliases (whose expansion is how a small file becomes a huge one), tags and further documents are
 * faults. Every dimension is bounded: bytes by the caller, nodes and depth here; libyaml itself keeps its
 * state on the heap. */
#include "policy/config_tree.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <yaml.h>
#include "base/text.h"

struct builder {
    yaml_parser_t parser;
    struct config_tree *tree;
    struct config_faults *faults;
    struct config_node *open[CONFIG_DEPTH_MAX]; /* lists and maps that are not closed yet */
    size_t depth;
    struct config_node *key; /* of the innermost map: the one whose value comes next */
    bool seen_document;
};

void config_tree_free(struct config_tree *tree)
{
    struct config_node *node = tree->newest;

    while (node) {
        struct config_node *older = node->older;
        if (node->text)
            explicit_bzero(node->text, node->size);
        free(node->text);
        free(node);
        node = older;
    }
    *tree = (struct config_tree){ 0 };
}

const struct config_node *config_node_get(const struct config_node *map, const char *key)
{
    if (!map || map->kind != CONFIG_MAP)
        return NULL;
    for (const struct config_node *value = map->first; value; value = value->next)
        if (value->key->kind == CONFIG_TEXT && !strcmp(value->key->text, key))
            return value;
    return NULL;
}

bool config_node_is_null(const struct config_node *node)
{
    return node->kind == CONFIG_TEXT && node->plain &&
           (!*node->text || !strcmp(node->text, "~") || !strcasecmp(node->text, "null"));
}

static void add_fault(struct builder *b, const yaml_mark_t *mark, const char *message)
{
    config_faults_add(b->faults, (unsigned)mark->line + 1, (unsigned)mark->column + 1, "%s", message);
}

static int new_node(struct builder *b, enum config_kind kind, const yaml_mark_t *mark,
                    struct config_node **ret)
{
    if (b->tree->count >= CONFIG_NODES_MAX) {
        add_fault(b, mark, "the file holds too many values");
        return 1;
    }
    struct config_node *node = calloc(1, sizeof *node);
    if (!node)
        return -ENOMEM;
    node->kind = kind;
    node->line = (unsigned)mark->line + 1;
    node->column = (unsigned)mark->column + 1;
    node->name = "";
    node->older = b->tree->newest;
    b->tree->newest = node;
    b->tree->count++;
    *ret = node;
    return 0;
}

static void append(struct config_node *parent, struct config_node *node)
{
    if (parent->last)
        parent->last->next = node;
    else
        parent->first = node;
    parent->last = node;
    parent->count++;
}

/* Puts the node where the document has got to. 1: a map has something else than a word as its key. */
static int place(struct builder *b, struct config_node *node)
{
    struct config_node *parent = b->depth ? b->open[b->depth - 1] : NULL;

    if (!parent) {
        b->tree->root = node;
        return 0;
    }
    if (parent->kind == CONFIG_LIST) {
        node->name = parent->name;
        append(parent, node);
        return 0;
    }
    if (b->key) {
        node->key = b->key;
        node->name = b->key->text ? b->key->text : "";
        b->key = NULL;
        append(parent, node);
        return 0;
    }
    if (node->kind == CONFIG_LIST || node->kind == CONFIG_MAP) {
        config_faults_add(b->faults, node->line, node->column, "a key must be a word");
        return 1;
    }
    b->key = node;
    return 0;
}

static void refuse_decorations(struct builder *b, const yaml_mark_t *mark, const yaml_char_t *anchor,
                               const yaml_char_t *tag)
{
    if (anchor)
        add_fault(b, mark, "anchors (&name) are not allowed here");
    if (tag)
        add_fault(b, mark, "tags (!name) are not allowed here");
}

static int take_alias(struct builder *b, const yaml_event_t *event)
{
    struct config_node *node = NULL;

    add_fault(b, &event->start_mark,
              "aliases (*name) are not allowed here; text that begins with * needs quotes");
    int r = new_node(b, CONFIG_BROKEN, &event->start_mark, &node);
    return r ? r : place(b, node);
}

static int take_scalar(struct builder *b, const yaml_event_t *event)
{
    struct config_node *node = NULL;

    refuse_decorations(b, &event->start_mark, event->data.scalar.anchor, event->data.scalar.tag);
    int r = new_node(b, CONFIG_TEXT, &event->start_mark, &node);
    if (r)
        return r;
    node->size = event->data.scalar.length;
    node->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    node->text = malloc(node->size + 1);
    if (!node->text)
        return -ENOMEM;
    memcpy(node->text, event->data.scalar.value, node->size);
    node->text[node->size] = '\0';
    return place(b, node);
}

static int open_container(struct builder *b, enum config_kind kind, const yaml_mark_t *mark)
{
    struct config_node *node = NULL;

    if (b->depth == CONFIG_DEPTH_MAX) {
        add_fault(b, mark, "lists and maps are nested too deeply");
        return 1;
    }
    int r = new_node(b, kind, mark, &node);
    if (!r)
        r = place(b, node);
    if (!r)
        b->open[b->depth++] = node;
    return r;
}

/* 0, 1 when a fault ends the reading, or -ENOMEM. */
static int take_event(struct builder *b, const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
        if (b->seen_document) {
            add_fault(b, &event->start_mark, "the file must hold one document only");
            return 1;
        }
        b->seen_document = true;
        return 0;
    case YAML_ALIAS_EVENT:
        return take_alias(b, event);
    case YAML_SCALAR_EVENT:
        return take_scalar(b, event);
    case YAML_SEQUENCE_START_EVENT:
        refuse_decorations(b, &event->start_mark, event->data.sequence_start.anchor,
                           event->data.sequence_start.tag);
        return open_container(b, CONFIG_LIST, &event->start_mark);
    case YAML_MAPPING_START_EVENT:
        refuse_decorations(b, &event->start_mark, event->data.mapping_start.anchor,
                           event->data.mapping_start.tag);
        return open_container(b, CONFIG_MAP, &event->start_mark);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        b->depth--;
        return 0;
    default:
        return 0;
    }
}

/* The place of a byte; columns are counted in characters, as libyaml counts them. */
static yaml_mark_t mark_of(const uint8_t *bytes, size_t offset)
{
    yaml_mark_t mark = { 0 };

    for (size_t i = 0; i < offset; i++) {
        if (bytes[i] == '\n') {
            mark.line++;
            mark.column = 0;
        } else if ((bytes[i] & 0xc0) != 0x80) {
            mark.column++;
        }
    }
    return mark;
}

/* The first byte of the character with this number (libyaml's index counts characters), or 0. */
static uint8_t character_at(const uint8_t *bytes, size_t n, size_t number)
{
    for (size_t i = 0; i < n; i++)
        if ((bytes[i] & 0xc0) != 0x80 && number-- == 0)
            return bytes[i];
    return 0;
}

static int report_syntax(struct builder *b, const uint8_t *bytes, size_t n)
{
    const yaml_parser_t *parser = &b->parser;
    const char *problem = parser->problem ? parser->problem : "not readable";

    if (parser->error == YAML_MEMORY_ERROR)
        return -ENOMEM;
    if (parser->error == YAML_READER_ERROR) {
        yaml_mark_t mark = mark_of(bytes, parser->problem_offset < n ? parser->problem_offset : n);
        add_fault(b, &mark, problem);
        return 1;
    }
    const yaml_mark_t *mark = &parser->problem_mark;
    if (character_at(bytes, n, mark->index) == '\t') {
        add_fault(b, mark, "tabs are not allowed for indentation");
        return 1;
    }
    if (parser->context)
        config_faults_add(b->faults, (unsigned)mark->line + 1, (unsigned)mark->column + 1,
                          "YAML: %s, %s that began in line %zu", problem, parser->context,
                          parser->context_mark.line + 1);
    else
        config_faults_add(b->faults, (unsigned)mark->line + 1, (unsigned)mark->column + 1, "YAML: %s",
                          problem);
    return 1;
}

static int build(struct builder *b, const uint8_t *bytes, size_t n)
{
    for (;;) {
        yaml_event_t event;
        if (!yaml_parser_parse(&b->parser, &event))
            return report_syntax(b, bytes, n);
        bool ended = event.type == YAML_STREAM_END_EVENT;
        int r = take_event(b, &event);
        yaml_event_delete(&event);
        if (r || ended)
            return r;
    }
}

/* Bytes of the character that its first byte announces, or 1. */
static size_t announced(uint8_t first)
{
    return first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc0 ? 2 : 1;
}

/* libyaml takes UTF-16 too and says little about bad bytes: so this is settled before. */
static bool is_utf8(const uint8_t *bytes, size_t n, struct config_faults *faults)
{
    size_t bad = 0;

    if (text_is_utf8(bytes, n))
        return true;
    while (bad < n && announced(bytes[bad]) <= n - bad && text_is_utf8(bytes + bad, announced(bytes[bad])))
        bad += announced(bytes[bad]);
    yaml_mark_t mark = mark_of(bytes, bad);
    config_faults_add(faults, (unsigned)mark.line + 1, (unsigned)mark.column + 1,
                      "the file is not UTF-8 text");
    return false;
}

static const char BYTE_ORDER_MARK[] = "\xef\xbb\xbf"; /* some editors begin UTF-8 with it */

int config_tree_read(struct config_tree *tree, const uint8_t *bytes, size_t n, struct config_faults *faults)
{
    struct builder b = { .tree = tree, .faults = faults };

    if (!is_utf8(bytes, n, faults))
        return 1;
    if (n >= sizeof BYTE_ORDER_MARK - 1 && !memcmp(bytes, BYTE_ORDER_MARK, sizeof BYTE_ORDER_MARK - 1)) {
        bytes += sizeof BYTE_ORDER_MARK - 1;
        n -= sizeof BYTE_ORDER_MARK - 1;
    }
    if (!yaml_parser_initialize(&b.parser))
        return -ENOMEM;
    yaml_parser_set_encoding(&b.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&b.parser, bytes, n);
    int r = build(&b, bytes, n);
    yaml_parser_delete(&b.parser);
    return r;
}
