// Boost.Asio's TLS, compiled once, as asio_beast.cpp does for the rest.
#include <boost/asio/ssl/impl/src.hpp>
