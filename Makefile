# make setup   .venv with everything that is tested together (a minute)
# make demo    toy data, plain CE against SASFormer, one table, one picture
# make test    lint, types and all tests
# make gpu     on an NVIDIA GPU: CUDA tests and benchmarks, one table
# make docs    the documentation as a web site, build/site/html
# make gallery the pictures of docs/gallery.md, drawn again
# make clean   remove .venv and whatever was built
PYTHON ?= python3
VENV ?= .venv
# Two processes for pytest, with a thread each: see CONTRIBUTING.md.
PYTEST_ARGS ?= -n 2

PIP := $(VENV)/bin/python -m pip --disable-pip-version-check
INSTALL := $(PIP) install -c constraints.txt
STAMP := $(VENV)/.mmseg_sparse-is-set-up
# Our environment alone: nothing of the caller's may leak in.
export PYTHONPATH :=
export PYTHONNOUSERSITE := 1

.PHONY: setup demo test lint pytest gpu docs gallery clean
.DELETE_ON_ERROR:

setup: $(STAMP)

$(STAMP): constraints.txt setup.py pyproject.toml \
		$(wildcard requirements/*.txt model-index.yml)
	@rm -f $@
	@echo '==> 1/4 environment: $(VENV)'
	@$(VENV)/bin/python -m pip --version 2>/dev/null \
		|| $(PYTHON) -m venv --clear $(VENV)
	@echo '==> 2/4 torch'
	$(INSTALL) torch
	@echo '==> 3/4 OpenMMLab with mmcv-lite and mim, and the tools for tests'
	$(INSTALL) $(addprefix -r ,$(sort $(wildcard requirements/*.txt)))
	@echo '==> 4/4 mmseg_sparse, editable'
	$(PIP) install --no-build-isolation --no-deps -e .
	@$(VENV)/bin/python -c 'import mmseg_sparse' && touch $@
	@echo '==> $(VENV) is ready'

demo: setup
	$(VENV)/bin/python tools/demo.py

test: lint pytest

lint: setup
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/codespell

pytest: setup
	OMP_NUM_THREADS=1 $(VENV)/bin/python -m pytest $(PYTEST_ARGS)

gpu: setup
	$(VENV)/bin/python benchmarks/benchmark_gpu.py

docs: setup
	$(VENV)/bin/python docs/site/build.py

gallery: setup
	$(VENV)/bin/python docs/site/gallery.py

clean:
	rm -rf $(VENV) build dist *.egg-info mmseg_sparse/.mim
	find . -name __pycache__ -not -path './data/*' -prune -exec rm -rf {} +
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis work_dirs/demo
