/* See masking.h. A detector that several masks name is masked as the first of them says. */
#include "channels/masking.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct wanted {
    const char *names[DETECTORS_MAX];
    struct detect_pattern patterns[DETECTORS_MAX];
    size_t n_names, n_patterns;
};

static bool is_wanted(const struct wanted *wanted, const char *name)
{
    for (size_t i = 0; i < wanted->n_names; i++)
        if (strcmp(wanted->names[i], name) == 0)
            return true;
    return false;
}

static int want(struct wanted *wanted, const Ipc__Mask *mask)
{
    if (wanted->n_names + wanted->n_patterns + mask->n_detect + mask->n_patterns > DETECTORS_MAX)
        return -E2BIG;
    for (size_t i = 0; i < mask->n_detect; i++)
        if (!is_wanted(wanted, mask->detect[i]))
            wanted->names[wanted->n_names++] = mask->detect[i];
    for (size_t i = 0; i < mask->n_patterns; i++)
        wanted->patterns[wanted->n_patterns++] =
            (struct detect_pattern){ .name = mask->patterns[i]->name,
                                     .pattern = mask->patterns[i]->pattern,
                                     .validator = mask->patterns[i]->validator };
    return 0;
}

int masking_compile(const Ipc__Config *config, struct detectors **ret)
{
    struct wanted wanted = { .n_names = 0 };
    struct detail why = { "" };
    *ret = NULL;
    for (size_t i = 0; i < config->n_masks; i++) {
        int r = want(&wanted, config->masks[i]);
        if (r < 0)
            return r;
    }
    if (wanted.n_names + wanted.n_patterns == 0)
        return 0;
    return detectors_new(wanted.names, wanted.n_names, wanted.patterns, wanted.n_patterns, ret, &why);
}

/* ---- one identity on one target ---- */

static void use_detector(struct masking *masking, const char *name, enum mask_kind kind)
{
    const struct detectors *detectors = masking->veil.detectors;
    for (size_t i = 0; i < detectors_count(detectors); i++)
        if (strcmp(detectors_name(detectors, i), name) == 0 && masking->detect.kinds[i] == MASK_NONE)
            masking->detect.kinds[i] = (uint8_t)kind;
}

static void use_detectors(void *owner, const struct mask *mask)
{
    struct masking *masking = owner;
    masking->veil.detect = &masking->detect;
    for (size_t i = 0; i < mask->text->n_detect; i++)
        use_detector(masking, mask->text->detect[i], mask->kind);
    for (size_t i = 0; i < mask->text->n_patterns; i++)
        use_detector(masking, mask->text->patterns[i]->name, mask->kind);
}

int masking_init(struct masking *masking, const Ipc__Config *config, const struct circumstances *who,
                 struct detectors *detectors)
{
    memset(masking, 0, sizeof *masking);
    int r = mask_set_new(config, who, &masking->masks);
    if (r < 0)
        return r;
    masking->veil.worst = mask_set_worst(masking->masks);
    masking->veil.detectors = detectors;
    if (detectors)
        mask_set_detectors(masking->masks, use_detectors, masking);
    if (!masking->veil.detect)
        masking->veil.detectors = NULL;
    return 0;
}

void masking_clear(struct masking *masking)
{
    mask_set_free(masking->masks);
    explicit_bzero(masking, sizeof *masking);
}

void masking_set_key(struct masking *masking, const uint8_t *key, size_t n)
{
    if (n != MASK_KEY)
        return;
    memcpy(masking->key, key, n);
    masking->has_key = true;
    masking->veil.key = masking->detect.key = masking->key;
}

bool masking_is_needed(const struct masking *masking)
{
    return masking->veil.worst || masking->veil.detectors;
}
