/* The cases are read with the reader of the configuration: the same YAML, the same kind of faults. A file
 * with a fault runs no case: a typing error must not look like a passed test. */
#include "policy/policy_test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "base/text.h"
#include "policy/config_reader.h"
#include "policy/explain.h"
#include "policy/judge.h"

enum { SHOWN_MAX = 4096, ROLES_MAX = 64 };

static const struct config_key KEYS[] = {
    { "as", CONFIG_REQUIRED },      { "target", CONFIG_REQUIRED }, { "statement", CONFIG_REQUIRED },
    { "verdict", CONFIG_REQUIRED }, { "rule", CONFIG_OPTIONAL },   { "code", CONFIG_OPTIONAL },
};
static const char *const VERDICTS[] = { "allow", "approve", "deny", NULL };

/* Borrowed from the tree. */
struct one_case {
    char *roles[ROLES_MAX];
    size_t n_roles;
    const char *target, *sql, *verdict, *rule, *code;
    unsigned line;
};

static void read_roles(struct config_reader *reader, const struct config_node *node, struct one_case *c)
{
    const struct config_node *item = config_list(reader, node, CONFIG_NOT_EMPTY);
    const char *text = NULL;
    for (; item; item = item->next) {
        if (!config_text(reader, item, &text))
            continue;
        if (c->n_roles == ROLES_MAX)
            config_fault(reader, item, "more than %d roles", ROLES_MAX);
        else
            c->roles[c->n_roles++] =
                (char *)text; /* rules take roles as strings of a message, and do not write */
    }
}

static void read_statement(struct config_reader *reader, const struct config_node *node, struct one_case *c)
{
    if (!node || node->kind != CONFIG_TEXT || node->size > POLICY_TEST_STATEMENT_MAX ||
        strlen(node->text) != node->size || !text_is_utf8(node->text, node->size)) {
        if (node && node->kind != CONFIG_BROKEN)
            config_fault(reader, node, "\"statement\" must be a text of at most %d bytes",
                         POLICY_TEST_STATEMENT_MAX);
        return;
    }
    c->sql = node->text;
}

/* False after a report. */
static bool read_case(struct config_reader *reader, const struct config_node *node, struct one_case *ret)
{
    struct one_case c = { .line = node->line };
    struct circumstances who;
    struct detail detail;
    size_t before = reader->faults->count + reader->faults->unreported;
    if (!config_map(reader, node, CONFIG_KEYS(KEYS), "case"))
        return false;
    read_roles(reader, config_node_get(node, "as"), &c);
    read_statement(reader, config_node_get(node, "statement"), &c);
    const struct config_node *target = config_node_get(node, "target");
    if (config_text(reader, target, &c.target) &&
        explain_circumstances(reader->config, c.roles, c.n_roles, c.target, &who, &detail) != 0)
        config_fault(reader, target, "%s", detail.text);
    const struct config_node *verdict = config_node_get(node, "verdict");
    if (verdict)
        (void)config_choice(reader, verdict, VERDICTS, &c.verdict);
    (void)config_text(reader, config_node_get(node, "rule"), &c.rule);
    (void)config_text(reader, config_node_get(node, "code"), &c.code);
    if (reader->faults->count + reader->faults->unreported != before)
        return false;
    *ret = c;
    return true;
}

static bool is_as_expected(const struct one_case *c, const struct verdict *v)
{
    return strcmp(c->verdict, action_name(v->action)) == 0 && (!c->rule || strcmp(c->rule, v->rule) == 0) &&
           (!c->code || strcmp(c->code, v->code) == 0);
}

static int report(const struct one_case *c, const char *path, const struct judgement *j, struct buffer *out)
{
    char sql[SHOWN_MAX], effect[SHOWN_MAX], shown[SHOWN_MAX];
    const struct verdict *v = &j->verdict;
    const struct effects *effects = j->request->count ? &j->request->statements[j->statement].effects : NULL;
    effect[0] = '\0';
    if (effects && v->effect < effects->count)
        effect_describe(&effects->items[v->effect], effect, sizeof effect);
    return buffer_printf(
        out,
        "%s:%u: %s\n"
        "  expected  %s%s%s%s%s\n"
        "  got       %s, rule %s%s%s: %s\n"
        "  decided   %s\n",
        path, c->line, text_escape(sql, sizeof sql, c->sql, strlen(c->sql), false), c->verdict,
        c->rule ? ", rule " : "", c->rule ? c->rule : "", c->code ? ", code " : "", c->code ? c->code : "",
        action_name(v->action), v->rule, *v->code ? ", code " : "", v->code, v->reason,
        *effect ? text_escape(shown, sizeof shown, effect, strlen(effect), false) : "nothing");
}

static int run_case(const struct rulebook *rulebook, const Ipc__Config *config, const struct one_case *c,
                    const char *path, struct buffer *out, struct policy_score *score)
{
    CLEANUP(judgement_free) struct judgement judgement = { 0 };
    struct circumstances who;
    int r = explain_circumstances(config, c->roles, c->n_roles, c->target, &who, NULL);
    if (r == 0)
        r = judge_sql(rulebook, &who, c->sql, &judgement);
    if (r != 0)
        return r < 0 ? r : -EINVAL;
    if (is_as_expected(c, &judgement.verdict)) {
        score->passed++;
        return 0;
    }
    score->failed++;
    return report(c, path, &judgement, out);
}

/* Reads all cases before the first one is run. */
static int run_cases(struct config_reader *reader, const struct config_node *root, const char *path,
                     struct buffer *out, struct policy_score *score)
{
    CLEANUP(rulebook_free) struct rulebook *rulebook = NULL;
    const struct config_node *first = config_list(reader, root, CONFIG_NOT_EMPTY);
    struct one_case c;
    for (const struct config_node *item = first; item; item = item->next)
        (void)read_case(reader, item, &c);
    if (reader->no_memory)
        return -ENOMEM;
    if (reader->faults->count || reader->faults->unreported)
        return 1;
    int r = rulebook_new(reader->config, &rulebook);
    for (const struct config_node *item = first; item && r == 0; item = item->next)
        if (read_case(reader, item, &c))
            r = run_case(rulebook, reader->config, &c, path, out, score);
    return r;
}

static int read_file(const char *path, uint8_t **ret, size_t *ret_n, struct config_faults *faults)
{
    CLEANUP(free) uint8_t *bytes = malloc(POLICY_TEST_FILE_MAX + 1);
    if (!bytes)
        return -ENOMEM;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    size_t n = 0;
    ssize_t got = fd < 0 ? -1 : 1;
    while (got > 0 && n <= POLICY_TEST_FILE_MAX) {
        got = read(fd, bytes + n, POLICY_TEST_FILE_MAX + 1 - n);
        n += got > 0 ? (size_t)got : 0;
    }
    const char *why = got < 0 ? strerror(errno) : n > POLICY_TEST_FILE_MAX ? "it is too large" : NULL;
    if (fd >= 0)
        close(fd);
    if (why) {
        config_faults_add(faults, 0, 0, "%s", why);
        return 1;
    }
    *ret = STEAL(bytes);
    *ret_n = n;
    return 0;
}

int policy_test(const Ipc__Config *config, const char *path, struct buffer *out, struct policy_score *ret,
                struct config_faults *faults)
{
    CLEANUP(free) uint8_t *bytes = NULL;
    struct config_tree tree = { 0 };
    struct policy_score score = { 0 };
    size_t n = 0;
    /* The reader takes a Config that it may fill; reading cases fills none. */
    struct config_reader reader = { .config = (Ipc__Config *)config, .faults = faults, .directory = "/" };
    int r = read_file(path, &bytes, &n, faults);
    if (r == 0)
        r = config_tree_read(&tree, bytes, n, faults);
    if (r == 0 && !tree.root) {
        config_faults_add(faults, 0, 0, "it holds no case");
        r = 1;
    }
    if (r == 0)
        r = run_cases(&reader, tree.root, path, out, &score);
    config_faults_sort(faults);
    config_tree_free(&tree);
    if (r != 0)
        return r;
    *ret = score;
    return buffer_printf(out, "%zu as expected, %zu different\n", score.passed, score.failed);
}
