// precompiled_standard.h, and what tests of the folders that use Asio include.
#pragma once

#include "precompiled/asio.h"
#include "precompiled_standard.h"
