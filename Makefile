# SPDX-License-Identifier: Apache-2.0
# make quickstart   align SmolLM2-135M on this machine, from nothing
# make test         every test
# PRESET=debug|asan|tsan builds another way; ATTUNE_TORCH=folder uses a LibTorch that is already there.
PRESET ?= release
BUILD = $(if $(filter release,$(PRESET)),build,build-$(PRESET))
export ATTUNE_TORCH

.PHONY: build deps test quickstart clean
build: deps
	@test -f $(BUILD)/build.ninja || cmake --preset $(PRESET) >$(BUILD).log 2>&1 || { cat $(BUILD).log; exit 1; }
	@cmake --build $(BUILD)

deps:
	@sh cmake/deps.sh

test: build
	@ctest --test-dir $(BUILD) --output-on-failure -j 2

quickstart: build
	@sh cmake/deps.sh quickstart
	@sh configs/quickstart/run.sh $(BUILD)/bin/attune

clean:
	rm -rf build build-debug build-asan build-tsan build*.log
