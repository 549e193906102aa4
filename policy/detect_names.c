/* Names of the built-in detectors. By themselves, so that who only checks a name need not link the engine. */
#include <string.h>
#include "policy/detect_parts.h"

static const char *const BUILTINS[BUILTIN_COUNT] = {
    [BUILTIN_EMAIL] = "email",
    [BUILTIN_CREDIT_CARD] = "credit_card",
    [BUILTIN_US_SSN] = "us_ssn",
    [BUILTIN_IBAN] = "iban",
    [BUILTIN_JWT] = "jwt",
    [BUILTIN_AWS_KEY] = "aws_key",
    [BUILTIN_GCP_KEY] = "gcp_key",
    [BUILTIN_GITHUB_TOKEN] = "github_token",
    [BUILTIN_SLACK_TOKEN] = "slack_token",
    [BUILTIN_STRIPE_KEY] = "stripe_key",
    [BUILTIN_PRIVATE_KEY] = "private_key",
    [BUILTIN_URL_PASSWORD] = "url_password",
    [BUILTIN_BEARER_TOKEN] = "bearer_token",
};

const char *detector_builtin(size_t index)
{
    return index < BUILTIN_COUNT ? BUILTINS[index] : NULL;
}

int detect_builtin_find(const char *name)
{
    for (int i = 0; i < BUILTIN_COUNT; i++)
        if (strcmp(BUILTINS[i], name) == 0)
            return i;
    return -1;
}

bool detector_exists(const char *name)
{
    return detect_builtin_find(name) >= 0;
}
