// Boost.Asio's TLS, compiled once, as asio_beast.cpp does for the rest; here, because nothing else of proxy/ uses it.
#include <boost/asio/ssl/impl/src.hpp>
