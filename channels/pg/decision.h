/* What was decided about one text: the verdict, what it does, and where its results come from. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "policy/budget.h"
#include "policy/catalog_scope.h"
#include "policy/holders.h"
#include "policy/lineage.h"
#include "policy/rules.h"
#include "policy/sql.h"

enum { INSPECT_EFFECTS_SHOWN = 64 /* described in the recording, of one request */ };

/* What a statement inside the text does to the session's prepared statements and cursors. */
struct step {
    enum sql_role role; /* SQL_PREPARE, SQL_EXECUTE, SQL_DEALLOCATE, SQL_DISCARD, SQL_DECLARE or SQL_FETCH */
    char *name;         /* or NULL: all */
};

/* What running the text does to what names mean (catalog_scope.h). */
struct change {
    enum scope_change change;
    char *text; /* or NULL */
};

/* Immutable once made; shared by counting. */
struct decision {
    size_t references;
    struct verdict verdict;
    struct budget budget;    /* what the rules that allowed it limit; where a session has such rules */
    struct holders *holders; /* who has to agree before it runs; NULL unless the verdict is to hold it */
    bool only_prepares;      /* what would be held is only prepared by it, and held when it is executed */
    bool sets;               /* what it leaves behind may change what later statements mean */
    bool moves_path;         /* unqualified names may mean something else once it has run */
    char *subject;           /* the effect that decided, in words; or NULL */
    char **effects;          /* in words, INSPECT_EFFECTS_SHOWN at most */
    size_t n_effects;
    char *touches; /* of one that is held: what else goes along, in lines; or NULL */
    char *more;    /* of one that is held: how many further effects there are, and their digest; or NULL */
    struct step *steps;
    size_t n_steps;
    struct change *changes;
    size_t n_changes;
    uint64_t generation;       /* of the scope that names were resolved by */
    struct lineages *lineages; /* of its statements, where columns are masked; else NULL */
    size_t n_statements;
    char *words;              /* the verdict's reason, where a mask is; or NULL */
    char *text;               /* NUL-terminated; cut at INSPECT_CACHED_TEXT_MAX, whole when it is held */
    size_t text_n, text_size; /* bytes kept, and of the statement */
};

struct decision *decision_share(struct decision *decision);
void decision_free(struct decision *decision); /* gives back one reference */
DEFINE_CLEANUP(struct decision *, decision_free)
/* Bytes of memory that it takes, about. */
size_t decision_weight(const struct decision *decision);
/* For refusals that no rule made: static strings. */
struct verdict verdict_built_in(const char *code, const char *reason);

/* ---- for inspect.c ---- */

/* The effects in words, and the one that decided. */
MUST_USE int decision_describe(struct decision *decision, const struct sql_request *request);
MUST_USE int decision_note_steps(struct decision *decision, const struct sql_request *request);
