// Boost.Asio's and Boost.Beast's bodies, compiled once: every other unit sees declarations only (3 s instead of 11 s a unit).
#include <boost/asio/impl/src.hpp>
#include <boost/beast/src.hpp>
