// Arguments to verbs, nothing else.
#include "cli/cli.h"
#include "run.h"

int main(int argc, char** argv) {
  return tidegate::cli::main(argc, argv, {tidegate::run, tidegate::demo});
}
