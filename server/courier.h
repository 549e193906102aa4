/* The courier: HTTPS to the places that the configuration names, for services that have no network. */
#pragma once

enum {
    COURIER_CLIENTS_MAX = 8, /* services; one that was restarted counts twice for a moment */
};
