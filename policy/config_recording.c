/* recording: how much is kept, and how surely. */
#include <stdlib.h>
#include "policy/config_sections.h"

static const uint64_t OUTPUT_LIMIT_DEFAULT = UINT64_C(64) << 20;
static const uint64_t OUTPUT_LIMIT_MIN = UINT64_C(1) << 10;
static const uint64_t OUTPUT_LIMIT_MAX = UINT64_C(1024) << 30;

/* Nothing given: kept for ever, which the ledger knows as 0. */
static const uint64_t RETENTION_MIN_MS = 1000;
static const uint64_t RETENTION_MAX_MS = UINT64_C(36500) * 24 * 60 * 60 * 1000;

static const struct config_key KEYS[] = {
    { "durability", CONFIG_OPTIONAL },
    { "output_limit", CONFIG_OPTIONAL },
    { "retention", CONFIG_OPTIONAL },
};
/* written: handed to the kernel; synced: on the disk */
static const char *const DURABILITY[] = { "written", "synced", NULL };

void config_read_recording(struct config_reader *reader, const struct config_node *node)
{
    const struct config_node *durability = config_node_get(node, "durability");
    const char *word = DURABILITY[0];
    uint64_t limit = OUTPUT_LIMIT_DEFAULT;

    Ipc__Recording *recording = malloc(sizeof *recording);
    if (!recording) {
        reader->no_memory = true;
        return;
    }
    *recording = (Ipc__Recording)IPC__RECORDING__INIT;
    reader->config->recording = recording;

    config_map(reader, node, CONFIG_KEYS(KEYS), "recording");
    config_choice(reader, durability, DURABILITY, &word);
    config_size(reader, config_node_get(node, "output_limit"), OUTPUT_LIMIT_MIN, OUTPUT_LIMIT_MAX, &limit);
    config_duration(reader, config_node_get(node, "retention"), RETENTION_MIN_MS, RETENTION_MAX_MS,
                    &recording->retention_ms);
    config_set(reader, &recording->durability, word);
    recording->output_limit = limit;
}
