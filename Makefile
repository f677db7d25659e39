# Names only: the commands are in tests/tools/ and demo/.
# PYTHON=/path/to/python  build against the torch of that Python, instead of installing torch (at `make setup` or later)
# JOBS=n                  compile n files at once
# FUZZ_SECONDS=n          seconds of make fuzz for each target
# BENCH="--only unet"     more options of tests/bench/bench.py
export PYTHON JOBS

.PHONY: help demo test unit parity e2e batch-kills ray setup setup-tests build build-tests fuzz sanitize sanitize-plain lint tidy format keywords demo-model demo-score frontier gallery wheel bench bench-docs growth references clean

help: ## list these commands
	@sed -n 's/^\([a-z0-9-]*\):.*## /  make \1\t/p' Makefile | expand -t 20

demo: build ## install, build and generate a contact sheet with the demo model
	.venv/bin/python demo/generate.py

test: build-tests ## install, build and run every test
	.venv/bin/python tests/tools/run_tests.py unit contract parity e2e

unit: build-tests ## the quick tests: unit and contract
	.venv/bin/python tests/tools/run_tests.py unit contract

parity: build-tests ## compare each stage with recorded references
	.venv/bin/python tests/tools/run_tests.py parity

e2e: build-tests ## test the command line, the Python package and the extension as a user would
	.venv/bin/python tests/tools/run_tests.py e2e

batch-kills: setup-tests build ## kill `kandinsky batch` a hundred times at random moments, and resume it
	KANDINSKY_KILLS=100 .venv/bin/python -m pytest tests/e2e/test_batch.py -k sigkill -s

ray: setup-tests build ## generate 200 images on a Ray cluster of three nodes while actors and nodes are killed
	tests/tools/with_requirements.sh .venv-ray tests/ray/requirements.txt tests/ray/check_ray.py

setup: ## install the build dependencies: Debian packages and .venv
	tests/tools/setup.sh build

setup-tests: ## the same, and the tests' dependencies
	tests/tools/setup.sh build test

build: setup ## build/kandinsky, build/libkandinsky.so and build/python/kandinsky_engine
	tests/tools/build.sh OFF

build-tests: setup-tests ## the same, and the C++ tests
	tests/tools/build.sh ON

fuzz: setup-tests ## fuzz every reader for FUZZ_SECONDS; needs Clang
	tests/tools/fuzz.sh

sanitize-plain: setup-tests ## tests without torch under the address and undefined-behaviour sanitizers
	tests/tools/sanitize.sh plain

sanitize: setup-tests ## all C++ unit and contract tests under these, and tests with threads under the thread sanitizer (an hour)
	tests/tools/sanitize.sh address thread

lint: setup-tests ## check formatting, style and types
	tests/tools/lint.sh check

tidy: setup-tests ## clang-tidy over the lines of C++ that changed
	tests/tools/setup.sh tidy
	tests/tools/tidy.sh

format: setup-tests ## fix formatting
	tests/tools/lint.sh fix

keywords: build ## write the files made from the tables of options and controls: Python keywords, docs/options.md, docs/api.md
	PYTHONPATH=build/python .venv/bin/python tests/tools/make_keywords.py

demo-model: setup ## train the demo model again (hours), in .venv-demo
	tests/tools/with_requirements.sh .venv-demo demo/train/requirements.txt demo/train/train.py

demo-score: build ## score the demo model on held-out prompts
	.venv/bin/python demo/score/score.py

frontier: build ## measure the presets and their alternatives with the demo model; writes docs/presets.md
	.venv/bin/python demo/score/frontier.py
	.venv/bin/python demo/score/frontier.py --publish

gallery: build ## generate docs/gallery again: every mode and sampler, with the demo model
	.venv/bin/python demo/gallery.py

wheel: build ## build a wheel into dist/, for this Python and torch, and test it in an environment without a compiler
	tests/tools/with_requirements.sh .venv-wheel bindings/wheel/requirements.txt bindings/wheel/make_wheel.py

bench: build ## compare speed and memory with diffusers, with random weights of full size
	tests/tools/with_requirements.sh .venv-bench tests/bench/requirements.txt tests/bench/bench.py $(BENCH)

bench-docs: ## write the last results of make bench into README.md and docs/performance.md
	.venv-bench/bin/python tests/bench/publish.py

growth: ## plot the cost by pixels, steps and batch, from the last results of make bench
	.venv-bench/bin/python tests/bench/growth.py build/bench/bench.json --image build/bench/growth.png

references: setup ## record the parity references again, in .venv-references
	tests/tools/references.sh

clean: ## remove build outputs; .venv stays
	rm -rf build dist build-dev build-asan build-asan-plain build-tsan build-fuzz build-tidy build-old-abi
