// Arguments to verbs, nothing else.
#include "cli/cli.h"
#include "privileges.h"
#include "run.h"

int main(int argc, char** argv) {
  const auto as_run_would = [] { (void)tidegate::drop_privileges(); };
  return tidegate::cli::main(argc, argv, {tidegate::run, tidegate::demo, as_run_would});
}
