/* gatehouse.yaml from memory: whatever the bytes are, there is either a Config or a fault, and every fault
 * has a place and a message that a terminal can show. */
#include <stdlib.h>
#include <string.h>
#include "base/text.h"
#include "policy/config_parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void check_faults(const struct config_faults *faults)
{
    unsigned line = 0;

    for (size_t i = 0; i < faults->count; i++) {
        const struct config_fault *fault = &faults->items[i];
        require(fault->line >= 1 && fault->column >= 1 && fault->line >= line);
        require(*fault->message && text_is_utf8(fault->message, strlen(fault->message)));
        for (const char *c = fault->message; *c; c++)
            require((unsigned char)*c >= ' ' && *c != 0x7f);
        line = fault->line;
    }
}

static bool has_issuer(const Ipc__Config *config, const char *name)
{
    for (size_t i = 0; i < config->n_issuers; i++)
        if (!strcmp(config->issuers[i]->name, name))
            return true;
    return false;
}

/* Nobody holds a role by what an unnamed issuer says. */
static void check_identity(const Ipc__Config *config)
{
    require(config->certificate_lifetime_ms >= 60 * 1000 &&
            config->certificate_lifetime_ms <= 24 * 3600 * 1000);
    for (size_t i = 0; i < config->n_issuers; i++) {
        const Ipc__Issuer *issuer = config->issuers[i];
        require(*issuer->name && *issuer->issuer && issuer->n_audiences > 0 && *issuer->username_claim);
        require(!issuer->n_scopes == !*issuer->client_id);
    }
    for (size_t i = 0; i < config->n_roles; i++) {
        const Ipc__Role *role = config->roles[i];
        require(role->matches_claims == has_issuer(config, role->issuer));
        require(role->matches_claims || (!role->n_groups && !role->n_claims && !role->n_extensions));
        require(!role->matches_claims || !*role->ca);
    }
}

static void check_config(const Ipc__Config *config)
{
    size_t n = ipc__config__get_packed_size(config);
    uint8_t *packed = malloc(n);

    require(packed && ipc__config__pack(config, packed) == n);
    Ipc__Config *again = ipc__config__unpack(NULL, n, packed);
    require(again && again->n_rules == config->n_rules && again->n_targets == config->n_targets);
    check_identity(config);
    require(config->n_listen > 0 && config->n_host_keys > 0 && config->state[0] == '/');
    ipc__config__free_unpacked(again, NULL);
    free(packed);
}

static void check_approvals(const Ipc__Config *config)
{
    for (size_t i = 0; i < config->n_rules; i++) {
        const Ipc__Approve *approve = config->rules[i]->approve;
        require(!strcmp(config->rules[i]->action, "approve") == (approve != NULL));
        if (approve)
            require(approve->n_by > 0 && approve->quorum >= approve->n_by && approve->wait_ms > 0 &&
                    *approve->mode && *approve->preview);
    }
    for (size_t i = 0; i < config->n_notify; i++)
        require(!strncmp(config->notify[i]->webhook, "https://", 8) && config->notify[i]->n_events > 0 &&
                *config->notify[i]->form);
}

static void check_one(const uint8_t *bytes, size_t n)
{
    struct config_faults faults = { 0 };
    Ipc__Config *config = NULL;

    int r = config_parse("/etc/gatehouse.yaml", bytes, n, false, &config, &faults);
    require(r == (faults.count ? 1 : 0) && (config != NULL) == (r == 0));
    check_faults(&faults);
    if (config) {
        check_config(config);
        check_approvals(config);
        ipc__config__free_unpacked(config, NULL);
    }
    config_faults_free(&faults);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    check_one(bytes, n);
    return 0;
}
