// As tests/support/pch/tests.h, with the messages that the collector's tests are made of.

#include "collector/hash_map.h"
#include "proto/flow.pb.h"
#include "tests/support/pch/tests.h"
