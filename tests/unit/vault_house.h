/* For tests of the vault about targets that it logs in to: gatehouse-vault and gatehouse-connector on a state
 * directory of their own. The test is the listener, the ledger and the gates. */
#pragma once
#include "base/error.h"
#include "house.h"

struct vault_house {
    struct process zygote, vault;
    char state[HOUSE_PATH]; /* with keys "user-ca" and "user", and an empty vault */
    char log[2 * HOUSE_PATH];
    int ledger; /* our end of the link */
};

/* All but the processes. */
void vault_house_prepare(struct vault_house *house);
/* The descriptors of two configurations go to the processes. */
void vault_house_start(struct vault_house *house, int connector_config, int vault_config);
void vault_house_stop(struct vault_house *house);
/* A configuration with these targets, packed: the role agent may do everything at each. */
int vault_house_config(const struct vault_house *house, Ipc__Target **targets, size_t n);
/* As vault_admin_set(). */
int vault_house_set(const struct vault_house *house, const char *name, const char *type, const void *value,
                    size_t n, struct detail *detail);
/* Once more, after its end was closed. */
void vault_house_link_ledger(struct vault_house *house);
/* A gate whose client is corp/anna with the role agent, from 192.0.2.7. */
int vault_house_gate(const struct vault_house *house);

/* How often the text is in the processes' log. */
size_t vault_house_log_count(const struct vault_house *house, const char *text);
/* So often, within a moment: the processes write it when they get to it. */
void vault_house_expect_log_times(const struct vault_house *house, const char *text, size_t times);
void vault_house_expect_log(const struct vault_house *house, const char *text);
