// The program's, and what every test includes.
#pragma once

#include <gtest/gtest.h>

#include <fstream>
#include <future>
#include <set>

#include "precompiled/standard.h"
