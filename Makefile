# A thin face over CMake and ctest. Two commands do everything on a fresh machine:
#   make demo    installs what is missing, builds, trains a teacher, distils a student, predicts
#   make test    installs what is missing, builds, runs all tests

BUILD ?= build
JOBS ?= $(shell nproc)
CMAKE_ARGS ?=

.PHONY: all setup setup-demo setup-test build demo test test-sanitize test-thread fuzz chaos bench bench-http \
    bench-gpu lint format clean

all: build

# Idempotent: asks for packages only when something is missing.
setup:
	@cmake/setup.sh build

setup-demo:
	@cmake/setup.sh build demo

setup-test:
	@cmake/setup.sh build test

build: setup
	@cmake -S . -B $(BUILD) -G Ninja $(CMAKE_ARGS) >$(BUILD).log 2>&1 || { cat $(BUILD).log; exit 1; }
	@rm -f $(BUILD).log
	@cmake --build $(BUILD) -j $(JOBS)

demo: CMAKE_ARGS += -DDISTILL_TESTS=OFF
demo: setup-demo build
	@DISTILL_BUILD=$(BUILD) clients/demo.sh

test: CMAKE_ARGS += -DDISTILL_TESTS=ON
test: setup-test build
	@ctest --test-dir $(BUILD) -j 2 --output-on-failure --no-tests=error $(CTEST_ARGS)

# The suite under ASan and UBSan; leaks are errors.
test-sanitize: setup-test
	@$(MAKE) --no-print-directory build BUILD=build/asan CMAKE_ARGS=-DDISTILL_SANITIZE=address,undefined
	@ctest --test-dir build/asan --output-on-failure --no-tests=error $(CTEST_ARGS)

# The service under TSan, on the ref backend with one thread (OpenMP's runtime is not instrumented).
# Left out is what starts no thread of ours: ops, golden values, fuzz, lint, units of readers and tables.
THREAD_TESTS = ^unit/(store|http|worker|session)|loader|parallel|^system|^clients/python
test-thread: setup-test
	@$(MAKE) --no-print-directory build BUILD=build/tsan \
	    CMAKE_ARGS="-DDISTILL_SANITIZE=thread -DDISTILL_ONEDNN=OFF -DDISTILL_CUDA=OFF"
	@ctest --test-dir build/tsan --output-on-failure --no-tests=error -R '$(THREAD_TESTS)' $(CTEST_ARGS)

# Looks for inputs that break the readers, FUZZ_SECONDS for each.
fuzz:
	@cmake/setup.sh build test fuzz
	@$(MAKE) --no-print-directory build BUILD=build/fuzz \
	    CMAKE_ARGS="-DCMAKE_C_COMPILER=clang -DDISTILL_CUDA=OFF -DDISTILL_FUZZ=ON"
	@tests/fuzz/run build/fuzz $(FUZZ_SECONDS)

# Disturbs the machine at every transition, then jobs at random; as root it also cuts a network and fills a disk.
#   make chaos seed=7 faults=100 report=FILE
chaos: CMAKE_ARGS += -DDISTILL_TESTS=ON
chaos: export DISTILL_BUILD = $(abspath $(BUILD))
chaos: setup-test build
	@seq 0 2 | xargs -I{} -P 3 tests/chaos/disturbed_transitions.py {} 3
	@tests/chaos/chaos.py seed=$(seed) faults=$(faults) report=$(report)

bench: setup-test build
	@tests/bench/run

# The service under load, beside Python servers with the same model.
bench-http: setup-test build
	@tests/bench/http/run

# On a machine with a GPU: beside PyTorch, in the python3 on PATH.
bench-gpu:
	@tests/gpu/run build bench-resnet32x4 bench-resnet56 bench-imagenet bench-loss

lint: setup-test
	@tests/lint/run

format: setup-test
	@git ls-files '*.c' '*.h' '*.cu' '*.cuh' '*.cc' | xargs clang-format -i

clean:
	@rm -rf build build.log
