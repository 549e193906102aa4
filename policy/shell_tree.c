/* The one place that touches tree-sitter. Its tree is walked by a cursor, without recursion. */
#include <errno.h>
#include <string.h>
#include <tree_sitter/api.h>
#include "policy/shell_parts.h"

enum { TIME_MAX = 2 * 1000 * 1000 }; /* microseconds; what takes longer is not understood */

const TSLanguage *tree_sitter_bash(void);

struct marks {
    struct shell_mark *items;
    size_t count, size;
};

static int add(struct marks *marks, TSNode name)
{
    if (marks->count == SHELL_COMMANDS_MAX + 1)
        return 1;
    if (marks->count == marks->size) {
        size_t size = marks->size ? marks->size * 2 : 16;
        struct shell_mark *items = reallocarray(marks->items, size, sizeof *items);
        if (!items)
            return -ENOMEM;
        marks->items = items;
        marks->size = size;
    }
    marks->items[marks->count++] = (struct shell_mark){ ts_node_start_byte(name), ts_node_end_byte(name) };
    return 0;
}

/* The name of a simple command, if the node is one. The grammar has kinds of their own for some builtins. */
static int add_command(struct marks *marks, TSNode node, const char *text)
{
    static const char *const named_by_first[] = { "declaration_command", "unset_command" };
    const char *type = ts_node_type(node);
    if (strcmp(type, "command") == 0) {
        TSNode name = ts_node_child_by_field_name(node, "name", 4);
        return ts_node_is_null(name) ? 0 : add(marks, name);
    }
    for (size_t i = 0; i < sizeof named_by_first / sizeof named_by_first[0]; i++)
        if (strcmp(type, named_by_first[i]) == 0)
            return add(marks, ts_node_child(node, 0));
    if (strcmp(type, "test_command") == 0) {
        TSNode bracket = ts_node_child(node, 0);
        bool test = ts_node_end_byte(bracket) - ts_node_start_byte(bracket) == 1 &&
                    text[ts_node_start_byte(bracket)] == '[';
        return test ? add(marks, bracket) : 0;
    }
    return 0;
}

static int collect(TSNode root, const char *text, struct marks *marks)
{
    TSTreeCursor cursor = ts_tree_cursor_new(root);
    int r = 0;
    bool more = true;
    while (r == 0 && more) {
        r = add_command(marks, ts_tree_cursor_current_node(&cursor), text);
        if (ts_tree_cursor_goto_first_child(&cursor))
            continue;
        while (!(more = ts_tree_cursor_goto_next_sibling(&cursor)))
            if (!ts_tree_cursor_goto_parent(&cursor))
                break;
    }
    ts_tree_cursor_delete(&cursor);
    return r;
}

static int by_place(const void *a, const void *b)
{
    const struct shell_mark *x = a, *y = b;
    return x->from != y->from ? (x->from < y->from ? -1 : 1) : x->to != y->to ? (x->to < y->to ? -1 : 1) : 0;
}

static bool are_same(struct shell_mark *a, size_t n_a, struct shell_mark *b, size_t n_b)
{
    if (n_a != n_b)
        return false;
    if (n_a > 0) {
        qsort(a, n_a, sizeof *a, by_place);
        qsort(b, n_b, sizeof *b, by_place);
    }
    for (size_t i = 0; i < n_a; i++)
        if (by_place(&a[i], &b[i]) != 0)
            return false;
    return true;
}

int shell_tree_agrees(const char *text, size_t n, struct shell_mark *marks, size_t n_marks)
{
    struct marks found = { 0 };
    TSTree *tree = NULL;
    int r = 1;
    TSParser *parser = ts_parser_new();
    if (!parser)
        return -ENOMEM;
    ts_parser_set_timeout_micros(parser, TIME_MAX);
    if (ts_parser_set_language(parser, tree_sitter_bash()))
        tree = ts_parser_parse_string(parser, NULL, text, (uint32_t)n);
    if (tree && !ts_node_has_error(ts_tree_root_node(tree)))
        r = collect(ts_tree_root_node(tree), text, &found);
    if (r == 0)
        r = are_same(marks, n_marks, found.items, found.count) ? 0 : 1;
    free(found.items);
    if (tree)
        ts_tree_delete(tree);
    ts_parser_delete(parser);
    return r;
}
