#include "cli/interrupt.h"

#include <array>
#include <csignal>

namespace tidegate::cli {
namespace {

constexpr std::array kSignals{SIGINT, SIGTERM};
volatile std::sig_atomic_t came = 0;
std::array<struct sigaction, kSignals.size()> before{};

}  // namespace

Interrupts::Interrupts() {
  came = 0;
  struct sigaction noted{};
  noted.sa_handler = [](int signal) { came = signal; };
  noted.sa_flags = static_cast<int>(SA_RESTART | SA_RESETHAND);
  for (std::size_t i = 0; i < kSignals.size(); ++i) ::sigaction(kSignals[i], &noted, &before[i]);
}

Interrupts::~Interrupts() {
  for (std::size_t i = 0; i < kSignals.size(); ++i) ::sigaction(kSignals[i], &before[i], nullptr);
}

int Interrupts::signal() const noexcept { return came; }

}  // namespace tidegate::cli
