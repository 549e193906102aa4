/* One function per section of gatehouse.yaml. Each takes the section's node (NULL: not given), reports its
 * faults and fills the Config; they run in this order, since later ones refer to what earlier ones read.
 * Private to policy/config*. */
#pragma once
#include "policy/config_reader.h"

/* state: before all others, because paths are relative to it. */
void config_read_state(struct config_reader *reader, const struct config_node *root);
/* listen, host_keys, drain */
void config_read_server(struct config_reader *reader, const struct config_node *root);
void config_read_identity(struct config_reader *reader, const struct config_node *root);
/* identity.issuers; a part of config_read_identity() */
void config_read_issuers(struct config_reader *reader, const struct config_node *node);
void config_read_roles(struct config_reader *reader, const struct config_node *node);
void config_read_targets(struct config_reader *reader, const struct config_node *node);
void config_read_rules(struct config_reader *reader, const struct config_node *node);
void config_read_masks(struct config_reader *reader, const struct config_node *node);
void config_read_recording(struct config_reader *reader, const struct config_node *node);
void config_read_notify(struct config_reader *reader, const struct config_node *node);

/* A rule's match, which is one block, a list of them, or `anything`. */
void config_read_match(struct config_reader *reader, const struct config_node *node, Ipc__Rule *rule);
/* A rule's limits, once its action is there. */
void config_read_limits(struct config_reader *reader, const struct config_node *node, Ipc__Rule *rule);
/* How what a rule or mask holds is approved. *ret stays as it is when there is none. */
void config_read_approve(struct config_reader *reader, const struct config_node *node, Ipc__Approve **ret);
/* "[schema.]table.column"; false after a report. */
bool config_check_column(struct config_reader *reader, const struct config_node *item, const char *pattern);
/* Lists of roles that exist, and of patterns of targets. */
void config_read_rule_roles(struct config_reader *reader, const struct config_node *node, size_t *count,
                            char ***list);
void config_read_rule_targets(struct config_reader *reader, const struct config_node *node, size_t *count,
                              char ***list);

/* Whether one of the rule's targets is of one of these kinds; also may be NULL. True where that can't be
 * said. */
bool config_rule_is_for(const struct config_reader *reader, const Ipc__Rule *rule, const char *kind,
                        const char *also);
/* A list of words, each of which the check likes (or has reported), into a list of strings; none comes twice.
 */
typedef bool config_word_check(struct config_reader *reader, const struct config_node *item,
                               const char *word);
void config_read_words(struct config_reader *reader, const struct config_node *node, config_word_check *check,
                       size_t *count, char ***list);
/* Whether a glob of a condition is short enough. */
bool config_check_pattern(struct config_reader *reader, const struct config_node *item, const char *pattern);
/* The conditions of a block on requests to a Kubernetes API. */
void config_read_kube_match(struct config_reader *reader, const struct config_node *node, Ipc__Match *match);
