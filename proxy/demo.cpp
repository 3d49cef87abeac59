#include "run.h"
namespace tidegate { int demo(const cli::DemoOptions&) { return 1; } }
