/* Whatever bytes are in the extension claims@gatehouse. */
#include <stdlib.h>
#include "policy/claims.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void match(const Ipc__Claims *claims)
{
    char *any[] = { (char *)"*" };
    Ipc__ClaimMatch sub = IPC__CLAIM_MATCH__INIT;
    Ipc__ClaimMatch *matches[] = { &sub };
    Ipc__Role role = IPC__ROLE__INIT;

    role.matches_claims = true;
    role.groups = any;
    role.n_groups = 1;
    if (claims_hold_role(claims, &role) != (claims->n_groups > 0))
        abort();
    role.n_groups = 0;
    sub.name = (char *)"sub";
    sub.values = any;
    sub.n_values = 1;
    role.claims = matches;
    role.n_claims = 1;
    if (claims->subject[0] && !claims_hold_role(claims, &role))
        abort();
    role.n_claims = 0;
    role.issuer = claims->issuer;
    if (!claims_hold_role(claims, &role))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    Ipc__Claims *claims = NULL;

    if (claims_unpack(bytes, n, &claims) == 0) {
        match(claims);
        ipc__claims__free_unpacked(claims, NULL);
    }
    return 0;
}
