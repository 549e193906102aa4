/* See judge_transfer.h. */
#include "policy/judge_transfer.h"

#include <string.h>

#include "policy/masks.h"
#include "policy/ssh_effects.h"
#include "policy/transfer_servers.h"

void transfer_judgement_free(struct transfer_judgement *judgement)
{
    effects_free(&judgement->files);
    *judgement = (struct transfer_judgement){ 0 };
}

static bool is_hole(const char *path)
{
    return strchr(path, EFFECT_HOLE) != NULL;
}

/* Whether scp's path is that of the one file: not a pattern, a tree, or a directory to put files into. */
static bool names_one_file(const struct transfer_command *command)
{
    const char *path = command->files[0].path, *slash = strrchr(path, '/'), *last = slash ? slash + 1 : path;
    return !is_hole(path) && !command->tree && !command->directory && *last && strcmp(last, ".") != 0 &&
           strcmp(last, "..") != 0;
}

static int add_files(const struct transfer_command *command, bool asks_paths, struct transfer_judgement *j)
{
    if (command->program == PROGRAM_SCP && !names_one_file(command))
        return 0;
    int r = 0;
    for (size_t i = 0; r == 0 && i < command->n_files; i++) {
        const char *path = command->files[i].path;
        j->relative |= asks_paths && path[0] != '/' && !is_hole(path);
        r = ssh_effect_file(&j->files, command->files[i].operation,
                            is_hole(path) && !asks_paths ? "." : path);
    }
    return r;
}

static bool has_detectors(const Ipc__Config *config, const struct circumstances *who)
{
    for (size_t i = 0; i < config->n_masks; i++)
        if ((config->masks[i]->n_detect || config->masks[i]->n_patterns) &&
            mask_applies(config->masks[i], who))
            return true;
    return false;
}

static bool are_looked_into(const struct rulebook *rulebook, const struct circumstances *who,
                            const struct effects *files)
{
    for (size_t i = 0; i < files->count; i++) {
        const struct verdict one = rulebook_decide_effect(rulebook, who, &files->items[i]);
        if (one.by && one.by->sensitive_deny)
            return true;
    }
    return false;
}

static void deny(struct verdict *verdict, const char *reason)
{
    verdict->action = ACTION_DENY;
    verdict->code = "denied";
    verdict->reason = reason;
}

int judge_transfer(const Ipc__Config *config, const struct rulebook *rulebook,
                   const struct circumstances *who, const char *line, struct transfer_judgement *ret)
{
    CLEANUP(transfer_command_clear) struct transfer_command command = { .program = PROGRAM_OTHER };
    CLEANUP(transfer_judgement_free) struct transfer_judgement j = { .program = PROGRAM_OTHER };
    bool asks_paths = rulebook_asks_paths(rulebook, who->roles, who->n_roles, who->target);
    int r = transfer_command_read(line, &command);
    r = r ? r : add_files(&command, asks_paths, &j);
    if (r < 0)
        return r;
    j.program = command.program;
    j.note = command.program == PROGRAM_SCP
                 ? "each is decided on by its own path, as it leads at the target, when its turn comes"
                 : "decided on before it runs, by where their paths lead at the target";
    j.verdict = rulebook_decide(rulebook, who, &j.files);
    if (j.verdict.action != ACTION_DENY && are_looked_into(rulebook, who, &j.files)) {
        if (!has_detectors(config, who))
            deny(&j.verdict, TRANSFER_NO_DETECTORS);
        else if (command.program != PROGRAM_SCP)
            deny(&j.verdict, TRANSFER_NOT_LOOKED_INTO);
    }
    *ret = j;
    j = (struct transfer_judgement){ 0 };
    return 0;
}
