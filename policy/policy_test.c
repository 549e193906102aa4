/* The cases are read with the reader of the configuration: the same YAML, the same kind of faults. A file
 * with a fault runs no case: a typing error must not look like a passed test. */
#include "policy/policy_test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "base/text.h"
#include "policy/config_json.h"
#include "policy/config_reader.h"
#include "policy/explain.h"
#include "policy/judge.h"
#include "policy/judge_kube.h"
#include "policy/judge_transfer.h"
#include "policy/kube_exec.h"
#include "policy/shell.h"
#include "policy/ssh_effects.h"
#include "policy/transfer_servers.h"

enum { SHOWN_MAX = 4096, ROLES_MAX = 64 };

static const struct config_key KEYS[] = {
    { "as", CONFIG_REQUIRED },           { "target", CONFIG_REQUIRED },  { "statement", CONFIG_OPTIONAL },
    { "command", CONFIG_OPTIONAL },      { "channel", CONFIG_OPTIONAL }, { "operation", CONFIG_OPTIONAL },
    { "path", CONFIG_OPTIONAL },         { "verdict", CONFIG_REQUIRED }, { "rule", CONFIG_OPTIONAL },
    { "code", CONFIG_OPTIONAL },         { "request", CONFIG_OPTIONAL }, { "body", CONFIG_OPTIONAL },
    { "content_type", CONFIG_OPTIONAL },
};
static const char *const CHANNELS[] = { "shell", "forward", NULL };
static const char *const VERDICTS[] = { "allow", "approve", "deny", NULL };

/* Borrowed from the tree. */
struct one_case {
    char *roles[ROLES_MAX];
    size_t n_roles;
    const char *target, *verdict, *rule, *code;
    const char *sql; /* or what a host is asked for: */
    const char *command, *channel, *operation, *path;
    enum file_operation file_operation;
    const char *request, *type; /* or a cluster, with the body */
    const struct config_node *body;
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

static void read_statement(struct config_reader *reader, const struct config_node *node, const char **ret)
{
    if (!node || node->kind != CONFIG_TEXT || node->size > POLICY_TEST_STATEMENT_MAX ||
        strlen(node->text) != node->size || !text_is_utf8(node->text, node->size)) {
        if (node && node->kind != CONFIG_BROKEN)
            config_fault(reader, node, "\"%s\" must be a text of at most %d bytes", node->name,
                         POLICY_TEST_STATEMENT_MAX);
        return;
    }
    *ret = node->text;
}

static void read_operation(struct config_reader *reader, const struct config_node *node, struct one_case *c)
{
    const char *words[FILE_LIST + 2] = { NULL };
    for (int i = 0; i <= FILE_LIST; i++)
        words[i] = file_operation_name((enum file_operation)i);
    if (!node || !config_choice(reader, node, words, &c->operation))
        return;
    while (strcmp(file_operation_name(c->file_operation), c->operation) != 0)
        c->file_operation++;
}

/* Whether the case has one of these keys, NULL at the end. */
static bool has_any(const struct config_node *node, const char *const *keys)
{
    for (; *keys; keys++)
        if (config_node_get(node, *keys))
            return true;
    return false;
}

static void read_host_request(struct config_reader *reader, const struct config_node *node,
                              struct one_case *c)
{
    static const char *const others[] = { "statement", "request", "body", "content_type", NULL };
    const struct config_node *channel = config_node_get(node, "channel");
    read_statement(reader, config_node_get(node, "command"), &c->command);
    read_operation(reader, config_node_get(node, "operation"), c);
    (void)config_text(reader, config_node_get(node, "path"), &c->path);
    if (channel)
        (void)config_choice(reader, channel, CHANNELS, &c->channel);
    int asked = !!config_node_get(node, "command") + !!channel + !!config_node_get(node, "operation");
    bool paired = !config_node_get(node, "operation") == !config_node_get(node, "path");
    if (asked != 1 || !paired || has_any(node, others))
        config_fault(reader, node,
                     "a case for a host needs one of \"command\", \"channel\", or \"operation\" with "
                     "\"path\"");
}

static void check_body(struct config_reader *reader, const struct config_node *body)
{
    CLEANUP(free) char *text = NULL;
    size_t n = 0;
    if (config_node_json(body, reader->faults, &text, &n) < 0)
        reader->no_memory = true;
}

static void read_cluster_request(struct config_reader *reader, const struct config_node *node,
                                 struct one_case *c)
{
    static const char *const others[] = { "statement", "command", "channel", "operation", "path", NULL };
    CLEANUP(kube_request_free) struct kube_request *request = NULL;
    const struct config_node *line = config_node_get(node, "request");
    struct detail detail = { "" };
    if (!line || has_any(node, others))
        config_fault(reader, node,
                     "a case for a cluster needs a \"request\", perhaps with a \"body\", and nothing else");
    read_statement(reader, line, &c->request);
    if (c->request && judge_kube_line(c->request, &request, &detail))
        config_fault(reader, line, "%s", detail.text);
    (void)config_text(reader, config_node_get(node, "content_type"), &c->type);
    c->body = config_node_get(node, "body");
    if (c->body && c->body->kind != CONFIG_TEXT)
        check_body(reader, c->body);
}

/* What is asked for, of each kind of target something else. */
static void read_request(struct config_reader *reader, const struct config_node *node, const char *kind,
                         struct one_case *c)
{
    static const char *const others[] = { "command", "channel", "operation",    "path",
                                          "request", "body",    "content_type", NULL };
    if (strcmp(kind, "ssh") == 0) {
        read_host_request(reader, node, c);
        return;
    }
    if (strcmp(kind, "kubernetes") == 0) {
        read_cluster_request(reader, node, c);
        return;
    }
    read_statement(reader, config_node_get(node, "statement"), &c->sql);
    if (has_any(node, others) || !config_node_get(node, "statement"))
        config_fault(reader, node,
                     "a case for a database needs a \"statement\", and nothing of a host's or cluster's");
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
    const struct config_node *target = config_node_get(node, "target");
    if (config_text(reader, target, &c.target)) {
        if (explain_circumstances(reader->config, c.roles, c.n_roles, c.target, &who, &detail) != 0)
            config_fault(reader, target, "%s", detail.text);
        else
            read_request(reader, node, explain_kind(reader->config, c.target), &c);
    }
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

static const char *request_of(const struct one_case *c)
{
    return c->sql       ? c->sql
           : c->request ? c->request
           : c->command ? c->command
           : c->channel ? c->channel
                        : c->path;
}

static int report(const struct one_case *c, const char *path, const struct verdict *v,
                  const struct effects *effects, struct buffer *out)
{
    char request[SHOWN_MAX], effect[SHOWN_MAX], shown[SHOWN_MAX];
    effect[0] = '\0';
    if (effects && v->effect < effects->count)
        effect_describe(&effects->items[v->effect], effect, sizeof effect);
    return buffer_printf(
        out,
        "%s:%u: %s%s%s\n"
        "  expected  %s%s%s%s%s\n"
        "  got       %s, rule %s%s%s: %s\n"
        "  decided   %s\n",
        path, c->line, c->operation ? c->operation : "", c->operation ? " " : "",
        text_escape(request, sizeof request, request_of(c), strlen(request_of(c)), false), c->verdict,
        c->rule ? ", rule " : "", c->rule ? c->rule : "", c->code ? ", code " : "", c->code ? c->code : "",
        action_name(v->action), v->rule, *v->code ? ", code " : "", v->code, v->reason,
        *effect ? text_escape(shown, sizeof shown, effect, strlen(effect), false) : "nothing");
}

static int score_case(const struct one_case *c, const char *path, const struct verdict *v,
                      const struct effects *effects, struct buffer *out, struct policy_score *score)
{
    if (is_as_expected(c, v)) {
        score->passed++;
        return 0;
    }
    score->failed++;
    return report(c, path, v, effects, out);
}

static int run_host_case(const struct rulebook *rulebook, const Ipc__Config *config, struct circumstances who,
                         const struct one_case *c, const char *path, struct buffer *out,
                         struct policy_score *score)
{
    CLEANUP(effects_free) struct effects effects = { 0 };
    CLEANUP(transfer_judgement_free) struct transfer_judgement files = { 0 };
    int r = c->command   ? shell_effects(c->command, strlen(c->command), &effects)
            : c->channel ? ssh_effect_channel(&effects, c->channel)
                         : ssh_effect_file(&effects, c->file_operation, c->path);
    who.channel = c->command ? "exec" : c->channel ? c->channel : "sftp";
    if (r == 0 && c->command)
        r = transfer_servers_add(rulebook, &who, c->command, &effects);
    if (r == 0 && c->command)
        r = judge_transfer(config, rulebook, &who, c->command, &files);
    if (r < 0)
        return r;
    struct verdict verdict = rulebook_decide(rulebook, &who, &effects);
    bool by_files = files.verdict.action > verdict.action;
    return score_case(c, path, by_files ? &files.verdict : &verdict, by_files ? &files.files : &effects, out,
                      score);
}

/* A text is the body as it stands; anything else in YAML what kubectl would make of it. */
static int body_of(const struct one_case *c, char **ret, size_t *ret_n)
{
    struct config_faults faults = { 0 };
    *ret_n = 0;
    if (!c->body)
        return 0;
    if (c->body->kind == CONFIG_TEXT) {
        *ret = strndup(c->body->text, c->body->size);
        *ret_n = c->body->size;
        return *ret ? 0 : -ENOMEM;
    }
    int r = config_node_json(c->body, &faults, ret, ret_n);
    config_faults_free(&faults);
    return r;
}

static int run_cluster_case(const struct rulebook *rulebook, struct circumstances who,
                            const struct one_case *c, const char *path, struct buffer *out,
                            struct policy_score *score)
{
    CLEANUP(effects_free) struct effects effects = { 0 };
    CLEANUP(kube_request_free) struct kube_request *request = NULL;
    CLEANUP(free) char *body = NULL;
    size_t n = 0;
    int r = judge_kube_line(c->request, &request, NULL);
    r = r ? r : body_of(c, &body, &n);
    if (r == 0)
        r = judge_kube(request, c->type ? c->type : judge_kube_type(request, body, n), body, n, false,
                       &effects);
    r = r ? r : kube_exec_effects(request, &effects);
    if (r)
        return r < 0 ? r : -EINVAL;
    who.channel = kube_exec_runs(request) ? "exec" : NULL;
    struct verdict verdict = rulebook_decide(rulebook, &who, &effects);
    return score_case(c, path, &verdict, &effects, out, score);
}

static int run_case(const struct rulebook *rulebook, const Ipc__Config *config, const struct one_case *c,
                    const char *path, struct buffer *out, struct policy_score *score)
{
    CLEANUP(judgement_free) struct judgement judgement = { 0 };
    struct circumstances who;
    int r = explain_circumstances(config, c->roles, c->n_roles, c->target, &who, NULL);
    if (r == 0 && who.channel)
        return run_host_case(rulebook, config, who, c, path, out, score);
    if (r == 0 && c->request)
        return run_cluster_case(rulebook, who, c, path, out, score);
    if (r == 0)
        r = judge_sql(rulebook, &who, c->sql, &judgement);
    if (r != 0)
        return r < 0 ? r : -EINVAL;
    const struct sql_request *request = judgement.request;
    return score_case(c, path, &judgement.verdict,
                      request->count ? &request->statements[judgement.statement].effects : NULL, out, score);
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
