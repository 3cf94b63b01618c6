#pragma once

// The one way to CppUTest: its leak detection replaces `new` by a macro, which the standard library
// headers of a test do not survive.

#include <CppUTest/TestHarness.h>

#ifdef new
#undef new
#endif
