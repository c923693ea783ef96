# Two commands on a fresh machine: `make example` and `make test`.
PYTHON ?= $(shell command -v python3.11 || command -v python3.10 || command -v python3)
# Its own metadata asks for numpy below 2, which it can do without (codegen/mxnet_import.py).
MXNET := --no-deps mxnet==1.9.1
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
WORKERS ?= 2

.PHONY: example zoo conformance traps fuzz in-use in-use-zoo bench golden test test-browser screenshots fast matrix torchvision lint docs clean

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade 'pip<26'
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[dev]'
	$(BIN)/python -m pip install --quiet $(MXNET)
	touch $@

example: $(STAMP)
	@mkdir -p build/example
	$(BIN)/python -m tracer.gen examples/xxnet/model.py:XXNet --out build/example/model_mxnet.py
	@echo "the files are in build/example; read build/example/model_mxnet.py first"

zoo: $(STAMP)
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.zoo --processes $(WORKERS)

conformance: $(STAMP)
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.conformance --processes $(WORKERS)

# Writes docs/traps.md, and the links to it in docs/operators.md, from the docstrings of codegen/ and tracer/.
traps: $(STAMP)
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.traps

# SEED=10000 searches other nets; what was found before is kept (build/fuzz), so that a search may be resumed.
NETS ?= 10000
SEED ?= 0
fuzz: $(STAMP)
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.fuzz --nets $(NETS) --seed $(SEED) --processes $(WORKERS)

# MXNet's own tools on the generated files: docs/in-use.md.
in-use: $(STAMP)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n $(WORKERS) tests/in_use

# Every net of the zoo in MXNet's own tools: docs/in-use-zoo.md. onnx and onnxruntime stand in an environment of
# their own, which sees the packages of the other: transformers must not find them.
ONNX := .venv-onnx

$(ONNX)/.installed: $(STAMP)
	$(PYTHON) -m venv $(ONNX)
	$(ONNX)/bin/python -m pip install --quiet --no-deps onnx==1.14.1 onnxruntime==1.16.3 protobuf==4.25.3 flatbuffers==25.2.10
	$(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))' \
	    > $$($(ONNX)/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/main.pth
	touch $@

in-use-zoo: $(ONNX)/.installed
	OMP_NUM_THREADS=1 $(ONNX)/bin/python -m pytest -q tests/in_use/test_onnx.py
	OMP_NUM_THREADS=1 $(ONNX)/bin/python -m tests.in_use --processes $(WORKERS)

# The way through ONNX, which costs are compared with: mxnet's importer knows the files of old versions alone.
ROUTE := .venv-onnx-route

$(ROUTE)/.installed:
	$(firstword $(wildcard $(HOME)/.pyenv/versions/3.10.*/bin/python3) python3.10) -m venv $(ROUTE)
	$(ROUTE)/bin/python -m pip install --quiet torch==1.13.1 numpy==1.23.5 pytorchcv==0.0.67 requests graphviz==0.8.4
	$(ROUTE)/bin/python -m pip install --quiet --no-deps mxnet==1.9.1 onnx==1.12.0 protobuf==3.20.3 \
	    onnxsim==0.4.33 onnxruntime==1.16.3 flatbuffers coloredlogs humanfriendly packaging sympy mpmath rich \
	    markdown-it-py mdurl pygments
	touch $@

# Writes docs/performance.md, but for attention, which docs/in-use.md tells of.
bench: $(STAMP) $(ROUTE)/.installed
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.cost --onnx $(ROUTE)/bin/python --write
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/depth.py
	OMP_NUM_THREADS=1 $(BIN)/python benchmarks/attention.py

# Shows how the goldens differ from what is generated, and rewrites them.
golden: $(STAMP)
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.golden

# mxnet and numpy alone, under another Python than .venv's: what --mxnet-python names in its test.
OTHERS := $(foreach version,3.12 3.13 3.10,$(wildcard $(HOME)/.pyenv/versions/$(version).*/bin/python3))
ALONE := .venv-mxnet

$(ALONE)/.installed:
	$(firstword $(OTHERS) $(PYTHON)) -m venv $(ALONE)
	$(ALONE)/bin/python -m pip install --quiet 'numpy<3'
	$(ALONE)/bin/python -m pip install --quiet $(MXNET)
	touch $@

test: $(STAMP) $(ALONE)/.installed
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) tests

# The page that --report review.html writes, in Debian's Chromium, which is installed where it is missing. Playwright
# drives it and axe-core looks for what keeps somebody from reading it; their environment sees the packages of the other.
BROWSER := .venv-browser

$(BROWSER)/.installed: $(STAMP)
	$(PYTHON) -m venv $(BROWSER)
	$(BROWSER)/bin/python -m pip install --quiet playwright==1.65.2 axe-playwright-python==0.1.8
	$(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))' \
	    > $$($(BROWSER)/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/main.pth
	touch $@

# As root, or as one who may become root.
APT := $(if $(filter 0,$(shell id -u)),,sudo )apt-get
CHROMIUM := chromium graphviz fonts-dejavu-core

test-browser: $(BROWSER)/.installed
	@{ command -v chromium && command -v dot; } > /dev/null \
	    || { $(APT) update -qq && $(APT) install -y -qq --no-install-recommends $(CHROMIUM) > /dev/null; } \
	    || { echo "error: apt-get cannot install $(CHROMIUM): install Chromium (as chromium) and graphviz (dot) by hand" >&2; exit 1; }
	OMP_NUM_THREADS=1 $(BROWSER)/bin/python -m pytest tests/browser

# The same, which also takes the pictures of docs/guides/review.md.
screenshots:
	SCREENSHOTS=docs/images $(MAKE) test-browser

# The fast part of the tests with the newest numpy 2, in an environment that has nothing else of its own.
NEWEST := .venv-numpy

$(NEWEST)/.installed: $(STAMP)
	$(PYTHON) -m venv $(NEWEST)
	$(NEWEST)/bin/python -m pip install --quiet 'numpy>=2,<3'
	$(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))' \
	    > $$($(NEWEST)/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/main.pth
	touch $@

fast: $(NEWEST)/.installed
	OMP_NUM_THREADS=1 $(NEWEST)/bin/python -m tests.matrix --here --processes $(WORKERS)

# The same on Python 3.10 to 3.13, each with the newest torch and numpy that fx2mx allows and pip finds for it, in
# environments of 5.5 GB that are made and removed one after the other. Writes docs/matrix.md.
matrix:
	$(PYTHON) -m tests.matrix --processes $(WORKERS)

# torchvision's ops by torchvision itself, which does not import beside the build of torch that constraints.txt names.
# Its environment takes 5.8 GB: the constraints are the same but for torch.
VISION := .venv-torchvision

$(VISION)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VISION)
	$(VISION)/bin/python -m pip install --quiet --upgrade 'pip<26'
	grep -v '^torch==' constraints.txt > $(VISION)/constraints.txt
	$(VISION)/bin/python -m pip install --quiet --no-cache-dir -c $(VISION)/constraints.txt \
	    torch==2.14.1 torchvision==0.29.1 -e . pytest
	$(VISION)/bin/python -m pip install --quiet --no-cache-dir $(MXNET)
	touch $@

torchvision: $(VISION)/.installed
	OMP_NUM_THREADS=1 $(VISION)/bin/python -m pytest tests/vision

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/mypy

# The site: build/site/index.html. `make docs` fails at a link that leads nowhere.
docs: $(STAMP)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict
	@echo "the site is in build/site; open build/site/index.html"

clean:
	rm -rf build dist .pytest_cache .mypy_cache .ruff_cache
