/* What the rules say to a session at an SSH target, in the form that recordings and refusals need. */
#pragma once
#include "channels/gate.h"
#include "policy/holders.h"
#include "policy/rules.h"

struct recorder;

enum ssh_kind { SSH_EXEC, SSH_SHELL, SSH_SUBSYSTEM, SSH_FORWARD };

enum { SSH_EFFECTS_SHOWN = 64, SSH_WORDS_MAX = 512 };

struct ssh_verdict {
    struct verdict verdict;
    char *effects[SSH_EFFECTS_SHOWN]; /* in words */
    size_t n_effects;
    struct holders holders;         /* who has to agree, when it is held */
    char reason[2 * SSH_WORDS_MAX]; /* the rule's, and what it is about */
    char next[SSH_WORDS_MAX];
};

/* text: the command, the subsystem's name, or HOST:PORT. Negative: out of memory. */
MUST_USE int ssh_verdict_of(const struct gate *gate, const Ipc__Target *target, enum ssh_kind kind,
                            const char *text, struct ssh_verdict *ret);
/* The same for effects that were found otherwise. */
MUST_USE int ssh_verdict_of_effects(const struct gate *gate, const Ipc__Target *target, enum ssh_kind kind,
                                    const char *text, const struct effects *effects, struct ssh_verdict *ret);
/* Who asks for it, and where, for rules. */
struct circumstances ssh_circumstances(const struct gate *gate, const Ipc__Target *target, enum ssh_kind kind,
                                       const char *text);
void ssh_verdict_clear(struct ssh_verdict *verdict);
/* Enters the request, n bytes of text, in the recording, with what was decided. As recorder_request(). */
MUST_USE int ssh_verdict_record(struct recorder *recorder, struct ssh_verdict *verdict, enum ssh_kind kind,
                                const char *text, size_t n);
/* "exec", "shell", "subsystem", "forward": as rules and the head of a recording say it. */
const char *ssh_kind_name(enum ssh_kind kind);
/* What a request of this kind is to people, in recordings and in what is approved: "command" instead of
 * "exec". */
const char *ssh_kind_what(enum ssh_kind kind);
