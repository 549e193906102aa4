/* Whatever bytes an operator calls a revocation list: a KRL or lines. What is taken is packed, unpacked and
 * looked up in again. */
#include <stdlib.h>
#include <string.h>
#include "base/io.h"
#include "policy/byte_set.h"
#include "policy/certificate.h"
#include "policy/revocation.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

enum { PROBES = 64 };

/* Everything that is in the list is found by its own lookup. */
static void look_up(const Ipc__RevocationList *list)
{
    Ipc__Config config = IPC__CONFIG__INIT;
    Ipc__Ca ca = IPC__CA__INIT;
    char key_id[1024];

    config.user_ca_public = &ca;
    for (size_t i = 0; i < list->n_certificates; i++) {
        const Ipc__RevokedCertificates *part = list->certificates[i];

        ca.blob = part->ca;
        for (size_t k = 0; k < byte_set_count(part->key_ids) && k < PROBES; k++) {
            size_t start = k ? part->key_ids->ends[k - 1] : 0, size = part->key_ids->ends[k] - start;

            if (size == 0 || size >= sizeof(key_id))
                continue;
            memcpy(key_id, part->key_ids->pool.data + start, size);
            key_id[size] = '\0';
            if (!revocation_hits_identity(list, &config, key_id, NULL, 0, NULL))
                abort();
        }
    }
}

static void travel(const Ipc__RevocationList *list)
{
    Ipc__RevocationList *arrived = NULL;
    int fd = -1;

    if (revocation_pack(list, &fd) != 0 || revocation_unpack(fd, &arrived) != 0)
        abort();
    look_up(arrived);
    ipc__revocation_list__free_unpacked(arrived, NULL);
    fd_close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    Ipc__RevocationList list = IPC__REVOCATION_LIST__INIT;
    CLEANUP(free) char *text = malloc(n + 1);
    CLEANUP(free) char *line = NULL;
    struct detail detail = { "" };
    int r;

    if (!text)
        return 0;
    r = revocation_read(bytes, n, &list, &detail);
    if (r != 0 && detail.text[0] == '\0')
        abort();
    /* Twice the same adds nothing. */
    if (r == 0 && revocation_read(bytes, n, &list, NULL) != 0)
        abort();
    if (revocation_seal(&list) != 0)
        abort();
    travel(&list);
    revocation_free(&list);

    if (n > 0)
        memcpy(text, bytes, n);
    text[n] = '\0';
    if (revocation_line(text, &line, NULL) == 0) {
        if (strchr(line, '\n') || revocation_read((const uint8_t *)line, strlen(line), &list, NULL) != 0)
            abort();
        revocation_free(&list);
    }
    return 0;
}
