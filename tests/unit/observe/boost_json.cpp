// Boost.JSON, compiled here, judges whether the access log's lines are JSON: a parser that shares nothing with the code
// that writes them.
#include <boost/json/src.hpp>
