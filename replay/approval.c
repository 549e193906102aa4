/* Deciding is a function of what is known of the request and of the ticket: it makes the next form of the
 * request, and only once that is on disk does it take the place of the former. */
#include "replay/approval.h"

#include <ctype.h>
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

/* ---- ids ---- */

/* Without I, L, O, 0 and 1: some 887 million. */
static const char alphabet[] = "ABCDEFGHJKMNPQRSTUVWXYZ23456789";

void approval_new_id(char out[APPROVAL_ID + 1])
{
    for (size_t i = 0; i < APPROVAL_ID; i++)
        out[i] = alphabet[randombytes_uniform(sizeof alphabet - 1)];
    out[APPROVAL_ID] = 0;
}

bool approval_read_id(const char *typed, char out[APPROVAL_ID + 1])
{
    if (strlen(typed) != APPROVAL_ID)
        return false;
    for (size_t i = 0; i < APPROVAL_ID; i++) {
        out[i] = (char)toupper((unsigned char)typed[i]);
        if (!strchr(alphabet, out[i]))
            return false;
    }
    out[APPROVAL_ID] = 0;
    return true;
}

/* ---- people ---- */

Ipc__Person person_of(const Ipc__Identity *who)
{
    Ipc__Person person = IPC__PERSON__INIT;
    person.name = who->name;
    if (who->claims) {
        person.subject = who->claims->subject;
        person.username = who->claims->username;
        person.actor = who->claims->actor;
    }
    return person;
}

bool person_is_near(const Ipc__Person *a, const Ipc__Person *b)
{
    const char *const mine[] = { a->name, a->subject, a->username, a->actor };
    const char *const theirs[] = { b->name, b->subject, b->username, b->actor };
    for (size_t i = 0; i < sizeof mine / sizeof *mine; i++)
        for (size_t k = 0; k < sizeof theirs / sizeof *theirs; k++)
            if (mine[i] && theirs[k] && mine[i][0] && strcmp(mine[i], theirs[k]) == 0)
                return true;
    return false;
}

/* Two people may use the same program to decide: who acts for them does not make them one. */
static bool is_same(const Ipc__Person *a, const Ipc__Person *b)
{
    Ipc__Person first = *a, second = *b;
    first.actor = second.actor = NULL;
    return person_is_near(&first, &second);
}

/* ---- who has to agree ---- */

static bool group_fits(const Ipc__RoleGroup *group)
{
    bool fits = group->n_roles > 0 && group->n_roles <= APPROVAL_ROLES_MAX;
    for (size_t i = 0; fits && i < group->n_roles; i++)
        fits = strlen(group->roles[i]) <= APPROVAL_ROLE_MAX;
    return fits;
}

bool approval_can_be_met(const Ipc__Approve *approve, struct detail *detail)
{
    bool groups = approve && approve->n_by > 0 && approve->n_by <= APPROVAL_GROUPS_MAX;
    for (size_t i = 0; groups && i < approve->n_by; i++)
        groups = group_fits(approve->by[i]);
    if (!groups)
        detail_set(detail, "the rule does not say who may approve, or says too much");
    else if (approve->quorum > APPROVAL_QUORUM_MAX)
        detail_set(detail, "the rule wants more than %d people to agree", APPROVAL_QUORUM_MAX);
    else if (approve->wait_ms == 0 || approve->wait_ms > APPROVAL_WAIT_MAX_MS)
        detail_set(detail, "the rule's wait is not between 1 ms and 7 days");
    else if (strcmp(approve->mode, "hold") != 0 && strcmp(approve->mode, "retry") != 0)
        detail_set(detail, "the rule's mode is neither hold nor retry");
    else if (approve->for_ms > APPROVAL_FOR_MAX_MS)
        detail_set(detail, "the rule's approvals hold for more than 30 days");
    else
        return true;
    return false;
}

static bool is_in(const Ipc__RoleGroup *group, const char *role)
{
    for (size_t i = 0; i < group->n_roles; i++)
        if (strcmp(group->roles[i], role) == 0)
            return true;
    return false;
}

static bool is_asked_role(Ipc__RoleGroup *const *by, size_t n_by, const char *role)
{
    for (size_t i = 0; i < n_by; i++)
        if (is_in(by[i], role))
            return true;
    return false;
}

bool approval_is_asked(Ipc__RoleGroup *const *by, size_t n_by, const Ipc__Identity *who)
{
    for (size_t i = 0; i < who->n_roles; i++)
        if (is_asked_role(by, n_by, who->roles[i]))
            return true;
    return false;
}

static bool is_of(const Ipc__ApprovalDecision *decision, const Ipc__RoleGroup *group)
{
    for (size_t i = 0; i < decision->n_roles; i++)
        if (is_in(group, decision->roles[i]))
            return true;
    return false;
}

/* One person of each group: a matching, since somebody may be in several groups but stands for one.
 * taken[d]: the group that decision d stands for, or -1. */
struct matching {
    const Ipc__Approval *approval;
    int taken[APPROVAL_DECISIONS_MAX];
    bool tried[APPROVAL_DECISIONS_MAX];
};

static bool place(struct matching *m, size_t group)
{
    const Ipc__Approval *a = m->approval;
    for (size_t d = 0; d < a->n_decisions && d < APPROVAL_DECISIONS_MAX; d++) {
        if (m->tried[d] || !is_of(a->decisions[d], a->approve->by[group]))
            continue;
        m->tried[d] = true;
        if (m->taken[d] < 0 || place(m, (size_t)m->taken[d])) {
            m->taken[d] = (int)group;
            return true;
        }
    }
    return false;
}

bool approval_is_complete(const Ipc__Approval *approval)
{
    struct matching m = { .approval = approval };
    if (approval->n_decisions == 0 || approval->n_decisions < approval->approve->quorum)
        return false;
    for (size_t d = 0; d < APPROVAL_DECISIONS_MAX; d++)
        m.taken[d] = -1;
    for (size_t g = 0; g < approval->approve->n_by; g++) {
        memset(m.tried, 0, sizeof m.tried);
        if (!place(&m, g))
            return false;
    }
    return true;
}

/* ---- deciding ---- */

void approval_tell(const Ipc__Approval *approval, struct detail *detail)
{
    char by[128], reason[256] = "";
    const Ipc__ApprovalDecision *last =
        approval->n_decisions ? approval->decisions[approval->n_decisions - 1] : NULL;
    if (!last || approval->state == IPC__APPROVAL_STATE__APPROVAL_EXPIRED ||
        approval->state == IPC__APPROVAL_STATE__APPROVAL_WITHDRAWN) {
        detail_set(detail, "%s%s%s", approval_state_name(approval->state), approval->why[0] ? ": " : "",
                   approval->why);
        return;
    }
    (void)text_escape(by, sizeof by, last->by->name, strlen(last->by->name), false);
    (void)text_escape(reason, sizeof reason, last->reason, strlen(last->reason), false);
    detail_set(detail, "%s by %s%s%s", last->approve ? "approved" : "denied", by, reason[0] ? ": " : "",
               reason);
}

static int check_person(const Ipc__Approval *now, const Ipc__Identity *who, struct detail *detail)
{
    Ipc__Person person = person_of(who);
    if (!approval_is_asked(now->approve->by, now->approve->n_by, who))
        return detail_fail(detail, APPROVAL_NOT_ENTITLED, "none of your roles may decide this request");
    if (person_is_near(&person, now->requester))
        return detail_fail(detail, APPROVAL_OWN,
                           "nobody decides requests of their own, or of somebody who acts for them");
    if (now->approve->touch && !who->hardware)
        return detail_fail(detail, APPROVAL_NO_TOUCH,
                           "the rule wants a decision by a certificate on a security key (sk-)");
    return 0;
}

/* A gate has verified it (channels/commands/decide.c), against the key that the ticket is for. A denial needs
 * none: it lets nothing through, and a signature says that something may run. */
static int check_signature(const Ipc__Approval *now, const Ipc__Decide *decide, struct detail *detail)
{
    if (decide->signature.len > APPROVAL_SIGNATURE_MAX)
        return detail_fail(detail, APPROVAL_UNREADABLE, "the signature has more than %d bytes",
                           APPROVAL_SIGNATURE_MAX);
    if (!decide->approve && decide->signature.len)
        return detail_fail(detail, APPROVAL_UNREADABLE, "a denial is not signed");
    if (decide->approve && now->approve->must_sign && !decide->signature.len)
        return detail_fail(detail, APPROVAL_UNSIGNED, "the rule wants a signed decision");
    return 0;
}

static int check_decision(const Ipc__Approval *now, const Ipc__Identity *who, const Ipc__Decide *decide,
                          struct detail *detail)
{
    Ipc__Person person = person_of(who);
    if (now->state != IPC__APPROVAL_STATE__APPROVAL_OPEN) {
        approval_tell(now, detail);
        return APPROVAL_OVER;
    }
    if (decide->digest.len && (decide->digest.len != now->digest.len ||
                               memcmp(decide->digest.data, now->digest.data, now->digest.len) != 0))
        return detail_fail(detail, APPROVAL_OTHER, "the request is for something else than you have seen");
    if (strlen(decide->reason) > APPROVAL_REASON_MAX || !text_is_utf8(decide->reason, strlen(decide->reason)))
        return detail_fail(detail, APPROVAL_UNREADABLE, "the reason is not UTF-8 text of at most %d bytes",
                           APPROVAL_REASON_MAX);
    int fault = check_signature(now, decide, detail);
    if (fault)
        return fault;
    for (size_t i = 0; decide->approve && i < now->n_decisions; i++)
        if (is_same(&person, now->decisions[i]->by))
            return detail_fail(detail, APPROVAL_TWICE, "you have agreed already; somebody else has to");
    if (now->n_decisions >= APPROVAL_DECISIONS_MAX)
        return detail_fail(detail, APPROVAL_TOO_MANY, "too many people have agreed already");
    return 0;
}

static void fill_step(const Ipc__Approval *now, const Ipc__Identity *who, const Ipc__Decide *decide,
                      uint64_t now_ms, struct approval_step *step)
{
    ipc__approval_decision__init(&step->decision);
    step->person = person_of(who);
    step->decision.by = &step->person;
    step->decision.approve = decide->approve;
    step->decision.reason = decide->reason;
    step->decision.at_ms = now_ms;
    step->decision.for_ms = !decide->approve                       ? 0
                            : decide->for_ms > APPROVAL_FOR_MAX_MS ? APPROVAL_FOR_MAX_MS
                                                                   : decide->for_ms;
    step->decision.digest = now->digest;
    step->decision.signature = decide->signature;
    step->decision.source = who->source_address;
    step->decision.roles = step->roles;
    for (size_t i = 0; i < who->n_roles && step->decision.n_roles < APPROVAL_ROLES_KEPT; i++)
        if (is_asked_role(now->approve->by, now->approve->n_by, who->roles[i]))
            step->roles[step->decision.n_roles++] = who->roles[i];
    for (size_t i = 0; i < now->n_decisions; i++)
        step->decisions[i] = now->decisions[i];
    step->decisions[now->n_decisions] = &step->decision;
}

static uint64_t use_ms(const Ipc__Approve *approve)
{
    if (strcmp(approve->mode, "hold") == 0)
        return APPROVAL_USE_MS;
    return approve->for_ms ? approve->for_ms : APPROVAL_FOR_MS;
}

int approval_decide(const Ipc__Approval *now, const Ipc__Identity *who, const Ipc__Decide *decide,
                    uint64_t now_ms, struct approval_step *step, Ipc__Approval *next, struct detail *detail)
{
    int fault = check_person(now, who, detail);
    if (fault == 0)
        fault = check_decision(now, who, decide, detail);
    if (fault)
        return fault;
    fill_step(now, who, decide, now_ms, step);
    *next = *now;
    next->decisions = step->decisions;
    next->n_decisions = now->n_decisions + 1;
    if (!decide->approve) {
        next->state = IPC__APPROVAL_STATE__APPROVAL_DENIED;
        next->ended_ms = now_ms;
    } else if (approval_is_complete(next)) {
        next->state = IPC__APPROVAL_STATE__APPROVAL_APPROVED;
        next->expires_ms = now_ms + use_ms(now->approve);
    }
    return 0;
}

uint64_t approval_grant_ms(const Ipc__Approval *approval)
{
    uint64_t least = UINT64_MAX;
    for (size_t i = 0; i < approval->n_decisions; i++)
        if (approval->decisions[i]->for_ms < least)
            least = approval->decisions[i]->for_ms;
    return least == UINT64_MAX ? 0 : least;
}

/* ---- what is kept ---- */

static int copy_content(const Ipc__ApprovalContent *content, Ipc__ApprovalContent **ret)
{
    size_t n = ipc__approval_content__get_packed_size(content);
    CLEANUP(free) uint8_t *bytes = malloc(n ? n : 1);
    if (!bytes)
        return -ENOMEM;
    (void)ipc__approval_content__pack(content, bytes);
    *ret = ipc__approval_content__unpack(NULL, n, bytes);
    return *ret ? 0 : -ENOMEM;
}

/* At most max bytes of UTF-8 text, cut between characters. */
static size_t whole_characters(const char *text, size_t max)
{
    size_t n = strlen(text);
    if (n <= max)
        return n;
    for (n = max; n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80;)
        n--;
    return n;
}

static size_t at_most(size_t n, size_t max)
{
    return n < max ? n : max;
}

struct cut {
    Ipc__ApprovalValue values[APPROVAL_VALUES_MAX], *value_list[APPROVAL_VALUES_MAX];
    char effects[APPROVAL_EFFECTS_MAX][APPROVAL_EFFECT_MAX + 1], *effect_list[APPROVAL_EFFECTS_MAX];
    char preview[APPROVAL_PREVIEW_MAX + 1];
};

static void cut_lists(const Ipc__ApprovalContent *whole, struct cut *cut, Ipc__ApprovalContent *kept)
{
    kept->n_values = at_most(whole->n_values, APPROVAL_VALUES_MAX);
    kept->values_omitted = (uint32_t)(whole->n_values - kept->n_values);
    for (size_t i = 0; i < kept->n_values; i++) {
        cut->values[i] = *whole->values[i];
        cut->values[i].value.len = at_most(cut->values[i].value.len, APPROVAL_VALUE_MAX);
        kept->values_omitted += whole->values[i]->value.len > APPROVAL_VALUE_MAX;
        cut->value_list[i] = &cut->values[i];
    }
    kept->n_effects = at_most(whole->n_effects, APPROVAL_EFFECTS_MAX);
    kept->effects_omitted = (uint32_t)(whole->n_effects - kept->n_effects);
    for (size_t i = 0; i < kept->n_effects; i++) {
        size_t n = whole_characters(whole->effects[i], APPROVAL_EFFECT_MAX);
        memcpy(cut->effects[i], whole->effects[i], n);
        cut->effects[i][n] = 0;
        cut->effect_list[i] = cut->effects[i];
    }
    kept->values = cut->value_list;
    kept->effects = cut->effect_list;
}

int approval_cut(const Ipc__ApprovalContent *whole, Ipc__ApprovalContent **ret)
{
    CLEANUP(free) struct cut *cut = malloc(sizeof *cut);
    if (!cut)
        return -ENOMEM;
    Ipc__ApprovalContent kept = *whole;
    kept.statement.len = at_most(whole->statement.len, APPROVAL_STATEMENT_MAX);
    kept.omitted = whole->statement.len - kept.statement.len;
    size_t n = whole_characters(whole->preview, APPROVAL_PREVIEW_MAX);
    memcpy(cut->preview, whole->preview, n);
    cut->preview[n] = 0;
    kept.preview = cut->preview;
    kept.n_context = at_most(whole->n_context, APPROVAL_CONTEXT_MAX);
    cut_lists(whole, cut, &kept);
    return copy_content(&kept, ret);
}
