# Two commands do everything on a fresh Debian or Ubuntu machine:
#
#   make example   set up .venv, then train -> test -> compress -> export -> LAMMPS MD on DFT data of lithium
#   make test      set up .venv, then run the tests
#
# PYTHON chooses the interpreter, VENV the environment's folder.

PYTHON ?= python3
VENV ?= .venv
BIN := $(abspath $(VENV))/bin
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)
SOURCES := pyproject.toml CMakeLists.txt $(shell find pwmlff cli lammps_plugin -type f -not -path '*/__pycache__/*' -not -path 'pwmlff/cli/*')

.PHONY: example test slow lint format docs cuda-check clean

example: $(VENV)/.installed
	PATH="$(BIN):$$PATH" bash examples/li27/run.sh

test: $(VENV)/.installed $(VENV)/.cpp-tests
	$(BIN)/pytest -m 'not slow' -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

slow: $(VENV)/.installed $(VENV)/.cpp-tests
	$(BIN)/pytest -m slow

# The same checks as pre-commit, without needing git hooks.
lint: $(VENV)/.linters
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/codespell
	find pwmlff/csrc lammps_plugin tests/cpp -name '*.[ch]pp' -o -name '*.h' -o -name '*.cu' | xargs $(BIN)/clang-format --dry-run --Werror

format: $(VENV)/.linters
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	find pwmlff/csrc lammps_plugin tests/cpp -name '*.[ch]pp' -o -name '*.h' -o -name '*.cu' | xargs $(BIN)/clang-format -i

# The documentation as a site, from the pages and the docstrings; a link that leads nowhere is an error.
docs: $(VENV)/.docs
	$(BIN)/sphinx-build --quiet --fail-on-warning --keep-going -c .ci/site . build/site
	@echo 'the site: build/site/index.html'

# The kernels need nothing of torch: any CUDA toolkit compiles them. One architecture, to be quick; the build takes all.
cuda-check:
	@if command -v nvcc >/dev/null; then \
	  for kernels in pwmlff/csrc/cuda/*.cu pwmlff/csrc/cuda/*/*.cu; do \
	    nvcc -std=c++17 -arch=sm_80 -Xcompiler -Wall,-Wextra -Werror all-warnings -I pwmlff/csrc -I pwmlff/csrc/core \
	      -c $$kernels -o /dev/null || exit 1; \
	  done; echo 'CUDA kernels compiled'; \
	else echo 'CUDA kernels not compiled: no nvcc on PATH'; fi

# torch is named first and exactly: the resolver would otherwise look for the newest build that fits.
$(VENV)/.installed: $(SOURCES) | $(VENV)/.system
	$(BIN)/pip install --quiet 'torch==2.13.0'
	$(BIN)/pip install --quiet '.[test]'
	touch $@

$(VENV)/.linters: $(VENV)/.installed
	$(BIN)/pip install --quiet --group dev
	touch $@

$(VENV)/.docs: $(VENV)/.installed
	$(BIN)/pip install --quiet --group docs
	touch $@

# A C++ compiler and Python's venv are all the system has to give.
$(VENV)/.system:
	@command -v g++ >/dev/null && $(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	  { echo 'installing g++ and python3-venv'; $(SUDO) apt-get update -qq; $(SUDO) apt-get install -y -qq g++ python3-venv; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip
	touch $@

# What the unit tests in C++ need besides the compiler; where it cannot be installed they are skipped.
$(VENV)/.cpp-tests: | $(VENV)/.system
	@command -v cmake >/dev/null && [ -f /usr/include/doctest/doctest.h ] || \
	  { echo 'installing cmake and doctest'; $(SUDO) apt-get update -qq; $(SUDO) apt-get install -y -qq cmake doctest-dev; } || \
	  echo 'tests/cpp will be skipped'
	touch $@

# what the examples write is listed once, for git and for here
clean:
	rm -rf $(VENV) build dist
	cd examples && while read -r name; do rm -rf */$$name; done < .gitignore
