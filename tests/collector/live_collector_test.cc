#include "tests/support/cpputest.h"
