/* `config --kubeconfig TARGET` and `config --tls-ca`: what waits for the vault. */
#pragma once
#include "channels/channel.h"

enum { CONFIG_KUBE_PORT = 8001 }; /* on the client's side; what `kubectl proxy` has */

/* target NULL: the CA alone. Prints and exits, now or later. */
void config_kube_begin(struct channel *channel, const char *bastion, const char *target, uint16_t port);
void config_kube_free(struct config_kube *wait);
