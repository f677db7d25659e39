#!/usr/bin/env bash
# sanitize.sh WHAT...   Builds with sanitizers and runs C++ tests: what needs no torch (plain) or all of unit and contract
# (address) under the address and undefined-behaviour sanitizers, what has threads under the thread sanitizer (thread).
# Each WHAT is configured with the build's own compiler, or with CXX and CC.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
. tests/tools/compiling.sh
here=$PWD/tests/tools

# Tests of parts that several threads may use at once.
threads='Cancel.*:AtOnceTest.*:RunContext.*:Arena.WithoutOne*:TokenizerThreads.*:CApiThreads.*'
threads+=':EngineTest.*Thread*:EngineTest.ASecondJobIsAnsweredBusy:OptionsTest.ServeManyJobs*'

# build PRESET [TARGET...]
build() {
  local preset=$1
  shift
  cmake --preset "$preset" -DKANDINSKY_PYTHON="$PWD/.venv/bin/python" "${launcher[@]}"
  cmake --build --preset "$preset" --parallel "$jobs" ${1:+--target "$@"}
}

failed=()
# run FOLDER NAME COMMAND...: in the folder of the tests, as CTest would.
run() {
  local folder=$1 name=$2
  shift 2
  echo "-- $name"
  (cd "$folder/tests" && "$@") || failed+=("$folder: $name")
}

# run_programs FOLDER FILTER [WRAPPER...]: each of the test programs as a whole, since torch takes its time to load.
# Parity's numbers are not about memory.
run_programs() {
  local folder=$1 filter=$2 program
  shift 2
  for program in "$folder"/tests/*_test; do
    [[ $program == */parity_test ]] && continue
    run "$folder" "$(basename "$program")" "$@" "$PWD/$program" --gtest_brief=1 --gtest_filter="$filter"
  done
}

export OMP_NUM_THREADS=2 OMP_WAIT_POLICY=passive
export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
export ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1:allocator_may_return_null=1
export LSAN_OPTIONS=suppressions=$here/lsan.supp:print_suppressions=0
export TSAN_OPTIONS=suppressions=$here/tsan.supp:ignore_noninstrumented_modules=1:second_deadlock_stack=1
for what in "$@"; do
  echo "== sanitize: $what"
  case $what in
    plain)
      build asan-plain
      run_programs build-asan-plain '*'
      run build-asan-plain fuzz ctest --quiet --output-on-failure --tests-regex '^fuzz\.'
      ;;
    address)
      # GCC before 12.4 misaligns vectors of 64 bytes in the frames that this check makes (its bug 110027).
      ASAN_OPTIONS=${ASAN_OPTIONS/use_after_return=1/use_after_return=0}
      build asan
      run build-asan tiny_models ctest --quiet --output-on-failure --tests-regex '^tiny_models$'
      run_programs build-asan '*'
      run build-asan fuzz ctest --quiet --output-on-failure --tests-regex '^fuzz\.'
      ;;
    thread)
      build tsan unit_plain_test unit_torch_test engine_test
      run build-tsan tiny_models ctest --quiet --output-on-failure --tests-regex '^tiny_models$'
      # The addresses that the sanitizer needs are taken at random on newer kernels, unless they are given in order.
      run_programs build-tsan "$threads" setarch --addr-no-randomize
      ;;
    *)
      echo "sanitize.sh: '$what' is none of plain, address, thread" >&2
      exit 2
      ;;
  esac
done
if ((${#failed[@]})); then
  printf 'failed: %s\n' "${failed[@]}"
  exit 1
fi
echo "no sanitizer complained"
