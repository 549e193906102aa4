/* What of a target is masked for somebody: a part of `describe`, so that nobody wonders at what is missing.
 */
#include "channels/commands/about_masks.h"
#include "channels/commands/about_approve.h"

#include <string.h>
#include "policy/masks.h"

static bool is_for(const struct gate *gate, const char *target, const Ipc__Mask *mask)
{
    const struct circumstances who = { .roles = gate->identity->roles,
                                       .n_roles = gate->identity->n_roles,
                                       .target = target };
    return mask_applies(mask, &who);
}

static const char *what_conditions(const Ipc__Mask *mask)
{
    if (mask->approve)
        return "; conditions by them wait for an approval";
    return strcmp(mask->predicates, "allow") == 0 ? "; conditions by them are allowed"
                                                  : "; conditions by them are refused";
}

static bool writes_allowed(const Ipc__Mask *mask)
{
    return mask->writes && strcmp(mask->writes, "allow") == 0;
}

static void names_text(struct buffer *out, const char *what, char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        (void)!buffer_printf(out, "%s%s", i ? ", " : what, names[i]);
}

static void mask_text_of(struct buffer *out, const Ipc__Mask *mask)
{
    (void)!buffer_printf(out, "    %-8s %-20s ", mask->with, mask->name);
    names_text(out, "columns ", mask->columns, mask->n_columns);
    if (mask->n_columns && (mask->n_detect || mask->n_patterns))
        (void)!buffer_printf(out, "; and ");
    names_text(out, "what looks like ", mask->detect, mask->n_detect);
    for (size_t i = 0; i < mask->n_patterns; i++)
        (void)!buffer_printf(out, "%s%s", i || mask->n_detect ? ", " : "what looks like ",
                             mask->patterns[i]->name);
    if (mask->n_columns)
        (void)!buffer_printf(out, "%s", what_conditions(mask));
    if (mask->n_columns && strcmp(mask->predicates, "allow") != 0 && writes_allowed(mask))
        (void)!buffer_printf(out, ", values may be written to them");
    about_approve_text(mask->approve, out);
    (void)!buffer_printf(out, "\n");
}

void about_masks_text(const struct gate *gate, const char *target, struct buffer *out)
{
    bool first = true;
    for (size_t i = 0; i < gate->config->n_masks; i++) {
        if (!is_for(gate, target, gate->config->masks[i]))
            continue;
        if (first)
            (void)!buffer_printf(out, "  masked for you in every answer:\n");
        first = false;
        mask_text_of(out, gate->config->masks[i]);
    }
}

static void names_json(struct json *j, char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        json_text(j, NULL, names[i]);
}

static void mask_json_of(struct json *j, const Ipc__Mask *mask)
{
    json_open_object(j, NULL);
    json_text(j, "name", mask->name);
    json_text(j, "with", mask->with);
    json_open_array(j, "columns");
    names_json(j, mask->columns, mask->n_columns);
    json_close_array(j);
    json_open_array(j, "detect");
    names_json(j, mask->detect, mask->n_detect);
    for (size_t i = 0; i < mask->n_patterns; i++)
        json_text(j, NULL, mask->patterns[i]->name);
    json_close_array(j);
    if (mask->n_columns)
        json_text(j, "masked_predicates", *mask->predicates ? mask->predicates : "deny");
    if (mask->n_columns)
        json_text(j, "masked_writes", writes_allowed(mask) ? "allow" : "deny");
    about_approve_json(mask->approve, j);
    json_close_object(j);
}

void about_masks_json(const struct gate *gate, const char *target, struct json *j)
{
    json_open_array(j, "masks");
    for (size_t i = 0; i < gate->config->n_masks; i++)
        if (is_for(gate, target, gate->config->masks[i]))
            mask_json_of(j, gate->config->masks[i]);
    json_close_array(j);
}
