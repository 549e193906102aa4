/* Whatever an approver sends as a signature: the armour, and what is in it. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "policy/certificate.h"
#include "policy/sshsig.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

/* The base points of both curves (RFC 8032 5.1, SEC 2 2.4.2): keys that seeds can name. */
static const uint8_t ed25519[32] = { 0x58, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
                                     0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
                                     0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66 };
static const uint8_t p256[65] = { 4,    0x6b, 0x17, 0xd1, 0xf2, 0xe1, 0x2c, 0x42, 0x47, 0xf8, 0xbc,
                                  0xe6, 0xe5, 0x63, 0xa4, 0x40, 0xf2, 0x77, 0x03, 0x7d, 0x81, 0x2d,
                                  0xeb, 0x33, 0xa0, 0xf4, 0xa1, 0x39, 0x45, 0xd8, 0x98, 0xc2, 0x96,
                                  0x4f, 0xe3, 0x42, 0xe2, 0xfe, 0x1a, 0x7f, 0x9b, 0x8e, 0xe7, 0xeb,
                                  0x4a, 0x7c, 0x0f, 0x9e, 0x16, 0x2b, 0xce, 0x33, 0x57, 0x6b, 0x31,
                                  0x5e, 0xce, 0xcb, 0xb6, 0x40, 0x68, 0x37, 0xbf, 0x51, 0xf5 };

static int put(struct buffer *out, const char *text)
{
    return buffer_put_string(out, text, strlen(text));
}

static int put_key(struct buffer *out, bool hardware)
{
    if (!hardware)
        return buffer_put_string(out, ed25519, sizeof ed25519);
    return put(out, "nistp256") | buffer_put_string(out, p256, sizeof p256) | put(out, "ssh:");
}

static struct certificate *certificate_for(bool hardware)
{
    struct certificate *certificate = NULL;
    struct buffer out, ca, principal;
    buffer_init(&out, CERTIFICATE_MAX);
    buffer_init(&ca, CERTIFICATE_MAX);
    buffer_init(&principal, CERTIFICATE_MAX);
    int r = put(&ca, "ssh-ed25519") | put_key(&ca, false) | put(&principal, "dba");
    r |= put(&out,
             hardware ? "sk-ecdsa-sha2-nistp256-cert-v01@openssh.com" : "ssh-ed25519-cert-v01@openssh.com");
    r |= put(&out, "nonce") | put_key(&out, hardware);
    r |= buffer_put_u64(&out, 1) | buffer_put_u32(&out, 1) | put(&out, "olga");
    r |= buffer_put_string(&out, buffer_head(&principal), buffer_size(&principal));
    r |= buffer_put_u64(&out, 0) | buffer_put_u64(&out, UINT64_MAX) | put(&out, "") | put(&out, "") |
         put(&out, "");
    r |= buffer_put_string(&out, buffer_head(&ca), buffer_size(&ca)) | put(&out, "signature");
    if (r || certificate_parse(buffer_head(&out), buffer_size(&out), &certificate, NULL))
        abort();
    buffer_free(&out);
    buffer_free(&ca);
    buffer_free(&principal);
    return certificate;
}

static void verify(const uint8_t *blob, size_t n)
{
    static struct certificate *certificates[2];
    for (int hardware = 0; hardware < 2; hardware++) {
        struct detail detail = { "" };
        if (!certificates[hardware])
            certificates[hardware] = certificate_for(hardware);
        int r = sshsig_verify(blob, n, "approval@gatehouse", "message", 7, certificates[hardware], &detail);
        /* Nobody has signed this with those keys. */
        if (r == 0 || (r > 0 && !detail.text[0]))
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    uint8_t *blob = NULL;
    size_t size = 0;
    verify(bytes, n);
    if (sshsig_from_armour(bytes, n, &blob, &size) == 0) {
        uint8_t *again = NULL;
        size_t again_n = 0;
        char *text = sshsig_armour(blob, size);
        if (!text || sshsig_from_armour(text, strlen(text), &again, &again_n) || again_n != size ||
            memcmp(again, blob, size) != 0)
            abort();
        verify(blob, size);
        free(text);
        free(again);
        free(blob);
    }
    return 0;
}
