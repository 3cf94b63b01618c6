#pragma once

#include "proto/confinement.h"

// What a collector may do from its start on, before the first probe can reach it.

namespace curlew::collector {

// It keeps no capability.
proto::Confinement confinement();

}  // namespace curlew::collector
