/* Whatever bytes are in the file of a CA's private key; the first byte says whether they are the decoded
 * form. */
#include <stdlib.h>
#include <string.h>
#include "base/text.h"
#include "policy/certificate_issue.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

enum { DECODED_MAX = 16 * 1024 };

static void try_key(const void *bytes, size_t n)
{
    struct certificate_signer *signer = NULL;
    struct detail detail = { "" };
    int r = certificate_signer_new(bytes, n, &signer, &detail);

    if ((r == 0) != (signer != NULL) || (r != 0 && detail.text[0] == '\0'))
        abort();
    certificate_signer_free(signer);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    static const char begin[] = "-----BEGIN OPENSSH PRIVATE KEY-----\n",
                      end[] = "\n-----END OPENSSH PRIVATE KEY-----\n";
    CLEANUP(free) char *text = NULL;
    size_t length;

    if (n == 0 || n > DECODED_MAX)
        return 0;
    if (bytes[0] != 0) {
        try_key(bytes, n);
        return 0;
    }
    text = malloc(sizeof(begin) + sizeof(end) + 4 * (n / 3 + 1));
    if (!text)
        return 0;
    memcpy(text, begin, sizeof(begin));
    text_base64(text + sizeof(begin) - 1, bytes + 1, n - 1);
    length = strlen(text);
    memcpy(text + length, end, sizeof(end));
    try_key(text, strlen(text));
    return 0;
}
