// What nearly every test includes, compiled once for each test program: headers are half of the
// time that a test takes to compile. A test includes what it uses all the same, which
// -Db_pch=false shows.

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/support/cpputest.h"
