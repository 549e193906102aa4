/* What a host says, in pieces: (size, bytes)…. It must end within its bounds. */
#include <stdlib.h>

#include "channels/ssh/host_offer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct host_offer offer;
    struct reader in = reader_of(data, n);
    const uint8_t *bytes;
    uint8_t size;
    int r = host_offer_init(&offer);
    if (r)
        abort();
    while (r == 0 && offer.state != OFFER_DONE && reader_u8(&in, &size)) {
        size_t piece = size == 255 || size > reader_left(&in) ? reader_left(&in) : size;
        if (!reader_bytes(&in, piece, &bytes) || piece > buffer_room(&offer.in) ||
            buffer_append(&offer.in, bytes, piece))
            break;
        r = host_offer_run(&offer);
    }
    if (r == 0 && offer.state == OFFER_DONE && buffer_size(&offer.certificate) == 0)
        abort();
    if (r > 0 && offer.why.text[0] == 0)
        abort();
    host_offer_clear(&offer);
    return 0;
}
