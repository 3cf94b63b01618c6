#pragma once

#include "proto/confinement.h"

// What a probe may do once its devices are open and before it reads the first packet.

namespace curlew::probe {

// The first thread keeps CAP_NET_ADMIN, where it has it: closing devices ends promiscuous mode and
// takes the XDP program off. Packets never reach that thread.
proto::Confinement confinement();

}  // namespace curlew::probe
