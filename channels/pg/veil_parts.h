/* What the veil*.c files share; nobody else includes this. */
#pragma once
#include "channels/pg/table.h"
#include "channels/pg/veil.h"

struct cell {
    struct fate fate;
    struct mask_type type;
};

/* What of one result is shown; shared by counting: one per prepared statement, or per statement of a Query.
 */
struct veil_plan {
    size_t references;
    struct lineage lineage;
    const struct mask *worst;
    struct cell *cells; /* once described */
    size_t n_cells;
    bool described;
    bool hides_texts; /* errors of it may quote a masked value */
};

/* lineage NULL: everything is shown but what detectors find, if worst is NULL too; else nothing is known of
 * it. */
MUST_USE int veil_plan_new(const struct lineage *lineage, const struct mask *worst, struct veil_plan **ret);
struct veil_plan *veil_plan_share(struct veil_plan *plan);
void veil_plan_free(struct veil_plan *plan); /* gives back one reference */
DEFINE_CLEANUP(struct veil_plan *, veil_plan_free)

/* A prepared statement, a portal or a cursor, as the server has confirmed it. */
struct named {
    struct link link; /* first: see table.h */
    struct veil_plan *plan;
    struct veil_formats formats; /* of portals */
    bool declared;               /* a cursor: may outlive its transaction */
};

/* Puts it in the place of an earlier one of that name; shares the plan, takes the formats over (may be NULL).
 * -ENOMEM. */
MUST_USE int veil_names_put(struct table *names, const char *name, struct veil_plan *plan,
                            struct veil_formats *formats, bool declared);
struct named *veil_names_find(const struct table *names, const char *name);
void veil_names_remove(struct table *names, const char *name);
/* The transaction is over: portals that are not cursors are gone. */
void veil_names_end_transaction(struct table *names);
void veil_names_free(struct table *names);

/* The fate of column i of n, and what is known of its type. */
struct cell veil_plan_cell(const struct veil_plan *plan, size_t i, size_t n,
                           const struct veil_formats *formats);
/* Takes a RowDescription. False when it does not add up. */
MUST_USE bool veil_plan_describe(struct veil_plan *plan, struct reader body, int *ret_error);

/* Fills in the length of the message that begins at start. */
void veil_end_message(struct buffer *out, size_t start);
/* Whether NULL is masked too, as of everything computed: nullif(email, 'x') would tell. */
bool veil_hides_null(struct cell cell);
/* One value through mask and detectors into out, or *ret_null. 1: it is another one now. */
MUST_USE int veil_cell(const struct veil_how *how, struct cell cell, const void *value, size_t n,
                       struct buffer *out, bool *ret_null);

/* A DataRow; a CopyData of COPY TO: veil_verdict or negative errno. */
MUST_USE int veil_row(const struct veil_how *how, const struct veil_plan *plan,
                      const struct veil_formats *formats, struct reader body, struct buffer *out);
struct veil_copying {
    bool begun; /* its first message was seen */
    bool binary;
};
MUST_USE int veil_copy_data(const struct veil_how *how, const struct veil_plan *plan,
                            struct veil_copying *copying, struct reader body, struct buffer *out);
/* An ErrorResponse or NoticeResponse (type), or the payload of a NotificationResponse. */
MUST_USE int veil_text(const struct veil_how *how, const struct mask *hidden_by, uint8_t type,
                       struct reader body, struct buffer *out);
